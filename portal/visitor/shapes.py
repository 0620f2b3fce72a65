"""What a visitor's phone sends and gets below `/visitor/`: the shapes, and exactly which bytes it signs.

A phone makes an ECDSA key on P-256 and keeps the private half. Every signature here is of SHA-256, written as WebCrypto
writes it (r and s, 32 bytes each) in base64 with `=` at the end. Texts are signed as UTF-8, and each as it stands in
the JSON: an instant is not written anew. A phone that holds several persons (a family) makes a key for each; each is a
device of its own.

**A scan** signs `v1|device_id|seq|at|token|prev`, a check-out by button `v1|device_id|seq|at|token|prev|left`.
`seq` counts from 1 without a gap, over scans and check-outs alike. `prev` is the SHA-256, in 64 hex digits, of what the
scan before it signed; of the first scan 64 zeros. A phone sends in order, one request at a time, and after 503 or no
answer the same scans again. What breaks the chain is taken all the same, but counts only once the facility has cleared
it; the phone is not told, for that would tell it more than it knows.

**A check-out by button** (`left`: true) carries the token by which the person came in or last moved, and stands for an
exit of that facility at `at`. A poster that was replaced while he was inside is good for that.

**Every other request of a known device** carries `signed`: `v1|device_id|path|sent_at|digest` is signed, where `path`
is the request's (`/visitor/me`), `sent_at` the phone's clock, and `digest` the SHA-256 in hex digits of the code for
`/visitor/otp/confirm`, else of nothing. It is good for 5 minutes either way. Sent again, it does nothing that it
has not done.
"""

from datetime import datetime
from typing import Annotated, Final, Literal, TypeVar

import msgspec
from msgspec import Meta

from portal.bodies import Body
from portal.problems import Problem
from schemas.codec import Codec
from schemas.events import FacilityId, Gate, Uuid7

SCANS_MAX: Final = 100  # of one request

