"""`jejak bulk`: all cases of a day, or all pairs of a week, with Apache Spark over the archive or the database."""

import getpass
import os
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import date, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Never

import click

from ops.embedded import running_settings
from ops.jdbc import fetch_driver, jdbc_of
from ops.reasons import Reason
from ops.retained import check_kept
from ops.spark import is_submitted, progress, spark_session
from ops.store import OPERATOR, transaction
from portal.store import append_audit
from schemas.errors import BadInput
from schemas.settings import Settings
from tracing.bulk import day as whole_day
from tracing.bulk import engine, sources, writing
from tracing.bulk.day import Answer, DayCase
from tracing.bulk.store import cases_of_day, store_contacts, stored_weeks
from tracing.bulk.weeks import FIRST_US, WEEK_US
from tracing.cases.facts import DEFAULT_ZONE
from tracing.exports import check_folder
from tracing.files import check_time_zone
from tracing.filetrace.case_file import FileCase, read_cases
from tracing.instants import DAY_US
from tracing.rulesets import DEFAULT_RULE, Rule, rule_of
from tracing.windows import Window

_NUMBER: Final = click.IntRange(0, 10_000_000)
_WEEK: Final = re.compile("([0-9]{4})-W([0-9]{2})")


@click.command()
@click.option("--date", "day", type=click.DateTime(["%Y-%m-%d"]), help="All open cases confirmed on this day.")
@click.option("--cases", "cases_path", type=click.Path(path_type=Path), help="Instead: the cases of this C.csv.")
@click.option("--week", help="All pairs of visits of an ISO week, e.g. 2026-W46; needs --pairs.")
@click.option("--pairs", is_flag=True, help="Say that all pairs are meant: they are many.")
@click.option("--archive", help="Folder written by `jejak archive`, or its address; else the database over JDBC.")
@click.option("--out", help="Folder of contacts.csv and exposures.csv; of pairs, Parquet.")
@click.option("--store", is_flag=True, help="Write a day's contacts into the table bulk_contact.")
@click.option("--rule", "rule_id", default=DEFAULT_RULE, show_default=True, help="Rule set; custom needs --minutes.")
@click.option("--minutes", type=_NUMBER, help="Shortest time together that counts.")
@click.option("--count", type=click.Choice(["visit", "24h"]), help="One overlap, or the sum inside any 24 hours.")
@click.option("--tail-minutes", type=_NUMBER, help="How long the air stays dangerous after a recorded check-out.")
@click.option("--timezone", "time_zone", default=DEFAULT_ZONE, show_default=True, help="In which --date is a day.")
@click.option("--cores", type=click.IntRange(min=1), help="Of a session of our own; default: all.")
@click.option("--memory", default="2g", show_default=True, help="Of a session of our own.")
@click.option("--reason", type=Reason(), default="", help="Why you ask; goes into the audit, case by case.")
@click.option("--jdbc-jar", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="PostgreSQL's driver.")
@click.pass_obj
def bulk(
    settings: Settings,
    /,
    *,
    day: datetime | None,
    cases_path: Path | None,
    week: str | None,
    pairs: bool,
    archive: str | None,
    out: str | None,
    store: bool,
    rule_id: str,
    time_zone: str,
    cores: int | None,
    memory: str,
    reason: str,
    jdbc_jar: Path | None,
    **values: str | int | None,
) -> None:
    """Trace all cases of a day at once, e.g. `jejak bulk --date 2026-11-12 --archive visits --out results`.

    Or list all pairs of a week: `jejak bulk --week 2026-W46 --pairs --out pairs`. It is a look at the data as they
    are; standing traces, alerts and offices hear nothing of it.
    """
    if sum(value is not None for value in (day, cases_path, week)) != 1:
        raise BadInput("one of --date, --cases and --week is needed, and only one", field="--date")
    if (week is not None) != pairs:
        raise BadInput("goes with --pairs, and --pairs with it", field="--week")
    if store and day is None:
        raise BadInput("goes with --date", field="--store")
    if out is None and not store:
        raise BadInput("is missing, and so is --store", field="--out")
    check_time_zone(time_zone)
    rule = rule_of(rule_id, **values)
    place = _Place(settings, archive, cores, memory, jdbc_jar)
    if week is not None:
        assert out is not None
        writing.check_pairs_folder(out)
        monday = _monday(week)
        if archive is None:
            place.remember("pairs listed", [week], reason)
        _pairs(place, rule, monday, out)
        return
    if out is not None:
        check_folder(Path(out))
    if cases_path is not None:
        cases = [DayCase(one.case_id, one.person_id, one.day_zero, one.date_isolation) for one in _file(cases_path)]
    else:
        assert day is not None
        cases = place.cases_of(day.date(), time_zone)
        place.remember("traced with its day", [case.case_id for case in cases], reason)
    _day(place, rule, cases, out, day.date() if store and day else None)


