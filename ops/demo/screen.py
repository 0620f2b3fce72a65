"""What a person sees of the demonstration: all of it on stderr, so that stdout holds the answer alone."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from ops.demo.store import BusyHour, Folded
from producers.gate_scans import Sent
from schemas.events import Alert

CONTACTS_SHOWN = 12
WIDE = 150


class Screen:
    """Prints the acts of the demonstration."""

    def __init__(self) -> None:
        self.console = Console(stderr=True, width=None if Console(stderr=True).is_terminal else WIDE, highlight=False)

    def say(self, line: str) -> None:
        """Print one line of progress."""
        self.console.print(Text(line, style="dim"))

    def act(self, title: str) -> None:
        """Open an act."""
        self.console.print()
        self.console.rule(Text(title, style="bold"), align="left")

    @contextmanager
    def counting(self) -> Iterator["Live | None"]:
        """Show counts as they move, where there is a terminal."""
        if not self.console.is_terminal:
            yield None
            return
        with Live(console=self.console, refresh_per_second=8, transient=True) as live:
            yield live

    def contacts(self, trace: dict[str, Any]) -> None:
        """Print the ranked candidates, each with its reason."""
        table = Table(show_edge=False, pad_edge=False)
        for column, right in (("rank", True), ("contact", False), ("minutes", True), ("why", False)):
            table.add_column(column, justify="right" if right else "left", no_wrap=column != "why")
        for contact in trace["contacts"][:CONTACTS_SHOWN]:
            table.add_row(
                str(contact["rank"]), contact["contact_ref"], f"{contact['overlap_minutes']:.1f}", contact["reason"]
            )
        self.console.print(table)
        left = len(trace["contacts"]) - CONTACTS_SHOWN
        if left > 0:
            self.console.print(Text(f"… and {left} more: jejak trace-show {trace['case_id']}", style="dim"))

    def alert(self, alert: Alert) -> None:
        """Print a notice as it lay on the office's topic."""
        body = msgspec.json.format(msgspec.json.encode(alert), indent=2).decode()
        self.console.print(Panel(Text(body), title=f"alert.{alert.data.office}", title_align="left", width=110))

    def places(self, rows: Sequence[tuple[str, str]]) -> None:
        """Print where to go next."""
        table = Table(show_header=False, show_edge=False, pad_edge=False, box=None)
        for what, where in rows:
            table.add_row(Text(what, style="bold"), Text(where, overflow="fold"))
        self.console.print(table)

    def logins(self, rows: Sequence[tuple[str, ...]], code: str) -> None:
        """Print where to go as which role: role, address, e-mail, password; `code` says how a code is asked for."""
        table = Table(show_edge=False, pad_edge=False)
        for column in ("as", "open", "e-mail", "password", "code"):
            table.add_column(column, no_wrap=True)
        for row in rows:
            table.add_row(*map(Text, row))
        self.console.print(table)
        self.console.print(Text(f"a fresh code: {code}", style="bold", overflow="fold"))


def counts_table(sent: Sent, folded: Folded, hours: Sequence[BusyHour]) -> Group:
    """Return the moving picture: how many scans, how many visits, the busiest hours."""
    head = Text(
        f"{sent.accepted:>9,} scans accepted    {folded.records:>9,} folded    {folded.visits:>9,} visits", style="bold"
    )
    table = Table(show_edge=False, pad_edge=False)
    for column in ("facility", "busiest hour", "visitors", "arrivals", "departures", "estimated"):
        table.add_column(column, justify="left" if column in {"facility", "busiest hour"} else "right")
    for hour in hours:
        table.add_row(*(str(value) for value in hour))
    return Group(head, table)
