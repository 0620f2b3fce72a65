"""What a device signs, and whether it did: ECDSA on P-256 over SHA-256, as WebCrypto does it. Pure.

The texts are fixed in `portal/visitor/shapes.py`.
"""

import base64
import binascii
import hashlib
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from portal.visitor.shapes import PhoneScan
from schemas.errors import BadInput

HALF: Final = 32  # bytes of r, and of s


def read_key(text: str) -> bytes:
    """Return a device's public key in its one spelling.

    Raises:
        BadInput: it is no key on P-256 (field `public_key`).
    """
    try:
        key = load_der_public_key(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256R1):
        raise BadInput("is no public key on P-256 (SubjectPublicKeyInfo in base64)", field="public_key")
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def scan_text(device_id: str, scan: PhoneScan) -> bytes:
    """Return what the signature of a scan is over."""
    text = f"v1|{device_id}|{scan.seq}|{scan.at}|{scan.token}|{scan.prev}"
    return (f"{text}|left" if scan.left else text).encode()


def request_text(device_id: str, path: str, sent_at: str, content: str = "") -> bytes:
    """Return what the signature of another request is over."""
    digest = hashlib.sha256(content.encode()).hexdigest()
    return f"v1|{device_id}|{path}|{sent_at}|{digest}".encode()


def is_signed(public_key: bytes, signature: str, text: bytes) -> bool:
    """Say whether the holder of a device's key signed this text."""
    key = load_der_public_key(public_key)
    assert isinstance(key, EllipticCurvePublicKey)
    try:
        raw = base64.b64decode(signature, validate=True)
        halves = int.from_bytes(raw[:HALF], "big"), int.from_bytes(raw[HALF:], "big")
        key.verify(encode_dss_signature(*halves), text, ECDSA(SHA256()))
    except (binascii.Error, InvalidSignature, ValueError):
        return False
    return len(raw) == 2 * HALF
