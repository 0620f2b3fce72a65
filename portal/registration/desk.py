"""What applicant and ministry do to an application: one transaction each, with its step and its mail."""

import base64
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime

from portal.accounts import store as account_store
from portal.places import staff
from portal.registration import store
from portal.registration.duplicates import Alike, Known, alike
from portal.registration.fields import Applied
from portal.registration.states import NEEDS_WORDS, Action, moved
from portal.registration.store import Application
from portal.store import Connection, append_audit
from portal.web.pages import FormError
from portal.web.words import say
from schemas.errors import NotFound

WORDS_MAX = 1_000


def submit(conn: Connection, applied: Applied, url: str) -> Application:
    """Take a new application and tell the applicant; return it with its reference.

    Raises:
        FormError: a facility or an open application has this licence.
    """
    application = take(conn, applied)
    _tell(conn, application, "submitted", url, "")
    return application


def take(conn: Connection, applied: Applied) -> Application:
    """Take a new application; return it with its reference.

    Raises:
        FormError: a facility or an open application has this licence.
    """
    _refuse_known_licence(conn, applied, own="")
    reference = base64.b32encode(secrets.token_bytes(10)).decode().lower()
    application_id = store.add_application(conn, reference, applied)
    store.add_step(conn, application_id, "submit", applied.email, "", datetime.now(UTC))
    return read(conn, reference)


def tell_of_branches(conn: Connection, taken: Sequence[Application], url: str) -> None:
    """Leave each applicant of a file one mail that says where each of the applications stands."""
    by_address: dict[str, list[str]] = {}
    for one in taken:
        by_address.setdefault(one.applied.email, []).append(f"{one.applied.name}\n{url}/daftar/{one.reference}\n")
    for email, lines in by_address.items():
        body = say("id", "mail.application_branches", count=len(lines), branches="\n".join(lines))
        account_store.add_mail(conn, email, say("id", "mail.application_subject"), body)


def answer(conn: Connection, reference: str, applied: Applied, words: str, url: str) -> Application:
    """Take an applicant's corrected application.

    Raises:
        NotFound: there is no such application; Conflict: nobody asked back.
        FormError: a facility or another open application has this licence.
    """
    application = read(conn, reference)
    then, now = moved(application.state, "answer", "applicant"), datetime.now(UTC)
    _refuse_known_licence(conn, applied, own=reference)
    store.change_application(conn, application.application_id, applied)
    store.move(conn, application.application_id, application.state, then, now, None)
    store.add_step(conn, application.application_id, "answer", applied.email, words[:WORDS_MAX], now)
    changed = read(conn, reference)
    _tell(conn, changed, "submitted", url, "")
    return changed


def judge(conn: Connection, reference: str, action: Action, words: str, by: str, url: str) -> Application:
    """Ask back, reject or approve; an approved facility's manager is invited, or given one more facility.

    Raises:
        NotFound: there is no such application.
        Conflict: it cannot be done now, somebody else was first, or a facility has this licence.
        FormError: asking back and rejecting need words; the applicant's address has an account that cannot manage.
    """
    application = read(conn, reference)
    if action in NEEDS_WORDS and not words:
        raise FormError({"words": "verify.words_needed"})
    if len(words) > WORDS_MAX:
        raise FormError({"words": "form.too_long"})
    then, now = moved(application.state, action, "ministry"), datetime.now(UTC)
    facility_no = facility_id = None
    if action == "approve":
        facility_id = store.new_facility_id(conn, application.applied.sub_district[:5])
        facility_no = store.add_facility(conn, facility_id, application, by)
    store.move(conn, application.application_id, application.state, then, now, facility_no)
    store.add_step(conn, application.application_id, action, by, words, now)
    append_audit(conn, by, f"application {action}", reference, words)
    if facility_id is not None:
        _give_to_manager(conn, application.applied, facility_id, url)
    _tell(conn, application, then, url, words)
    return read(conn, reference)


def read(conn: Connection, reference: str) -> Application:
    """Return an application.

    Raises:
        NotFound: there is none of that reference.
    """
    application = store.find_application(conn, reference)
    if application is None:
        raise NotFound("no such application")
    return application


def doubles(conn: Connection, application: Application) -> list[Alike]:
    """Return what may be the same facility as this application's."""
    return alike(known_of(application.applied, application.reference), store.neighbours(conn, application.applied))


def known_of(applied: Applied, reference: str) -> Known:
    """Return an application as it is compared with others."""
    return Known(
        reference,
        applied.name,
        applied.licence_key,
        applied.sub_district,
        applied.latitude,
        applied.longitude,
        is_facility=False,
    )


def _refuse_known_licence(conn: Connection, applied: Applied, own: str) -> None:
    if store.is_licence_known(conn, applied.licence_key, own):
        raise FormError({"licence": "why.known"})


def _give_to_manager(conn: Connection, applied: Applied, facility_id: str, url: str) -> None:
    try:
        staff.give(conn, facility_id, email=applied.email, name=applied.responsible, role="manager", url=url)
    except FormError:
        raise FormError({"": "verify.other_account"}) from None


def _tell(conn: Connection, application: Application, state: str, url: str, words: str) -> None:
    """Leave the applicant a mail that says where the application stands."""
    address = f"{url}/daftar/{application.reference}"
    body = say("id", f"mail.application_{state}", name=application.applied.name, address=address, words=words)
    account_store.add_mail(conn, application.applied.email, say("id", "mail.application_subject"), body)
