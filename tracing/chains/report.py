"""report.html: one page, in Indonesian and English, that asks nothing of the network and prints as it looks."""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

import numpy as np

from tracing.chains.analysis import Analysis
from tracing.chains.dispersion import Offspring, expected_ids
from tracing.chains.drawing import chain, drawn_of, histogram, span_of
from tracing.chains.generations import Generations
from tracing.chains.style import STYLE
from tracing.chains.summary import Summary
from tracing.chains.tables import Ints, Tables, day_text
from tracing.exports import safe_cell

CLUSTERS_DRAWN_MAX: Final = 12
ROWS_MAX: Final = 25  # of a table; all rows are in analysis.json
BARS_MAX: Final = 25

Cell = str | int | float | None


def page_of(tables: Tables, summary: Summary, analysis: Analysis, component: Ints, generations: Generations) -> str:
    """Return the page."""
    parts = [
        "<!doctype html>\n<html lang='id'><head><meta charset='utf-8'>",
        "<meta name='viewport' content='width=device-width, initial-scale=1'>",
        f"<title>Rantai penularan – Transmission chains</title><style>{STYLE}</style></head><body>",
        "<h1>Rantai penularan <i lang='en'>Transmission chains</i></h1>",
        _tiles(summary, analysis),
        _offspring(tables, analysis),
        _chains(tables, analysis, component, generations),
        _spreaders(tables),
        _clusters(analysis),
        _generations(analysis),
        _venues(analysis),
        _implausible(analysis, summary),
        _quality(analysis),
        _notes(),
        "</body></html>\n",
    ]
    return "\n".join(part for part in parts if part)


def _tiles(summary: Summary, analysis: Analysis) -> str:
    interval, reproduction = summary.onset_interval_days, analysis.reproduction
    largest = f"terbesar / largest {summary.components.sizes[0]:,}" if summary.components.sizes else ""
    tiles = (
        ("Daftar kasus", "line list", f"{summary.linelist:,}", ""),
        ("Baris kontak", "contact rows", f"{summary.contacts:,}", f"{summary.ids:,} id"),
        (
            "Angka reproduksi R",
            "reproduction number",
            _number(summary.offspring.mean),
            _between(reproduction.interval_95),
        ),
        ("Dispersi k", "dispersion", _number(summary.offspring.k), _between(reproduction.k_interval_95)),
        ("80 % penularan berasal dari", "80 % of links come from", _percent(summary.offspring.share_80), "id"),
        ("Klaster", "components", f"{summary.components.count:,}", largest),
        (
            "Selang awitan, median",
            "onset interval, median",
            _number(interval.median),
            f"hari / days, n = {interval.n:,}",
        ),
        ("Kaitan mustahil", "implausible links", f"{summary.implausible_links:,}", ""),
    )
    cells = [
        f"<div class='tile'><b>{value}</b><span>{name}</span><i lang='en'>{english}</i><small>{more}</small></div>"
        for name, english, value, more in tiles
    ]
    return f"<div class='tiles'>{''.join(cells)}</div>"


def _chains(tables: Tables, analysis: Analysis, component: Ints, generations: Generations) -> str:
    if not analysis.clusters:
        return ""
    span = span_of(tables)
    parts = [_heading("Rantai menurut tanggal awitan", "Chains by date of onset"), _legend()]
    shown = analysis.clusters[:CLUSTERS_DRAWN_MAX]
    for number, cluster in enumerate(shown):
        members = np.flatnonzero(component == number)
        drawn = len(drawn_of(tables, members, generations))
        part = f" – {drawn:,} dari / of {cluster.size:,}" if drawn < cluster.size else ""
        title = f"Klaster / Cluster {number + 1}: {cluster.size:,} id, {cluster.links:,} kaitan / links{part}"
        parts.append(f"<h3>{title}</h3>{chain(tables, members, generations, span, f'chain{number + 1}')}")
    left = len(analysis.clusters) - len(shown)
    if left:
        parts.append(
            _said(f"{left:,} klaster lebih kecil tidak digambar.", f"{left:,} smaller clusters are not drawn.")
        )
    return "\n".join(parts)