DeviceId = Annotated[str, Meta(pattern="^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
Token = Annotated[str, Meta(min_length=1, max_length=400)]  # what the poster's QR code says, behind `/q/`
Signature = Annotated[str, Meta(pattern="^[A-Za-z0-9+/]{86}==$")]
Sha256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
At = Annotated[  # as `new Date().toISOString()` writes it, or with an offset
    str,
    Meta(pattern=r"^20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})$"),
]
Name = Annotated[str, Meta(min_length=1, max_length=128)]
Phone = Annotated[str, Meta(pattern=r"^\+?[0-9][0-9 ()-]{6,22}[0-9]$")]


# What a phone sends


class GateBody(Body, frozen=True, kw_only=True):
    """`POST /visitor/gate`: what does this poster stand for? Anybody may ask."""

    token: Token
    at: At  # when it was scanned


class Document(Body, frozen=True, kw_only=True):
    """What says who somebody is."""

    type: Literal["nik", "passport", "kitas"]
    number: Annotated[str, Meta(min_length=1, max_length=32)]


class Guardian(Body, frozen=True, kw_only=True):
    """Who answers for a child."""

    name: Name
    phone: Phone


class ClaimBody(Body, frozen=True, kw_only=True):
    """`POST /visitor/claim`: who the phone's owner says he is. It proves nothing, and changes nothing that is known."""

    document: Document
    name: Name
    birth_date: Annotated[str, Meta(pattern="^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]
    sub_district: Annotated[str, Meta(pattern=r"^[0-9]{2}\.[0-9]{2}\.[0-9]{2}$")]  # of the domicile, a code of today
    village: Annotated[str, Meta(min_length=1, max_length=64)]  # desa or kelurahan, by its name
    phone: Phone
    guardian: Guardian | None = None  # needed under 18 years of age, by the calendar of the domicile
    public_key: Annotated[str, Meta(min_length=100, max_length=200)]  # SubjectPublicKeyInfo (DER) in base64


class Signed(Body, frozen=True, kw_only=True):
    """What proves that a request is the device's own."""

    sent_at: At
    signature: Signature


class DeviceBody(Body, frozen=True, kw_only=True):
    """`POST /visitor/otp`, `/visitor/officer-code`, `/visitor/me` and `/visitor/erase`: nothing but who asks."""

    device_id: DeviceId
    signed: Signed


class ConfirmBody(Body, frozen=True, kw_only=True):
    """`POST /visitor/otp/confirm`: the code that came by SMS."""

    device_id: DeviceId
    code: Annotated[str, Meta(pattern="^[0-9]{6}$")]
    signed: Signed


class PhoneScan(Body, frozen=True, kw_only=True):
    """A poster that was scanned, or a check-out by button."""

    scan_id: Uuid7
    seq: Annotated[int, Meta(ge=1, le=2**53)]
    at: At
    token: Token
    prev: Sha256
    signature: Signature
    left: bool = False


class ScansBody(Body, frozen=True, kw_only=True):
    """`POST /visitor/scans`: what was scanned, oldest first; at most 100. Each `scans` item is a `PhoneScan`."""

    device_id: DeviceId
    sent_at: At  # the phone's clock now
    scans: Annotated[list[msgspec.Raw], Meta(min_length=1, max_length=SCANS_MAX)]


# What a phone gets


class GateAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The place behind a poster, and how crowded it was at the last quarter of an hour."""

    facility: str  # its name
    facility_id: FacilityId
    time_zone: str
    gate_kind: Gate
    gate_name: str
    zone: str  # empty: none
    zone_name: str
    crowd: str  # a band: <5, 5-19, 20-49, 50-99, 100+
    fullness: Literal["quiet", "busy", "full"] | None  # against the capacity; null: not known
    assumed_stay_minutes: int  # after so long, remind of checking out


class GateRefusal(Problem, frozen=True, kw_only=True):
    """422: the token counts for nothing at that instant (`field` is `token`).

    `unreadable`: none of our posters. `unknown`: no such poster. `not_yet`: a real one, made later than `at`.
    `revoked`: a real one that was replaced; a scan of it is taken, but counts only once the facility has cleared it.
    """

    why: Literal["unreadable", "unknown", "not_yet", "revoked"]


class ClaimAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The same whether the person is known or not."""

    device_id: str
    proven: Literal[False] = False


class OtpAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """202, whether or not there is a number to send a code to."""

    valid_minutes: int
    sent_if_known: Literal[True] = True


class ConfirmAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The code was right; a device that was bound to the same person before is not any more. Else 422, `code`."""

    proven: Literal[True] = True


class OfficerCodeAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What the phone shows to an officer who has seen the KTP and types it in; he needs the document's number too."""

    code: str  # eight letters and digits without 0, 1, I and O
    valid_until: datetime


class MeAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Of a device that is not bound `{"proven": false}`, and nothing else."""

    proven: bool
    colour: Literal["green", "yellow", "red", "black"] | None = None
    until: datetime | None = None


class PhoneScanAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one scan. `invalid`: it never will be taken; do not send it again."""

    scan_id: str | None  # null: none of the right form was sent
    status: Literal["accepted", "invalid"]
    field: str = ""
    reason: str = ""


class ScansAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One result per scan, in order."""

    results: list[PhoneScanAnswer]


class EraseAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The device and what was claimed are gone. Of a bound device the person too, at the latest on `due_at`."""

    erased: Literal[True] = True
    due_at: datetime | None = None


BODIES: Final[tuple[type[Body], ...]] = (
    GateBody,
    ClaimBody,
    DeviceBody,
    ConfirmBody,
    ScansBody,
    PhoneScan,
)
_READERS: Final = {kind: Codec(kind) for kind in BODIES}

B = TypeVar("B", bound=Body)


def read(kind: type[B], data: bytes) -> B:
    """Return a body.

    Raises:
        InvalidEvent: names the field, never its value.
    """
    body = _READERS[kind].decode(data)
    assert isinstance(body, kind)
    return body
