"""A facility's rule for yellow, by its manager, and the staff whom the gate left to the infection control team."""

from datetime import UTC, date, datetime

import httpx
import pytest
from playwright.sync_api import Browser, expect

from ops.store import OPERATOR, transaction
from portal.identity import normalise, open_vault
from portal.registry import store
from portal.registry.holder import Holder
from portal.registry.records import Record
from portal.registry.registry import NAMED
from portal.registry.taking import take
from tests.portal.browser import PHONE, Watched, set_password
from tests.portal.conftest import Gate
from tests.portal.test_accounts import GOOD, activated, invited

NIK = "3671021508907001"


@pytest.fixture(scope="module")
def advised(gate: Gate) -> str:
    """Return the person id of a nurse whom the gate left to the team."""
    now = datetime.now(UTC)
    record = Record(
        subject=normalise("nik", NIK, "", demo=False),
        holder=Holder(name="Wulan Permata", birth_date=date(1990, 8, 15)),
        record="1", dose=1, vaccine="x", given_on=date(2022, 1, 1), place="", lot="", withdrawn=False, as_of=now,
    )  # fmt: skip
    with transaction(gate.settings, "jejak_gate") as conn:
        vault = open_vault(conn, gate.settings)
        take(conn, vault, [record], "test", "csv")
        person = vault.known_id(conn, record.subject)
        assert person is not None
        for _ in range(2):
            store.advise_team(conn, "RS-A", person, now)
    return person


def test_a_manager_sets_the_rule_and_sees_whom_the_team_has_to_find(gate: Gate, browser: Browser, advised: str) -> None:
    _, link = invited(gate, "manager")
    watched = Watched(browser, gate.url, PHONE)
    page = watched.page
    page.goto(link)
    set_password(page, GOOD)
    page.get_by_role("link", name="Aturan pintu").click()
    expect(page.get_by_label("Status kuning")).to_have_value("check")
    expect(page.get_by_role("cell", name="Wulan Permata")).to_have_count(1)
    watched.check()
    page.get_by_label("Status kuning").select_option("admit")
    page.get_by_role("button", name="Simpan").click()
    expect(page.get_by_text("Aturan sudah disimpan.")).to_be_visible()
    expect(page.get_by_label("Status kuning")).to_have_value("admit")
    watched.check()
    watched.picture("aturan-pintu")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    watched.close()
    with transaction(gate.settings, OPERATOR) as conn, conn.cursor() as cur:
        cur.execute("select count(*) from audit where object = %s and action = %s", (advised, NAMED))
        assert cur.fetchone() == (2,)


def test_only_a_facilitys_manager_sees_and_changes_its_rule(gate: Gate) -> None:
    _, officer = activated(gate, "officer")
    assert officer.open("/faskes/RS-A/aturan").status_code == 403
    _, manager = activated(gate, "manager", facilities=["PKM-B"])
    assert manager.open("/faskes/RS-A/aturan").status_code == 404
    assert manager.open("/faskes/PKM-B/aturan").status_code == 200
    assert manager.send("/faskes/RS-A/aturan", yellow="admit").status_code == 404
    manager.open("/faskes/PKM-B/aturan")
    refused = manager.send("/faskes/PKM-B/aturan", yellow="green")
    assert refused.status_code == 422
    assert "Pilih salah satu." in refused.text
    assert httpx.get(f"{gate.url}/faskes/PKM-B/aturan").status_code in {303, 401}
