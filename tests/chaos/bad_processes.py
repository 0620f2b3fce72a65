"""Services with a bug in them, as processes of their own: `python -c "from tests.chaos.bad_processes import …" relay`.

Only a test starts these, in place of the service of that name; the product carries no bug and no switch for one.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

import ops.cli
from portal.desk import Desk
from streams.relay import Relay


def skip_a_row() -> None:
    """Run the command with a relay that now and then marks a row it did not publish."""
    right = Relay._publish
    seen = [0]

    def publish(self: Relay, rows: Sequence[Any], *more: Any) -> int:
        seen[0] += len(rows)
        kept = rows if seen[0] % 5 else rows[:-1]
        return right(self, kept, *more) if kept else 0

    Relay._publish = publish  # type: ignore[method-assign,assignment] # that is the bug
    ops.cli.main()


def answer_early() -> None:
    """Run the command with a gate that says 200 before Kafka has acknowledged."""

    on_their_way = set()

    async def send(self: Desk, events: Sequence[Any]) -> None:
        on_their_way.add(asyncio.create_task(self._dispatch(events)))

    Desk.send = send  # type: ignore[method-assign] # that is the bug
    ops.cli.main()
