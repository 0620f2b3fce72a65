"""Names as cards, registers and people write them: what is one name, and what is another."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.names import TITLES, are_alike, spelled


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Siti Aminah", "SITI  aminah."),
        ("Siti Aminah", "Aminah, Siti"),
        ("André Wijaya", "andre WIJAYA"),
        ("Nur'aini", "Nur\u2019aini"),
        ("Nur\u00b4aini", "NURAINI"),
        ("H. Ahmad Dahlan, S.Pd., M.Kes.", "Ahmad Dahlan"),
        ("dr. Budi Santoso, Sp.PD", "Tn. Santoso Budi"),
        ("Budi Santoso, SH", "Budi Santoso SH"),
        ("Aminah, Siti M.", "Siti M. Aminah"),
        ("Sri-Rahayu", "Sri Rahayu"),
    ],
)
def test_the_same_name_is_known_however_it_is_written(one: str, other: str) -> None:
    assert are_alike(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Siti Aminah", "Siti"),
        ("Siti Aminah", "Siti Aminah Putri"),
        ("Siti Aminah", "Siti Aminahh"),
        ("Siti Siti", "Siti"),
        ("Siti Aminah", ""),
        ("H.", "dr."),
    ],
)
def test_another_name_is_another(one: str, other: str) -> None:
    assert not are_alike(one, other)


@given(st.text(max_size=30))
def test_a_spelled_name_stays_as_it_is(name: str) -> None:
    assert spelled(spelled(name)) == spelled(name)
    assert spelled(f"  {name}. ") == spelled(name)


@given(st.permutations(["Siti", "Aminah", "Putri"]), st.sampled_from(sorted(TITLES)))
def test_order_and_titles_say_nothing(words: list[str], title: str) -> None:
    assert spelled(f"{title.title()}. {' '.join(words)}") == "aminah putri siti"
