"""How a device becomes somebody's own: a code sent to the number in the registry, or an officer who saw his document.

Until then it is anybody's who typed a number. A person has one bound device; only these two ways put another in its
place. Every answer, and the work for it, is the same whether there is such a person, such a number or such a code.
"""

import hmac
import re
import secrets
import time
from datetime import UTC, datetime, timedelta
from typing import Final

from portal.accounts import store as accounts
from portal.accounts.mail import ways
from portal.accounts.store import Account
from portal.desk import Desk
from portal.identity import Subject
from portal.limits import Limits
from portal.registry.taking import CLAIMED, put_name
from portal.store import Connection
from portal.visitor import store
from portal.visitor.claims import unseal
from portal.visitor.shapes import ConfirmAnswer, OfficerCodeAnswer, OtpAnswer
from portal.visitor.store import Device
from portal.visitor.visitors import Visitors
from portal.web.secret_box import SecretBox, open_secret_box
from portal.web.words import say
from schemas.errors import BadInput

CODE_LASTS: Final = timedelta(minutes=10)
TRIES_MAX: Final = 5  # of one code
CODES_A_DAY: Final = 5  # to one person, whichever device asks: 25 guesses of a million at most
LETTERS: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"  # 40 bits in eight of them
OFFICER_LENGTH: Final = 8
OFFICER_TRIES_PER_MINUTE: Final = 20
PHONE_ITSELF: Final = "visitor"  # in the audit, where no account did it

_officers = Limits(OFFICER_TRIES_PER_MINUTE)
_separators = re.compile(r"[\s-]+")


async def send_code(visitors: Visitors, device: Device) -> OtpAnswer:
    """Send a code to the number that the registry holds of the claimed person, if it holds one.

    Raises:
        Unavailable: database or registry does not answer.
    """
    phone = await visitors.registry.phone_of(device.person)
    await visitors.desk.read(_keep_code, visitors, device, phone or "")
    return OtpAnswer(valid_minutes=CODE_LASTS // timedelta(minutes=1))


async def confirm(visitors: Visitors, device: Device, code: str) -> ConfirmAnswer:
    """Bind a device by the code that was sent; the one bound before is not any more.

    Raises:
        BadInput: there is no such code, or it is over, or was tried too often; which of them is not said.
        Unavailable: the database does not answer.
    """
    if not await visitors.desk.read(_try_code, visitors.box, device, code):
        raise BadInput("is not the code, or is not good any more", field="code")
    return ConfirmAnswer()


async def officer_code(visitors: Visitors, device: Device) -> OfficerCodeAnswer:
    """Return what the phone shows to an officer; the one before is good no more.

    Raises:
        Unavailable: the database does not answer.
    """
    code = "".join(secrets.choice(LETTERS) for _ in range(OFFICER_LENGTH))
    until = datetime.now(UTC) + CODE_LASTS
    await visitors.desk.read(store.put_officer_code, device.device_id, _officer_tag(visitors.box, code), until)
    return OfficerCodeAnswer(code=code, valid_until=until)


async def bind_by_officer(desk: Desk, device_code: str, account: Account, seen: Subject) -> bool:
    """Bind the device that shows `device_code`, if it has claimed the document that the officer has seen.

    Args:
        desk: the gate's means.
        device_code: eight letters and digits, as the phone shows them; blanks, hyphens and case do not matter.
        account: the officer; for the audit, and how often he may try.
        seen: the document in the officer's hand (`portal.identity.normalise`): without it, whoever claims another's
            number would be bound by showing his own face.

    Returns:
        Whether it is bound now. Why not is not said: no such code, over, or another document.

    Raises:
        TooMany: the officer tries too often.
        Unavailable: the database does not answer.
    """
    _officers.take(account.account_id, time.monotonic())
    hashed = _officer_tag(open_secret_box(desk.settings), _separators.sub("", device_code).upper())
    return await desk.read(_bind_seen, desk, hashed, account.email, seen)


def _keep_code(conn: Connection, visitors: Visitors, device: Device, phone: str) -> None:
    """Store a code and leave its message; the same statements where there is nobody to send it to."""
    settings, now, code = visitors.desk.settings, datetime.now(UTC), f"{secrets.randbelow(1_000_000):06}"
    asked = store.count_code(conn, device.person, now.date())
    is_sent = bool(phone) and asked <= CODES_A_DAY and (settings.demo or "sms" in ways(settings))
    store.put_code(conn, device.device_id, _code_tag(visitors.box, device, code), now + CODE_LASTS, sent=is_sent)
    text = say("id", "sms.code", code=code, minutes=CODE_LASTS // timedelta(minutes=1))
    accounts.add_sms(conn, phone, text, now, wanted=is_sent)


def _try_code(conn: Connection, box: SecretBox, device: Device, code: str) -> bool:
    now = datetime.now(UTC)
    expected = store.try_code(conn, device.device_id, TRIES_MAX, now) or bytes(32)
    if not hmac.compare_digest(expected, _code_tag(box, device, code)):
        return False
    store.bind(conn, device, "otp", PHONE_ITSELF, now)
    return True


def _bind_seen(conn: Connection, desk: Desk, hashed: bytes, who: str, seen: Subject) -> bool:
    now = datetime.now(UTC)
    device, person = store.find_officer_code(conn, hashed, now), desk.vault.known_id(conn, seen)
    if device is None or device.person != person:
        return False
    store.bind(conn, device, "officer_saw_id", who, now)
    (held,) = (one for one in store.devices_of(conn, device.person) if one.device_id == device.device_id)
    for person, own_key in desk.vault.own_keys(conn, [device.person]).items():
        put_name(conn, desk.vault, person, unseal(own_key, held.device_id, person, held.claim).name, who, CLAIMED)
    return True


def _code_tag(box: SecretBox, device: Device, code: str) -> bytes:
    return box.tag("visitor code", f"{device.device_id}|{code}")


def _officer_tag(box: SecretBox, code: str) -> bytes:
    return box.tag("visitor officer code", code)