def _legend() -> str:
    return (
        "<p class='legend'><svg class='key' viewBox='0 0 14 14'><circle cx='7' cy='7' r='5' fill='#7a1f3d'/></svg> "
        "lebih besar = lebih banyak menularkan, warna = generasi <i lang='en'>larger = more offspring, colour = "
        "generation</i> · <svg class='key' viewBox='0 0 14 14'><circle cx='7' cy='7' r='5' fill='#fff' "
        "stroke='#7a1f3d' stroke-width='1.5'/></svg> tanpa tanggal awitan <i lang='en'>onset not known</i> · "
        "<svg class='key' viewBox='0 0 14 14'><path class='link wrong' d='M1 7H13'/></svg> kaitan mustahil "
        "<i lang='en'>implausible link</i> · <svg class='key' viewBox='0 0 14 14'><path class='link other' "
        "d='M1 7H13'/></svg> kaitan lain <i lang='en'>another link to the same id</i></p>"
    )


def _offspring(tables: Tables, analysis: Analysis) -> str:
    """The last bar is that many or more."""
    offspring = Offspring(tables.out_degree)
    most = len(offspring.histogram) - 1
    bars = min(most, BARS_MAX)
    observed = [int(ids) for ids in offspring.histogram[:bars]] + [int(offspring.histogram[bars:].sum())]
    expected = expected_ids(offspring, analysis.reproduction.k, bars)
    expected[-1] = max(offspring.n - sum(expected[:-1]), 0.0)
    last = str(most) if most <= BARS_MAX else f"{BARS_MAX}+"
    fit = "binomial negatif" if analysis.reproduction.k is not None else "Poisson"
    english = "negative binomial" if analysis.reproduction.k is not None else "Poisson"
    told = _said(
        f"Berapa id menularkan kepada berapa orang (tinggi batang: akar kuadrat); titik: distribusi {fit} yang cocok.",
        f"How many ids have how many offspring (height: square root); dots: the fitted {english} distribution.",
    )
    return _heading("Sebaran penularan", "Distribution of offspring") + told + histogram(observed, expected, last)


def _spreaders(tables: Tables) -> str:
    degree = tables.out_degree
    order = [int(one) for one in np.argsort(-degree, kind="stable")[:ROWS_MAX] if degree[one]]
    rows = [
        (tables.ids[one], int(degree[one]), _percent(int(degree[one]) / tables.links), day_text(tables.onset_day[one]))
        for one in order
    ]
    head = (("id", ""), ("menularkan", "offspring"), ("bagian kaitan", "share of links"), ("awitan", "onset"))
    return _heading("Paling banyak menularkan", "Most offspring") + _table(head, rows)


def _clusters(analysis: Analysis) -> str:
    rows: list[Sequence[Cell]] = [
        (
            cluster.component,
            cluster.size,
            cluster.links,
            cluster.generations or None,
            ", ".join(map(safe_cell, cluster.roots[:3])) + (" …" if len(cluster.roots) > 3 else ""),  # noqa: PLR2004
            cluster.first_onset,
            cluster.last_onset,
        )
        for cluster in analysis.clusters
    ]
    head = (
        ("klaster", "cluster"),
        ("id", ""),
        ("kaitan", "links"),
        ("generasi", "generations"),
        ("asal", "roots"),
        ("awitan pertama", "first onset"),
        ("awitan terakhir", "last onset"),
    )
    return _heading("Klaster", "Clusters") + _table(head, rows)


def _generations(analysis: Analysis) -> str:
    sizes: list[Sequence[Cell]] = list(enumerate(analysis.generations.sizes))
    if analysis.generations.without_root:
        sizes.append(("lingkaran tanpa asal / ring without a root", analysis.generations.without_root))
    return _heading("Generasi", "Generations") + _table((("generasi", "generation"), ("id", "")), sizes)


def _venues(analysis: Analysis) -> str:
    attack = analysis.attack
    if attack is None or attack.secondary_attack_rate is None:
        return ""
    rate = attack.secondary_attack_rate
    figures = f"{rate.positive:,} / {rate.exposed:,} = {_percent(rate.rate)} ({_between(rate.interval_95)})"
    head = (
        ("faskes", "facility"),
        ("terpapar", "exposed"),
        ("positif", "positive"),
        ("diharapkan", "expected"),
        ("laju serangan", "attack rate"),
        ("q", "Benjamini–Hochberg"),
        ("superspreading", ""),
    )
    rows: list[Sequence[Cell]] = [
        (
            venue.facility_id,
            venue.exposed,
            venue.positive,
            _number(venue.expected),
            _percent(venue.rate),
            _number(venue.q),
            "ya / yes" if venue.superspreading else "",
        )
        for venue in attack.venues
    ]
    told = _said(
        f"Laju serangan sekunder: {figures}. Diharapkan: bila setiap orang terpapar sama peluangnya di mana pun.",
        f"Secondary attack rate: {figures}. Expected: if everybody exposed had the same chance anywhere.",
    )
    return _heading("Laju serangan dan tempat penularan", "Attack rate and venues") + told + _table(head, rows)


