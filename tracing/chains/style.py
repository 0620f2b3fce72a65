"""How the report of chains looks beyond what every report has."""

from typing import Final

from tracing.look import SHEET

STYLE: Final = (
    SHEET
    + """
h1 i { font-size: 1.05rem; margin-left: .4rem; } h2 i { font-size: .95rem; margin-left: .3rem; }
th i { display: block; font-size: .78rem; }
.grid, svg line { stroke: #d5dade; stroke-width: 1; }
.link { fill: none; stroke: #8b949c; stroke-width: 1.2; } .other { stroke: #b9a3d0; stroke-width: 1; }
.wrong { stroke: #d6001c; stroke-width: 1.6; stroke-dasharray: 4 2; }
.bar { fill: #c9a1ae; } .fit { fill: #1769aa; }
"""
)
