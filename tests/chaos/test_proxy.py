"""The wire: passes on, is cut, is frozen one way or both, and is mended."""

import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from ops.chaos.proxy import LOOPBACK, Proxy
from ops.embedded.home import free_port


class _Echo(socketserver.BaseRequestHandler):
    """Answers everything with itself, and counts what came."""

    def handle(self) -> None:
        while data := self.request.recv(1000):
            self.server.heard.append(data)  # type: ignore[attr-defined] # our own server
            self.request.sendall(data)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    heard: list[bytes]


@pytest.fixture
def server() -> Iterator[_Server]:
    with _Server((LOOPBACK, 0), _Echo) as made:
        made.heard = []
        threading.Thread(target=made.serve_forever, daemon=True).start()
        yield made
        made.shutdown()


@pytest.fixture
def wire(server: _Server) -> Iterator[Proxy]:
    with Proxy(free_port(), (LOOPBACK, server.server_address[1])) as made:
        yield made


def connect(wire: Proxy) -> socket.socket:
    return socket.create_connection((LOOPBACK, wire.port), timeout=2)


def ask(wire: Proxy) -> bytes:
    """Return the answer to one byte on a new connection; one that is closed without an answer is an error too."""
    with closing(connect(wire)) as caller:
        caller.sendall(b"b")
        answer = caller.recv(1)
    if not answer:
        raise ConnectionAbortedError
    return answer


def test_what_is_said_is_answered(wire: Proxy) -> None:
    with closing(connect(wire)) as caller:
        caller.sendall(b"a" * 500_000)
        answered = 0
        while answered < 500_000:
            answered += len(caller.recv(65_536))
        assert answered == 500_000


def test_a_cut_resets_who_is_there_and_refuses_who_comes(wire: Proxy) -> None:
    with closing(connect(wire)) as caller:
        caller.sendall(b"a")
        assert caller.recv(1) == b"a"
        wire.cut()
        with pytest.raises(ConnectionResetError):
            caller.recv(1)
    with pytest.raises(ConnectionError):
        ask(wire)
    wire.mend()
    assert ask(wire) == b"b"


def test_frozen_both_ways_nothing_comes_and_later_all_of_it(wire: Proxy, server: _Server) -> None:
    with closing(connect(wire)) as caller:
        wire.freeze()
        caller.settimeout(0.3)
        caller.sendall(b"abc")
        with pytest.raises(TimeoutError):
            caller.recv(1)
        assert server.heard == []
        wire.mend()
        caller.settimeout(2)
        assert caller.recv(3) == b"abc"


def test_with_answers_alone_frozen_it_is_done_and_nobody_hears_of_it(wire: Proxy, server: _Server) -> None:
    with closing(connect(wire)) as caller:
        wire.freeze(asking=False)
        caller.settimeout(0.3)
        caller.sendall(b"commit")
        with pytest.raises(TimeoutError):
            caller.recv(1)
        assert server.heard == [b"commit"]
