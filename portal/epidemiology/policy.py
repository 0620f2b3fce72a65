"""What a report may do in a browser: nothing but look as it looks. Pure.

The report holds its own style, which the pages' policy forbids. So it gets a policy of its own, in a sandbox: no
script, no request, no form, and of styles only those that are in it, by their hashes.
"""

import hashlib
import re
from base64 import b64encode

_sheet = re.compile(r"<style>(.*?)</style>", re.DOTALL)
_attribute = re.compile(r'\sstyle="([^"]*)"')


def policy_of(page: str) -> str:
    """Return the content policy under which a report shows whole, and nothing else works."""
    styles = [*_sheet.findall(page), *sorted(set(_attribute.findall(page)))]
    hashes = " ".join(f"'sha256-{_hash(style)}'" for style in styles)
    return (
        f"sandbox; default-src 'none'; style-src 'unsafe-hashes' {hashes}; img-src data:; form-action 'none';"
        " base-uri 'none'; frame-ancestors 'none'"
    )


def _hash(style: str) -> str:
    return b64encode(hashlib.sha256(style.encode()).digest()).decode()
