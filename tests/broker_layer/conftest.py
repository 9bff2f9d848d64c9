"""Accounts with less than all rights, listeners that are no brokers, a broker behind TLS."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.broker_layer.witness import Witness
from tests.conftest import AnyNode, needs_rabbitmq
from tests.support import rabbitmq
from tests.support.certificates import Certificates, make

Restricted = Callable[[str, str, str], str]


@pytest.fixture(autouse=True)
def pika_is_quiet() -> Iterator[None]:
    """As the commands have it: we say ourselves what its lines mean."""
    logger = logging.getLogger("pika")
    before = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    yield
    logger.setLevel(before)


@pytest.fixture
def witness(url: str) -> Witness:
    return Witness(url)


@pytest.fixture
def restricted(node: AnyNode, vhost: str) -> Iterator[Restricted]:
    """The address of a user who may configure, write and read only what matches."""
    made: list[str] = []

    def user(configure: str, write: str, read: str) -> str:
        name = f"restricted-{vhost}-{len(made)}"
        node.control("add_user", name, "secret")
        made.append(name)
        node.control("set_permissions", "-p", vhost, name, configure, write, read)
        return f"amqp://{name}:secret@127.0.0.1:{node.port}/{vhost}"

    yield user
    for name in made:
        node.control("delete_user", name)


class Stranger:
    """Listens, but is no broker: says `greeting` to who comes, and hangs up if it has one."""

    def __init__(self, greeting: bytes) -> None:
        self._greeting = greeting
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._guests: list[socket.socket] = []
        self.url = f"amqp://guest:guest@127.0.0.1:{self._listener.getsockname()[1]}/"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                guest, _ = self._listener.accept()
                self._guests.append(guest)
                if self._greeting:
                    guest.sendall(self._greeting)
                    guest.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        for each in (self._listener, *self._guests):
            each.close()


@pytest.fixture
def stranger() -> Iterator[Callable[[bytes], Stranger]]:
    met: list[Stranger] = []

    def begin(greeting: bytes = b"") -> Stranger:
        met.append(Stranger(greeting))
        return met[-1]

    yield begin
    for each in met:
        each.close()


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make(Path(tmp_path_factory.mktemp("certificates")))


@pytest.fixture(scope="session")
def tls_node(certificates: Certificates) -> Iterator[tuple[rabbitmq.Node, int]]:
    """A node that speaks TLS too, and the port where it does."""
    needs_rabbitmq()
    port = rabbitmq.free_port()
    started = rabbitmq.Node(
        "tls",
        config=f"listeners.ssl.1 = 127.0.0.1:{port}\n"
        f"ssl_options.cacertfile = {certificates.authority}\n"
        f"ssl_options.certfile = {certificates.certificate}\n"
        f"ssl_options.keyfile = {certificates.key}\n"
        "ssl_options.verify = verify_none\n",
    ).start()
    yield started, port
    started.stop()
