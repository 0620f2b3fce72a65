"""What `jejak chains` finds besides the summary, and the page that shows it."""

import json
from collections.abc import Sequence
from html.parser import HTMLParser
from math import comb
from pathlib import Path

import pytest

from tests.tracing.test_chains import table
from tests.tracing.test_chains_files import GOOD_LIST, analysed, chained, graphs_of
from tracing.chains.drawing import NODES_MAX, PANEL_ROWS
from tracing.chains.report import BARS_MAX, CLUSTERS_DRAWN_MAX, ROWS_MAX

CHAIN_LIST = table(
    "id,date_onset", [("A", "2021-07-01"), ("B", "2021-07-04"), ("C", "2021-07-02"), ("D", ""), ("S", "2021-08-01")]
)
CHAIN_LINKS = table(
    "from,to", [("A", "B"), ("B", "C"), ("B", "C"), ("A", "D"), ("D", "E"), ("R", "Q"), ("Q", "R"), ("S", "S")]
)


def test_the_analysis_says_what_the_summary_does_not(tmp_path: Path) -> None:
    analysis = analysed(tmp_path, CHAIN_LIST, CHAIN_LINKS)
    assert analysis["generations"] == {"sizes": [2, 2, 2], "without_root": 2}
    assert analysis["clusters"] == [
        {
            "component": 1,
            "size": 5,
            "links": 5,
            "generations": 3,
            "roots": ["A"],
            "with_onset": 3,
            "first_onset": "2021-07-01",
            "last_onset": "2021-07-04",
        },
        {
            "component": 2,
            "size": 2,
            "links": 2,
            "generations": 0,
            "roots": [],
            "with_onset": 0,
            "first_onset": None,
            "last_onset": None,
        },
    ]
    assert analysis["implausible_links"] == [
        {"from": "B", "to": "C", "onset_from": "2021-07-04", "onset_to": "2021-07-02", "days": -2, "rows": 2}
    ]
    assert analysis["offspring_distribution"] == {"0": 2, "1": 4, "2": 2}
    assert analysis["onset_interval_distribution"] == {"-2": 2, "0": 1, "3": 1}
    assert analysis["attack"] is None
    assert analysis["quality"] == {
        "ids_not_in_linelist": 3,
        "linelist_without_contacts": 0,
        "linelist_without_onset": 1,
        "links_without_onset": 4,
        "self_links": 1,
        "repeated_rows": 1,
    }


def venue_tables(sick: int) -> tuple[str, str]:
    """Return a ward where `sick` of 20 exposed fell ill, four others where 1 of 20 did, and rows that do not count."""
    linelist, links = [("index", "2021-07-01", "konfirmasi"), ("healthy", "", "suspek")], []
    for place in ("ward", "w", "x", "y", "z"):
        for number in range(20):
            person = f"{place}{number}"
            ill = number < (sick if place == "ward" else 1)
            linelist.append((person, "2021-07-06" if ill else "", "Konfirmasi" if ill else "kandidat"))
            links.append(("index", person, place))
    linelist.append(("earlier", "2021-06-01", "konfirmasi"))
    links += [links[0], ("index", "earlier", "ward"), ("index", "index", "ward"), ("healthy", "ward19", "x")]
    links += [("index", "nowhere", "")]
    return table("id,date_onset,classification", linelist), table("from,to,facility_id", links)


def test_a_ward_where_half_fell_ill_is_a_superspreading_venue(tmp_path: Path) -> None:
    attack = analysed(tmp_path, *venue_tables(sick=10))["attack"]
    assert (attack["secondary_attack_rate"]["exposed"], attack["secondary_attack_rate"]["positive"]) == (100, 14)
    ward, *others = attack["venues"]
    assert (ward["facility_id"], ward["exposed"], ward["positive"], ward["superspreading"]) == ("ward", 20, 10, True)
    assert ward["expected"] == pytest.approx(20 * 14 / 100)
    ways = sum(comb(20, ill) * comb(80, 14 - ill) for ill in range(10, 15))  # of 14 ill in 100, 10 or more in the ward
    assert ward["p"] == pytest.approx(ways / comb(100, 14))
    assert ward["q"] == pytest.approx(5 * ward["p"])
    assert ward["interval_95"] == pytest.approx([0.27196, 0.72804], abs=1e-4)  # Clopper and Pearson, 10 of 20
    assert [venue["facility_id"] for venue in others] == ["w", "x", "y", "z"]
    assert not any(venue["superspreading"] for venue in others)


def test_chance_alone_makes_no_superspreading_venue(tmp_path: Path) -> None:
    attack = analysed(tmp_path, *venue_tables(sick=2))["attack"]
    assert not any(venue["superspreading"] for venue in attack["venues"])
    assert all(venue["q"] <= 1 for venue in attack["venues"])


def test_facilities_without_an_exposed_person_give_no_rate(tmp_path: Path) -> None:
    analysis = analysed(tmp_path, GOOD_LIST, "from,to,facility_id\nP1,P1,RS\nX,P2,RS\nP1,P2,\n")
    assert analysis["attack"] == {"secondary_attack_rate": None, "venues": []}


