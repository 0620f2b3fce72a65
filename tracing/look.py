"""How every report looks, on a screen and on paper: one sheet of paper, one colour, figures that line up."""

from typing import Final

MAIN: Final = "#7a1f3d"
# Told apart by people who see no red or no green, and dark enough to stand on white.
COLOURS: Final = ("#0067a5", "#c04f00", "#00755b", "#a03a7a", "#6b5b00", "#4b4ba0", "#8a2f2f", "#3f6d78")

SHEET: Final = """
:root { --ink: #1c2126; --soft: #566069; --line: #e3e7ea; --main: #7a1f3d; }
* { box-sizing: border-box; }
body { font: 14px/1.5 system-ui, "Segoe UI", "Noto Sans", sans-serif; color: var(--ink); background: #fff;
  margin: 0 auto; max-width: 1060px; padding: 1.5rem 1.2rem 3rem; }
i { font-style: italic; font-weight: 400; color: var(--soft); }
h1 { font-size: 1.6rem; margin: 0 0 1rem; border-bottom: 3px solid var(--main); padding-bottom: .4rem; }
h2 { font-size: 1.15rem; margin: 2rem 0 .4rem; break-after: avoid; }
h3 { font-size: .95rem; margin: 1.2rem 0 .2rem; break-after: avoid; }
p { margin: .3rem 0 .7rem; max-width: 56rem; }
.tiles { display: grid; grid-template-columns: repeat(4, 1fr); gap: .7rem; }
.tile { border: 1px solid var(--line); border-left: 4px solid var(--main); padding: .5rem .7rem; break-inside: avoid; }
.tile b { display: block; font-size: 1.55rem; line-height: 1.25; font-variant-numeric: tabular-nums; }
.tile span, .tile i, .tile small { display: block; font-size: .8rem; line-height: 1.35; }
.tile small { color: var(--soft); min-height: 1.1rem; }
svg { display: block; width: 100%; height: auto; }
text { font-size: 11px; fill: var(--ink); paint-order: stroke; stroke: #fff; stroke-width: 3px; }
svg.key { display: inline-block; width: 14px; height: 14px; vertical-align: -2px; }
.panel { break-inside: avoid; }
.legend { font-size: .85rem; break-after: avoid; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .88rem; margin: .4rem 0; }
caption { text-align: left; color: var(--soft); font-size: .82rem; }
th, td { text-align: left; padding: .22rem 1.1rem .22rem 0; vertical-align: top; }
td { overflow-wrap: anywhere; max-width: 26rem; }
th { border-bottom: 2px solid var(--line); }
td.n { text-align: right; } tr + tr td { border-top: 1px solid var(--line); } tr { break-inside: avoid; }
thead { display: table-header-group; }
@page { size: A4; margin: 14mm; }
@media print { html { font-size: 12px; } body { max-width: none; padding: 0; font-size: 10pt; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; } }
@media screen and (max-width: 700px) { .tiles { grid-template-columns: repeat(2, 1fr); } }
"""