def _implausible(analysis: Analysis, summary: Summary) -> str:
    if not summary.implausible_links:
        return ""
    rows: list[Sequence[Cell]] = [
        (link.source, link.onset_from, link.target, link.onset_to, link.days, link.rows)
        for link in analysis.implausible_links
    ]
    head = (
        ("dari", "from"),
        ("awitan", "onset"),
        ("kepada", "to"),
        ("awitan", "onset"),
        ("hari", "days"),
        ("baris", "rows"),
    )
    told = _said(
        "Yang tertular sakit lebih dulu daripada yang menularkan: periksa arah kaitan atau tanggalnya.",
        "The infected fell ill before the infector: look again at the direction or the dates.",
    )
    return _heading("Kaitan mustahil", "Implausible links") + told + _table(head, rows)


def _quality(analysis: Analysis) -> str:
    quality = analysis.quality
    rows: list[Sequence[Cell]] = [
        (
            "id di kontak yang tidak ada di daftar / ids of the contacts not in the line list",
            quality.ids_not_in_linelist,
        ),
        ("id di daftar tanpa kontak / ids of the line list without contacts", quality.linelist_without_contacts),
        ("id di daftar tanpa tanggal awitan / ids of the line list without onset", quality.linelist_without_onset),
        ("kaitan yang salah satu awitannya tidak diketahui / links with an unknown onset", quality.links_without_onset),
        ("kaitan ke diri sendiri / self links", quality.self_links),
        ("baris yang berulang / repeated rows", quality.repeated_rows),
    ]
    return _heading("Mutu data", "Data quality") + _table((("", ""), ("jumlah", "number")), rows)


def _notes() -> str:
    return _said(
        "Setiap baris tabel kontak dihitung satu penularan. R dan k terlalu rendah bila kasus terbaru belum sempat "
        "menularkan atau kontaknya belum dilacak. Di bawah R dan k: selang 95 %. Semua angka ada di summary.json dan "
        "analysis.json, seluruh graf di graph.graphml dan graph.gexf.",
        "Every row of the contacts counts as one infection. R and k are too low where the latest cases have not had "
        "time to infect or are not traced yet. Below R and k: 95 % intervals. All figures are in summary.json and "
        "analysis.json, the whole graph in graph.graphml and graph.gexf.",
    )


def _heading(indonesian: str, english: str) -> str:
    return f"<h2>{indonesian} <i lang='en'>{english}</i></h2>"


def _said(indonesian: str, english: str) -> str:
    return f"<p>{escape(indonesian)} <i lang='en'>{escape(english)}</i></p>"


def _table(head: Sequence[tuple[str, str]], rows: Iterable[Sequence[Cell]], caption: str = "") -> str:
    rows = list(rows)
    shown = rows[:ROWS_MAX]
    if len(rows) > ROWS_MAX:
        caption = f"{ROWS_MAX} dari / of {len(rows):,}: analysis.json"
    titles = "".join(f"<th>{name}<i lang='en'>{english}</i></th>" for name, english in head)
    lines = ["<tr>" + "".join(map(_cell, row)) + "</tr>" for row in shown]
    told = f"<caption>{caption}</caption>" if caption else ""
    return f"<table>{told}<thead><tr>{titles}</tr></thead><tbody>{''.join(lines)}</tbody></table>"


def _cell(value: Cell) -> str:
    """Text is made safe for a spreadsheet too: people copy tables."""
    if isinstance(value, str):
        return f"<td>{escape(safe_cell(value))}</td>"
    return f"<td class='n'>{'–' if value is None else f'{value:,}'}</td>"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:,.3g}" if abs(value) < 1000 else f"{value:,.0f}"  # noqa: PLR2004


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.3g} %"


def _between(interval: tuple[float, float | None] | None) -> str:
    if interval is None:
        return ""
    low, high = interval
    return f"{_number(low)} – {'∞' if high is None else _number(high)}"
