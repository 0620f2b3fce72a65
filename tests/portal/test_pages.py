"""The pages in a real browser: signing in with two factors on a telephone, in both languages, by keyboard alone."""

import re
from collections.abc import Iterator

import pyotp
import pytest
from playwright.sync_api import Browser, expect

from portal.web.words import LANGUAGES, all_words
from tests.portal.browser import DESK, PHONE, Watched, set_password
from tests.portal.conftest import Gate
from tests.portal.test_accounts import GOOD, invited


@pytest.fixture
def phone(browser: Browser, gate: Gate) -> Iterator[Watched]:
    watched = Watched(browser, gate.url, PHONE)
    yield watched
    watched.close()


def test_an_invited_ministry_officer_sets_password_and_second_factor_and_signs_out(gate: Gate, phone: Watched) -> None:
    email, link = invited(gate, "ministry", area="")
    page = phone.page
    page.goto(link)
    expect(page.get_by_role("heading", name="Buat kata sandi")).to_be_visible()
    phone.check()
    phone.picture("sandi")
    set_password(page, GOOD)
    expect(page.get_by_role("heading", name="Verifikasi dua langkah")).to_be_visible()
    phone.check()
    phone.picture("dua-langkah")
    secret = page.locator("#letters").inner_text().replace(" ", "")
    page.get_by_label("Kode enam angka").fill(pyotp.TOTP(secret).now())
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Verifikasi fasyankes")).to_be_visible()
    phone.check()
    page.get_by_role("link", name="Ani Wijaya").click()
    expect(page.get_by_text(email)).to_be_visible()
    phone.check()
    phone.picture("akun")
    page.get_by_role("button", name="Keluar").click()
    expect(page).to_have_url(re.compile(r"/masuk$"))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("path", ["/", "/masuk", "/lupa-sandi", "/sandi/over", "/nowhere"])
def test_a_page_can_be_used_by_everybody_and_asks_nobody_else(
    gate: Gate, browser: Browser, path: str, language: str
) -> None:
    watched = Watched(browser, gate.url, DESK)
    watched.page.goto("/")
    if language == "en":
        watched.page.get_by_role("button", name="English").click()
    watched.page.goto(path)
    assert watched.page.locator("html").get_attribute("lang") == language
    watched.check()
    watched.close()


def test_every_word_is_there_in_both_languages() -> None:
    for key, texts in all_words().items():
        assert set(texts) == set(LANGUAGES), key
        assert all(text.strip() for text in texts.values()), key
        assert len({tuple(sorted(re.findall(r"\{\w+\}", text))) for text in texts.values()}) == 1, key
