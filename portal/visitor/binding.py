"""How a device becomes somebody's own: a code sent to the number in the registry, or an officer who saw his document.

Until then it is anybody's who typed a number. A person has one bound device; only these two ways put another in its
place.
"""

from portal.accounts.store import Account
from portal.desk import Desk
from portal.identity import Subject
from schemas.errors import Unavailable


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
    del desk, device_code, account, seen
    raise Unavailable("devices cannot be bound yet")
