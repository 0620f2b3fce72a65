"""A wire that can be cut: a small TCP proxy between our services and a server, on an event loop of its own thread.

`cut` resets every connection and refuses new ones; `freeze` keeps them open and lets nothing through, in one direction
or both: what was sent arrives when it is mended, unless somebody gave up before. Ours, because it must run wherever
Python does, without rights or other programs.
"""

import asyncio
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

LOOPBACK: Final = "127.0.0.1"
CHUNK: Final = 256 * 1024
RESET: Final = struct.pack("ii", 1, 0)  # SO_LINGER of zero: closing sends RST


class Proxy:
    """Listens on loopback and passes on to one server; a context manager."""

    def __init__(self, port: int, server: tuple[str, int]) -> None:
        self.port = port
        self._server = server
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"proxy-{port}", daemon=True)
        self._is_cut = False
        self._flows: dict[str, asyncio.Event] = {}
        self._writers: set[asyncio.StreamWriter] = set()

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def cut(self) -> None:
        """Reset all connections and refuse new ones."""
        self._do(self._cut)

    def freeze(self, *, asking: bool = True, answering: bool = True) -> None:
        """Let nothing through from now on: what is asked, what is answered, or both."""

        def stop() -> None:
            for name, wanted in (("asking", asking), ("answering", answering)):
                if wanted:
                    self._flows[name].clear()

        self._do(stop)

    def mend(self) -> None:
        """Let everything through again."""

        def go() -> None:
            self._is_cut = False
            for flow in self._flows.values():
                flow.set()

        self._do(go)

    def _do(self, step: Callable[[], None]) -> None:
        done = threading.Event()

        def run() -> None:
            step()
            done.set()

        self._loop.call_soon_threadsafe(run)
        assert done.wait(10), "the proxy's loop hangs"

    async def _listen(self) -> None:
        self._flows = {name: asyncio.Event() for name in ("asking", "answering")}
        for flow in self._flows.values():
            flow.set()
        self._listener = await asyncio.start_server(self._serve, LOOPBACK, self.port, limit=CHUNK)

    async def _end(self) -> None:
        self._listener.close()
        self._cut()
        for flow in self._flows.values():
            flow.set()
        await asyncio.sleep(0)

    def _cut(self) -> None:
        self._is_cut = True
        for writer in list(self._writers):
            _reset(writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_cut:
            _reset(writer)
            return
        try:
            server_reader, server_writer = await asyncio.open_connection(*self._server, limit=CHUNK)
        except OSError:
            _reset(writer)
            return
        if self._is_cut:
            _reset(writer)
            _reset(server_writer)
            return
        self._writers |= {writer, server_writer}
        await asyncio.gather(
            self._pass_on(reader, server_writer, "asking"), self._pass_on(server_reader, writer, "answering")
        )
        self._writers -= {writer, server_writer}

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, flow: str) -> None:
        with suppress(OSError):
            while data := await reader.read(CHUNK):
                await self._flows[flow].wait()
                writer.write(data)
                await writer.drain()
        with suppress(OSError, RuntimeError):
            writer.close()


def _reset(writer: asyncio.StreamWriter) -> None:
    found = writer.get_extra_info("socket")
    with suppress(OSError):
        found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    writer.transport.abort()
