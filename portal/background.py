"""Work that goes on for as long as the application runs, and ends with it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from portal.desk import Desk


@asynccontextmanager
async def running(work: Callable[[Desk], Awaitable[None]], desk: Desk) -> AsyncIterator[None]:
    """Run `work(desk)`, which never returns by itself, until the block ends."""
    task = asyncio.ensure_future(work(desk))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
