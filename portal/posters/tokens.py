"""What a poster's QR code says: `v1.kid.facility.gate.version.signature`, Ed25519 over all before the last dot.

There is one way to write each token: a token that differs in any character is another, or none. The gate's code says
its kind (e1 entrance, x2 exit, z3 zone), so that a telephone without signal knows which door it stands at. A facility's
id stands as it is; one with other characters than letters, digits, - and _ as ~ and base64url.
"""

import base64
import binascii
import re
from typing import Final

import msgspec
from cryptography.exceptions import InvalidSignature

from portal.posters.keys import PosterKeys
from schemas.errors import Conflict
from schemas.events import Gate as Kind

LENGTH_MAX: Final = 400
LETTERS: Final = {Kind.ENTRANCE: "e", Kind.EXIT: "x", Kind.ZONE: "z"}
KINDS: Final = {letter: kind for kind, letter in LETTERS.items()}

_token = re.compile(
    r"(v1\.(k[1-9][0-9]{0,5})\.([A-Za-z0-9_-]{1,128}|~[A-Za-z0-9_-]{2,200})\.([exz])([1-9][0-9]{0,5})\.([1-9][0-9]{0,5}))"
    r"\.([A-Za-z0-9_-]{86})",
    re.ASCII,
)
_plain = re.compile(r"[A-Za-z0-9_-]{1,128}", re.ASCII)


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """The poster that a token names."""

    kid: str
    facility_id: str
    kind: Kind
    gate_no: int
    version: int


def signed(keys: PosterKeys, named: Named) -> str:
    """Return the token of a poster, signed by the key it names.

    Raises:
        Conflict: that key was taken away.
    """
    key = keys.signer(named.kid)
    if key is None:
        raise Conflict("the key of this poster was taken away: issue it again")
    gate = gate_code(named.kind, named.gate_no)
    text = f"v1.{named.kid}.{_written(named.facility_id)}.{gate}.{named.version}"
    return f"{text}.{_base64(key.sign(text.encode()))}"


def read(keys: PosterKeys, token: str) -> Named | None:
    """Return what a token names, if one of our keys signed it; nothing is said of why not."""
    match = _token.fullmatch(token) if len(token) <= LENGTH_MAX else None
    if match is None:
        return None
    text, kid, facility, letter, gate_no, version, signature = match.groups()
    key, facility_id = keys.verifier(kid), _read_facility(facility)
    if key is None or facility_id is None:
        return None
    raw = base64.urlsafe_b64decode(signature + "==")
    if _base64(raw) != signature:  # the last character has four bits to spare: other spellings are refused
        return None
    try:
        key.verify(raw, text.encode())
    except InvalidSignature:
        return None
    return Named(kid=kid, facility_id=facility_id, kind=KINDS[letter], gate_no=int(gate_no), version=int(version))


def gate_code(kind: Kind, gate_no: int) -> str:
    """Return a gate as tokens and posters name it: e1, x2, z3."""
    return f"{LETTERS[kind]}{gate_no}"


def _written(facility_id: str) -> str:
    return facility_id if _plain.fullmatch(facility_id) else f"~{_base64(facility_id.encode())}"


def _read_facility(written: str) -> str | None:
    if not written.startswith("~"):
        return written
    try:
        facility_id = base64.urlsafe_b64decode(written[1:] + "=" * (-len(written[1:]) % 4)).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    return facility_id if _written(facility_id) == written else None


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
