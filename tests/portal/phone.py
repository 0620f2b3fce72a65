"""A visitor's phone as far as HTTP goes: an address and a key of its own, a claim, and a chain of signed scans."""

import base64
import hashlib
from datetime import UTC, datetime
from itertools import count
from typing import Any

import httpx
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from portal.identifiers import new_uuid7

ZEROS = "0" * 64
_numbers = count(2)


def claim_of(nik: str, **changed: Any) -> dict[str, Any]:
    """Return a good claim without the key, changed."""
    return {
        "document": {"type": "nik", "number": nik},
        "name": "Siti Aminah",
        "birth_date": "1990-08-15",
        "sub_district": "36.71.01",
        "village": "Sukasari",
        "phone": "0812-3456-7890",
    } | changed


class Phone:
    """Signs as the page does, by the words of the shapes and not by the product's code."""

    def __init__(self, url: str = "") -> None:
        self.url = url
        self.device_id = ""
        self.seq = 0
        self.prev = ZEROS
        number = next(_numbers)
        self.address = f"127.1.{number // 250}.{number % 250 + 1}"  # of loopback, which has many
        self._key = generate_private_key(SECP256R1())

    @property
    def public_key(self) -> str:
        """The public half, as it is sent."""
        key = self._key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return base64.b64encode(key).decode()

    def sign(self, text: str) -> str:
        """Return r and s of a signature, in base64."""
        halves = decode_dss_signature(self._key.sign(text.encode(), ECDSA(SHA256())))
        return base64.b64encode(b"".join(half.to_bytes(32, "big") for half in halves)).decode()

    def post(self, path: str, body: object) -> httpx.Response:
        """Send a body to the gate."""
        with httpx.Client(transport=httpx.HTTPTransport(local_address=self.address), timeout=30) as client:
            return client.post(f"{self.url}/visitor/{path}", json=body)

    def claim(self, nik: str, **changed: Any) -> httpx.Response:
        """Claim to be somebody; the device is the one that the answer names."""
        answer = self.post("claim", claim_of(nik, public_key=self.public_key) | changed)
        if answer.status_code == 200:
            self.device_id = answer.json()["device_id"]
        return answer

    def signed(self, path: str, content: str = "", at: datetime | None = None) -> dict[str, Any]:
        """Return the body of a request that the device signs."""
        sent_at = (at or datetime.now(UTC)).isoformat(timespec="milliseconds")
        digest = hashlib.sha256(content.encode()).hexdigest()
        signature = self.sign(f"v1|{self.device_id}|/visitor/{path}|{sent_at}|{digest}")
        return {"device_id": self.device_id, "signed": {"sent_at": sent_at, "signature": signature}}

    def ask(self, path: str, content: str = "", **more: Any) -> httpx.Response:
        """Send a request that the device signs."""
        return self.post(path, self.signed(path, content) | more)

    def scan(self, token: str, at: datetime | None = None, *, left: bool = False, **changed: Any) -> dict[str, Any]:
        """Return the next scan of the chain, signed; `changed` before it is signed."""
        now = datetime.now(UTC)
        record: dict[str, Any] = {
            "scan_id": new_uuid7(now),
            "seq": self.seq + 1,
            "at": (at or now).isoformat(timespec="milliseconds"),
            "token": token,
            "prev": self.prev,
        } | changed
        text = "v1|" + "|".join(
            str(part) for part in (self.device_id, record["seq"], record["at"], record["token"], record["prev"])
        )
        text += "|left" if left else ""
        self.seq, self.prev = record["seq"], hashlib.sha256(text.encode()).hexdigest()
        return record | {"signature": self.sign(text)} | ({"left": True} if left else {})

    def send(self, *scans: dict[str, Any], sent_at: datetime | None = None) -> httpx.Response:
        """Send scans."""
        at = (sent_at or datetime.now(UTC)).isoformat(timespec="milliseconds")
        return self.post("scans", {"device_id": self.device_id, "sent_at": at, "scans": list(scans)})
