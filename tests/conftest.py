"""Fixtures that every test may ask for: brokers, a place of its own on one, programs.

A test that asks for `node`, `url`, `vhost` or `proxy` runs twice: on an embedded broker of its own,
and on the session's RabbitMQ where there is one.  What only RabbitMQ can show says so, and why:
`@pytest.mark.only_rabbitmq("...")`.  What takes tens of seconds runs once:
`@pytest.mark.one_broker`.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import TypeAlias

import pytest

from tests.support import rabbitmq
from tests.support.cluster import Cluster
from tests.support.embedded import Embedded
from tests.support.programs import MonitorProgram, Program
from tests.support.proxy import Proxy
from tests.support.required import REQUIRED, absent

VHOSTS_AT_ONCE = 20
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # Started by a script in the background: the programs that tests interrupt would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
PARAMETRIZED = ("node", "own_node", "shared_node")
AnyNode: TypeAlias = Embedded | rabbitmq.Node


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not rabbitmq.installed():
        terminalreporter.write_line(
            "RabbitMQ is not on this machine: tests ran on the embedded broker alone, and those"
            " that only RabbitMQ can show were skipped.  Debian: apt-get install rabbitmq-server",
            yellow=True,
        )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Both brokers, unless the test is about RabbitMQ, or there is none and none is required."""
    wanted = [name for name in PARAMETRIZED if name in metafunc.fixturenames]
    if not wanted:
        return
    both = rabbitmq.installed() or bool(os.environ.get(REQUIRED))
    brokers = ["embedded", "rabbitmq"] if both else ["embedded"]
    if metafunc.definition.get_closest_marker("only_rabbitmq"):
        brokers = ["rabbitmq"]
    for name in wanted:
        metafunc.parametrize(name, brokers, indirect=True, ids=brokers)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What takes tens of seconds runs on one broker: on RabbitMQ, where there is one."""
    if not rabbitmq.installed() and not os.environ.get(REQUIRED):
        return
    twice = [item for item in items if item.get_closest_marker("one_broker") and _on_embedded(item)]
    config.hook.pytest_deselected(items=twice)
    items[:] = [item for item in items if item not in twice]


def _on_embedded(item: pytest.Item) -> bool:
    callspec = getattr(item, "callspec", None)
    return callspec is not None and "embedded" in callspec.params.values()


def needs_rabbitmq() -> None:
    if not rabbitmq.installed():
        absent("rabbitmq-server")


@pytest.fixture(scope="session")
def rabbitmq_node() -> Iterator[rabbitmq.Node]:
    """One private RabbitMQ for the whole session."""
    needs_rabbitmq()
    started = rabbitmq.Node().start()
    yield started
    started.stop()


@pytest.fixture
def node(request: pytest.FixtureRequest) -> Iterator[AnyNode]:
    """The broker: an embedded one of the test's own, or the session's RabbitMQ."""
    if request.param == "rabbitmq":
        yield request.getfixturevalue("rabbitmq_node")
        return
    started = Embedded().start()
    yield started
    started.stop()


@pytest.fixture
def own_node(request: pytest.FixtureRequest) -> Iterator[AnyNode]:
    """A broker that this test alone may freeze, kill and start again."""
    yield from _own(request.param)


@pytest.fixture(scope="module")
def shared_node(request: pytest.FixtureRequest) -> Iterator[AnyNode]:
    """A broker that the tests of one file alone may freeze, kill and start again."""
    yield from _own(request.param)


def _own(broker: str) -> Iterator[AnyNode]:
    if broker == "rabbitmq":
        needs_rabbitmq()
    started = rabbitmq.Node("own").start() if broker == "rabbitmq" else Embedded().start()
    yield started
    started.thaw()
    started.stop()


@pytest.fixture(scope="session")
def impatient_node() -> Iterator[rabbitmq.Node]:
    """A RabbitMQ whose consumer timeout is `rabbitmq.PATIENCE`, and looked at each second."""
    needs_rabbitmq()
    started = rabbitmq.Node("impatient", advanced=rabbitmq.IMPATIENT).start()
    yield started
    started.stop()


@pytest.fixture(scope="module")
def shared_cluster() -> Iterator[Cluster]:
    """Three RabbitMQ nodes in a cluster, for the tests of one file."""
    needs_rabbitmq()
    started = Cluster().start()
    yield started
    started.stop()


@pytest.fixture
def cluster(shared_cluster: Cluster) -> Cluster:
    """The file's cluster, with all its nodes running: the test may freeze and kill them."""
    shared_cluster.whole()
    return shared_cluster


@pytest.fixture(scope="session")
def _vhosts(rabbitmq_node: rabbitmq.Node) -> Iterator[Callable[[], str]]:
    """Fresh vhosts, twenty at a time, the next ones while tests run: a call takes over a second."""
    numbers = count()

    def make() -> list[str]:
        names = [f"test{next(numbers)}" for _ in range(VHOSTS_AT_ONCE)]
        rabbitmq_node.add_vhosts(names)
        return names

    with ThreadPoolExecutor(max_workers=1) as maker:
        ready: list[str] = []
        coming = maker.submit(make)

        def fresh() -> str:
            nonlocal coming
            if not ready:
                ready.extend(coming.result())
                coming = maker.submit(make)
            return ready.pop(0)

        yield fresh


@pytest.fixture
def vhost(node: AnyNode, request: pytest.FixtureRequest) -> str:
    """A vhost of the test's own, as a URI has it: the embedded broker has one, and is fresh."""
    if isinstance(node, Embedded):
        return "%2F"
    fresh: Callable[[], str] = request.getfixturevalue("_vhosts")
    return fresh()


@pytest.fixture
def url(node: AnyNode, vhost: str) -> str:
    """The broker's address in the test's own vhost."""
    return node.address(vhost)


@pytest.fixture
def proxy(node: AnyNode) -> Iterator[Proxy]:
    """A proxy before the broker."""
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
