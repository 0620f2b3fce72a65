"""A person with a browser, as far as HTTP goes: keeps secure cookies on loopback too, and sends the forms of pages."""

import html
import re
from typing import Any

import httpx

FORM_TOKEN = re.compile(r'name="_csrf_token" value="([^"]+)"')
ADDRESS = re.compile(r"https?://\S+")


class Person:
    """Opens pages and sends forms; from another address than others where one is given."""

    def __init__(self, url: str, address: str = "") -> None:
        self.url = url
        self.address = address
        self.cookies: dict[str, str] = {}
        self.page = httpx.Response(200)
        self.path = "/"

    def open(self, path: str) -> httpx.Response:
        """Open a page, following where it leads."""
        return self._ask("GET", path)

    def send(self, path: str, **fields: Any) -> httpx.Response:
        """Send a form of the page that is open; returns the page it leads to."""
        token = FORM_TOKEN.search(self.page.text)
        if token is not None:
            fields.setdefault("_csrf_token", html.unescape(token[1]))
        return self._ask("POST", path, data=fields)

    def _ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        with httpx.Client(base_url=self.url, timeout=30) as client:
            for _ in range(6):
                cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
                headers = {"accept": "text/html", **({"cookie": cookies} if cookies else {})}
                if self.address:
                    headers["x-forwarded-for"] = self.address
                answer = client.request(method, path, headers=headers, **more)
                for name, value in answer.cookies.items():
                    self._keep(name, value)
                for line in answer.headers.get_list("set-cookie"):
                    name, _, rest = line.partition("=")
                    self._keep(name, rest.partition(";")[0].strip('"'))
                self.path, self.page = path, answer
                if not answer.is_redirect:
                    return answer
                method, path, more = "GET", answer.headers["location"], {}
        raise AssertionError("a page leads in circles")

    def _keep(self, name: str, value: str) -> None:
        if value:
            self.cookies[name] = value
        else:
            self.cookies.pop(name, None)
