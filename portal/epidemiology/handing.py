"""What an epidemiologist looks at or takes away: chain and timeline, the report, the whole package, the list."""

from datetime import UTC, datetime
from typing import Any, Final

from litestar import Response, get
from litestar.response import Template
from markupsafe import Markup

from portal.accounts.guard import principal_of
from portal.desk import desk_of
from portal.epidemiology.policy import policy_of
from portal.epidemiology.shown import read_dossier_audited
from portal.epidemiology.traces import EPIDEMIOLOGISTS, epidemiologist_page
from portal.store import Connection, append_audit
from portal.web.pages import WebRequest, language_of
from portal.web.sheets import MARK, Sheet, note_sheet, sheet_answer
from portal.web.words import Language
from schemas.errors import Conflict
from tracing.exports import csv_bytes
from tracing.handover.dossier import Dossier
from tracing.handover.report import case_of
from tracing.handover.tables import ALL_CONTACT_COLUMNS, Tables
from tracing.report.chain import Chain
from tracing.report.lanes import Timeline
from tracing.report.words import Language as Told


@get("/pelacakan/{case_id:str}/gambar", guards=[EPIDEMIOLOGISTS])
async def get_pictures(request: WebRequest, case_id: str) -> Template:
    """Show the chain on an axis of days, and the timeline with the infectious period."""
    dossier: Dossier = await desk_of(request).read(read_dossier_audited, principal_of(request), case_id, "as a picture")
    chain, panels, left, marks = _drawn(dossier, language_of(request))
    return epidemiologist_page(
        request, "pictures", view=dossier.view, chain=chain, panels=panels, left_out=left, marks=marks
    )


@get("/pelacakan/{case_id:str}/laporan.html", guards=[EPIDEMIOLOGISTS])
async def get_report(request: WebRequest, case_id: str) -> Response[str]:
    """Return the report as a page: it looks as it is printed, and nothing in it can run or ask for anything."""
    files = await _files(request, case_id, "as a report")
    report = files["report.html"].decode()
    return Response(
        report, media_type="text/html; charset=utf-8", headers={"content-security-policy": policy_of(report)}
    )


@get("/pelacakan/{case_id:str}/paket.zip", guards=[EPIDEMIOLOGISTS])
async def get_package(request: WebRequest, case_id: str) -> Response[bytes]:
    """Return the whole package as one file."""
    from tracing.handover.package import zip_of

    files = await _files(request, case_id, "as a package")
    name = f"{_plain(case_id)}-{datetime.now(UTC):%Y%m%d}"
    return Response(
        zip_of(files, name),
        media_type="application/zip",
        headers={"content-disposition": f'attachment; filename="{name}.zip"'},
    )


@get("/pelacakan/{case_id:str}/kontak.csv", guards=[EPIDEMIOLOGISTS])
async def get_sheet(request: WebRequest, case_id: str) -> Response[bytes]:
    """Return the list as a file."""
    principal, now = principal_of(request), datetime.now(UTC)

    def work(conn: Connection) -> Sheet:
        dossier = read_dossier_audited(conn, principal, case_id, "as a list")
        rows = list(Tables(dossier).contacts())  # safe cells already
        name = f"kontak-{_plain(dossier.view.case_id)}"
        sheet = Sheet(name, len(rows), MARK + csv_bytes(ALL_CONTACT_COLUMNS, rows))
        note_sheet(conn, principal, sheet)
        return sheet

    return sheet_answer(await desk_of(request).read(work), now)


ROUTES: Final[tuple[Any, ...]] = (get_pictures, get_report, get_package, get_sheet)


async def _files(request: WebRequest, case_id: str, how: str) -> dict[str, bytes]:
    from tracing.handover.package import Asked, files_of  # what writes files loads pyarrow: not with every gate

    principal, asked_at, language = principal_of(request), datetime.now(UTC), language_of(request)

    def work(conn: Connection) -> dict[str, bytes]:
        dossier = read_dossier_audited(conn, principal, case_id, how)
        view = dossier.view
        files = files_of(dossier, Asked(principal.name, view.reason, asked_at, language))
        append_audit(conn, principal.name, "trace handed over", view.case_id, f"{len(dossier.lines)} candidates")
        return files

    return await desk_of(request).read(work)


def _drawn(dossier: Dossier, language: Language) -> tuple[Markup, list[Markup], int, list[tuple[str, str]]]:
    """Return the chain, the pieces of the timeline, how many nodes of the chain were left out, and what letters mean.

    Raises:
        Conflict: there is nothing to draw yet.
    """
    if dossier.view.day0 is None or not dossier.view.rule:
        raise Conflict("the case has no trace yet: there is nothing to draw")
    case, say = case_of(dossier, Tables(dossier)), Told(language, dossier.time_zone)
    chain = Chain(case, say) if case.groups or case.sources else None
    panels = Timeline(case, say, dossier.time_zone).panels()
    marks = [(one.letter, one.title) for one in case.facilities]
    drawn = Markup(chain.drawing() if chain else "")  # noqa: S704 — svg.py escaped what came from outside
    return drawn, [Markup(one) for one in panels], chain.left_out if chain else 0, marks  # noqa: S704 — as above


def _plain(case_id: str) -> str:
    return "".join(one if one.isalnum() else "-" for one in case_id)
