"""Looks after the vault while a gate runs: erasures come due, keys are changed by somebody else, persons are erased."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from litestar import Litestar

from portal.background import running
from portal.desk import Desk
from portal.logs import log
from schemas.errors import JejakError

EVERY_S: Final = 5.0  # for twice as long, at most, a gate may still know somebody who was erased


@asynccontextmanager
async def tending_vault(app: Litestar) -> AsyncIterator[None]:
    """Look after it for as long as the application runs."""
    async with running(_tend, app.state.desk):
        yield


async def _tend(desk: Desk) -> None:
    while True:
        await asyncio.sleep(EVERY_S)
        try:
            await desk.tend_vault()
        except JejakError as error:
            log().warning("vault not tended", error=type(error).__name__)
