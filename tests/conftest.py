"""Fixtures that every test may ask for: a real broker, a place of its own on it, programs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support import rabbitmq
from tests.support.programs import MonitorProgram, Program
from tests.support.proxy import Proxy

REQUIRED = "ORQUESTADOR_REQUIRE_RABBITMQ"
VHOSTS_AT_ONCE = 20


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not rabbitmq.installed():
        terminalreporter.write_line(
            "RabbitMQ is not on this machine: the tests that need it were skipped."
            "  Debian: apt-get install rabbitmq-server",
            yellow=True,
        )


@pytest.fixture(scope="session")
def node() -> Iterator[rabbitmq.Node]:
    """One private RabbitMQ for the whole session."""
    if not rabbitmq.installed():
        if os.environ.get(REQUIRED):
            pytest.fail(f"{REQUIRED} is set, but rabbitmq-server is not on this machine")
        pytest.skip("needs rabbitmq-server")
    started = rabbitmq.Node().start()
    yield started
    started.stop()


@pytest.fixture
def own_node() -> Iterator[rabbitmq.Node]:
    """A node that this test alone may freeze, kill and start again."""
    if not rabbitmq.installed():
        if os.environ.get(REQUIRED):
            pytest.fail(f"{REQUIRED} is set, but rabbitmq-server is not on this machine")
        pytest.skip("needs rabbitmq-server")
    started = rabbitmq.Node("own").start()
    yield started
    started.thaw()
    started.stop()


@pytest.fixture(scope="session")
def _vhosts(node: rabbitmq.Node) -> Callable[[], str]:
    """Fresh vhosts, made twenty at a time: one rabbitmqctl call costs half a second."""
    ready: list[str] = []
    made = 0

    def fresh() -> str:
        nonlocal made
        if not ready:
            names = [f"test{number}" for number in range(made, made + VHOSTS_AT_ONCE)]
            made += VHOSTS_AT_ONCE
            node.add_vhosts(names)
            ready.extend(names)
        return ready.pop(0)

    return fresh


@pytest.fixture
def vhost(_vhosts: Callable[[], str]) -> str:
    """A vhost of the test's own."""
    return _vhosts()


@pytest.fixture
def url(node: rabbitmq.Node, vhost: str) -> str:
    """The broker's address in the test's own vhost."""
    return node.address(vhost)


@pytest.fixture
def proxy(node: rabbitmq.Node) -> Iterator[Proxy]:
    """A proxy before the session's node."""
    with Proxy(node.port) as started:
        yield started


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Program]]:
    """Starts programs; ends all of them, whatever happens."""
    started: list[Program] = []

    def begin(*command: str, monitor: bool = False, **options: object) -> Program:
        kind = MonitorProgram if monitor else Program
        program = kind(*command, **options)  # type: ignore[arg-type]
        started.append(program)
        return program

    yield begin
    for program in started:
        program.end()