class _Place:
    """Where the visits are, and Spark, which is started when it is needed."""

    def __init__(
        self, settings: Settings, archive: str | None, cores: int | None, memory: str, jdbc_jar: Path | None
    ) -> None:
        self._settings, self._archive = settings, archive
        self._cores, self._memory, self._jdbc_jar = cores, memory, jdbc_jar

    @cached_property
    def database(self) -> Settings:
        """The settings with the address of the server that runs."""
        return running_settings(self._settings)

    def cases_of(self, day: date, time_zone: str) -> list[DayCase]:
        """Return the open cases of a day."""
        with transaction(self.database, OPERATOR) as conn:
            rows = cases_of_day(conn, day, time_zone)
        return [
            DayCase(case_id, person, onset or specimen, isolation)
            for case_id, person, onset, specimen, isolation in rows
        ]

    def remember(self, action: str, objects: Iterable[str], reason: str) -> None:
        """Write into the audit what is looked at, before it is."""
        with transaction(self.database, OPERATOR) as conn:
            for one in objects:
                append_audit(conn, getpass.getuser(), action, one, reason)

    @contextmanager
    def visits(self, touching: Window) -> Iterator[Any]:
        """Yield the frame of visits; those that do not touch the span may be missing."""
        if self._archive is not None:
            with self._session([]) as session:
                yield sources.of_archive(session, self._archive)
            return
        with transaction(self.database, OPERATOR) as conn:
            check_kept(conn, touching.start)
            mondays = [week.monday for week in stored_weeks(conn)]
        jars = [] if is_submitted(os.environ) else [self._jdbc_jar or fetch_driver(_say)]
        with self._session(jars) as session:
            yield sources.of_database(session, jdbc_of(self.database, OPERATOR), mondays, touching)

    def store(self, day: date, rule: Rule, answer: Answer) -> int:
        """Replace what the database holds of a day; return how many contacts it has."""
        rows = (
            (
                one.case_id,
                one.to,
                one.longest.facility,
                one.first_start,
                one.last_end,
                one.overlap_us,
                one.overlaps,
                one.estimated,
            )
            for one in answer.contacts.toLocalIterator(prefetchPartitions=True)
        )
        with transaction(self.database, OPERATOR) as conn:
            return store_contacts(conn, day, rule, rows)

    @contextmanager
    def _session(self, jars: list[Path]) -> Iterator[Any]:
        _say("starting Spark")
        with ExitStack() as stack:
            session = stack.enter_context(spark_session(os.environ, cores=self._cores, memory=self._memory, jars=jars))
            if sys.stderr.isatty():
                stack.callback(click.echo, "\r\033[K", nl=False, err=True)
                stack.enter_context(progress(session, _tell_tasks))
            yield session


def _day(place: _Place, rule: Rule, cases: list[DayCase], out: str | None, store_as: date | None) -> None:
    said = f"{len(cases):,} cases"
    with place.visits(whole_day.span_of(rule, cases)) as visits:
        _say(f"looking for the contacts of {said}")
        answer = whole_day.contacts_of(visits, cases, rule)
        if out is not None:
            contacts, exposures = writing.write_day(Path(out), answer, rule.id)
            said += f": {contacts:,} contacts by {exposures:,} exposures written"
        if store_as is not None:
            said += f"; {place.store(store_as, rule, answer):,} contacts stored"
    click.echo(said)


def _pairs(place: _Place, rule: Rule, monday: date, out: str) -> None:
    week = ((monday - date(1970, 1, 1)).days * DAY_US - FIRST_US) // WEEK_US
    begin = FIRST_US + week * WEEK_US
    with place.visits(Window(begin, begin + WEEK_US)) as visits:
        _say(f"looking for all pairs of the week of {monday}")
        number = writing.write_pairs(out, engine.pairs(visits, week, rule))
    click.echo(f"{number:,} pairs of visits together for {rule.minutes} minutes or more")


def _file(path: Path) -> list[FileCase]:
    return read_cases(path)[0]


def _monday(week: str) -> date:
    match = _WEEK.fullmatch(week)
    try:
        return date.fromisocalendar(int(match[1]), int(match[2]), 1) if match else _no_week()
    except ValueError:
        return _no_week()


def _no_week() -> Never:
    raise BadInput("is no ISO week such as 2026-W46", field="--week")


def _say(line: str) -> None:
    click.echo(line, err=True)


def _tell_tasks(done: int, of: int) -> None:
    click.echo(f"\r\033[K{done:,} of {of:,} tasks", nl=False, err=True)
