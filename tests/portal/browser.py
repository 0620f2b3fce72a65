"""A real browser: Chromium or Chrome of this machine, else Playwright's own, else Debian's package where we may.

Every page opened in it is watched: a request that leaves the gate, an error in the console or a broken policy fails
the test that made it.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

AXE: Final = Path(__file__).parent / "data" / "axe.min.js"
SCREENSHOTS: Final = Path(__file__).parents[2] / "docs" / "images" / "portal"
PHONE: Final = {"width": 360, "height": 740}
DESK: Final = {"width": 1180, "height": 800}
NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
TOO_WIDE: Final = """document.documentElement.scrollWidth <= innerWidth ? [] : [...document.querySelectorAll('body *')]
.filter(it => it.getBoundingClientRect().right > innerWidth + 1).map(it => it.outerHTML.slice(0, 90))"""
SERIOUS: Final = frozenset({"serious", "critical"})


def find_browser() -> str:
    """Return a browser's path; empty for Playwright's own. Installs Debian's as root where there is none."""
    found = next(filter(None, map(shutil.which, NAMES)), "")
    if found:
        return found
    with sync_playwright() as playwright:
        if Path(playwright.chromium.executable_path).exists():
            return ""
    if os.geteuid() == 0 and shutil.which("apt-get"):
        around = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        for words in ("update", "install -y --no-install-recommends chromium"):
            subprocess.run(["apt-get", *words.split()], check=False, capture_output=True, env=around)
        found = shutil.which("chromium") or ""
    if not found:
        pytest.fail("no browser: install one with `apt-get install chromium` or `playwright install chromium`")
    return found


@contextmanager
def running_browser(*more: str) -> Iterator[Browser]:
    """Run a browser without a window; its camera is a made one, and sees what `more` flags say."""
    path = find_browser()
    with sync_playwright() as playwright:
        flags = ["--no-sandbox"] if os.geteuid() == 0 else []
        flags += ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", *more]
        browser = playwright.chromium.launch(executable_path=path or None, args=flags)
        try:
            yield browser
        finally:
            browser.close()


class Watched:
    """A page, and what must not happen on it."""

    def __init__(self, browser: Browser, url: str, size: dict[str, int], **more: Any) -> None:
        self.context: BrowserContext = browser.new_context(
            viewport={"width": size["width"], "height": size["height"]}, base_url=url, locale="id-ID", **more
        )
        self.page: Page = self.context.new_page()
        self.faults: list[str] = []
        self.page.on("request", lambda request: self._note_request(request.url, url))
        self.page.on("console", lambda message: self._note_console(message.type, message.text))
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))

    def check(self) -> None:
        """Assert that nothing left the gate, nothing went wrong, and a screen reader can use what is shown."""
        assert not self.faults, self.faults
        self.page.evaluate(AXE.read_text(encoding="utf-8") + "; 0")
        found = self.page.evaluate("async () => (await axe.run()).violations")
        serious = [
            f"{one['id']}: {[node['html'][:120] for node in one['nodes']]}" for one in found if one["impact"] in SERIOUS
        ]
        assert not serious, serious

    def picture(self, name: str) -> None:
        """Keep how the page looks, where pictures are asked for (PICTURES=1)."""
        if os.environ.get("PICTURES"):
            SCREENSHOTS.mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)

    def close(self) -> None:
        """Close it."""
        self.context.close()

    def _note_request(self, asked: str, url: str) -> None:
        if not asked.startswith((url, "data:", "blob:")):
            self.faults.append(f"asked outside: {asked}")

    def _note_console(self, kind: str, text: str) -> None:
        if kind == "error" and "the server responded with a status of" not in text:
            self.faults.append(text)


def set_password(page: Page, password: str) -> None:
    """Fill the form behind a link that lets somebody choose his password."""
    page.get_by_label("Kata sandi baru").fill(password)
    page.get_by_label("Ketik sekali lagi").fill(password)
    page.keyboard.press("Enter")