class Page(HTMLParser):
    """What a page is made of; an element left open is an error."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.setdefault(self.open[-1] if self.open else "", []).append(data)

    def count(self, tag: str, name: str = "") -> int:
        return sum(one == tag and (values.get("class") or "").startswith(name) for one, values in self.elements)


def page_of_files(folder: Path, linelist: str, links: str) -> Page:
    return Page((chained(folder, linelist, links) / "report.html").read_text())


def test_the_report_asks_nothing_of_the_network(tmp_path: Path) -> None:
    page = page_of_files(tmp_path, *venue_tables(sick=10))
    assert {tag for tag, _ in page.elements} & {
        "script",
        "link",
        "img",
        "iframe",
        "object",
        "base",
        "form",
        "a",
    } == set()
    references = [
        values[name] for _, values in page.elements for name in ("href", "src", "xlink:href") if name in values
    ]
    assert [one for one in references if not (one or "").startswith("#")] == []
    style = "".join(page.texts["style"])
    assert "@import" not in style
    assert "url(" not in style
    assert "@page" in style


def test_the_report_speaks_indonesian_and_english(tmp_path: Path) -> None:
    page = page_of_files(tmp_path, CHAIN_LIST, CHAIN_LINKS)
    assert ("html", {"lang": "id"}) in page.elements
    headings = page.count("h2")
    assert headings >= 6
    english = [values for tag, values in page.elements if tag == "i"]
    assert all(values == {"lang": "en"} for values in english)
    assert len(english) > headings


def test_a_chain_is_drawn_with_a_row_for_each_id_and_a_line_for_each_link(tmp_path: Path) -> None:
    page = page_of_files(tmp_path, CHAIN_LIST, CHAIN_LINKS)
    titles = sorted(page.texts["title"][1:])
    assert titles == [
        "A: 2021-07-01, 2 →",
        "B: 2021-07-04, 2 →",
        "C: 2021-07-02, 0 →",
        "D: ?, 1 →",
        "E: ?, 0 →",
        "Q: ?, 1 →",
        "R: ?, 1 →",
    ]
    in_key = 2
    assert page.count("path", "link") - in_key == 6
    assert page.count("path", "link wrong") == 2  # one of them in the key
    x = {
        float(values["cx"] or "")
        for tag, values in page.elements
        if tag == "circle" and "cx" in values and values.get("class") is None and values["cx"] != "7"
    }
    assert len(x) == 4  # three days, and those without one


def test_later_onsets_stand_further_right_and_links_stay_inside(tmp_path: Path) -> None:
    days = [("a", "2021-07-01"), ("b", "2021-07-11"), ("c", "2021-07-31")]
    page = page_of_files(tmp_path, table("id,date_onset", days), "from,to\na,b\nb,c\n")
    circles = [values for tag, values in page.elements if tag == "circle" and values.get("stroke-width") == "1.5"]
    x = [float(values["cx"] or "") for values in circles if values.get("r") != "5"]
    assert x == sorted(x)
    assert (x[2] - x[1]) / (x[1] - x[0]) == pytest.approx(2, rel=1e-3)


def test_a_great_outbreak_is_drawn_in_part_and_said_so(tmp_path: Path) -> None:
    star = [("hub", f"s{number:04}") for number in range(3 * NODES_MAX)]
    pairs = [(f"a{number:02}", f"b{number:02}") for number in range(CLUSTERS_DRAWN_MAX + 2)]
    out = chained(tmp_path, "id,date_onset\nhub,2021-07-01\n", table("from,to", star + pairs))
    text = (out / "report.html").read_text()
    page = Page(text)
    assert page.count("div", "panel") == -(-NODES_MAX // PANEL_ROWS) + CLUSTERS_DRAWN_MAX - 1
    assert f"{NODES_MAX} dari / of {3 * NODES_MAX + 1}" in text
    assert "3 smaller clusters are not drawn." in text
    assert page.count("rect", "bar") == BARS_MAX + 1
    assert f">{BARS_MAX}+<" in text
    assert page.count("tr") < 5 * ROWS_MAX
    assert len(text) < 200_000


@pytest.mark.parametrize(("linelist", "links"), [("id,date_onset\n", "from,to\n"), (GOOD_LIST, "from,to\n")])
def test_tables_without_rows_make_a_report_too(tmp_path: Path, linelist: str, links: str) -> None:
    page = page_of_files(tmp_path, linelist, links)
    assert page.count("div", "tile") == 9
    assert page.count("path") == 0
    assert [graph.number_of_edges() for graph in graphs_of(tmp_path / "out")] == [0, 0]


def test_an_id_is_neither_markup_nor_a_formula(tmp_path: Path) -> None:
    ids = ["<script>alert(1)</script>", "=HYPERLINK(1)", "a&b", "@x"]
    links: Sequence[tuple[str, str]] = [(ids[0], ids[1]), (ids[1], ids[2]), (ids[3], ids[0]), (ids[3], ids[1])]
    linelist = table("id,date_onset", [(ids[1], "2021-07-09"), (ids[2], "2021-07-01")])
    out = chained(tmp_path, linelist, table("from,to", links))
    page = Page((out / "report.html").read_text())
    assert page.count("script") == 0
    cells = page.texts["td"]
    assert {"'=HYPERLINK(1)", "'@x", "a&b", "<script>alert(1)</script>"} <= set(cells)
    assert [cell for cell in cells if cell.startswith(("=", "@", "+"))] == []
    assert json.loads((out / "summary.json").read_text())["in_degree"]["max_id"] == "=HYPERLINK(1)"
