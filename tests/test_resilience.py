"""Real processes through restarts, cuts, frozen brokers and alarms: nobody ends or is blamed."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

import pytest

from orquestador.events import Echo, decode
from tests.broker_layer.witness import Witness
from tests.conftest import AnyNode
from tests.support import rabbitmq
from tests.support.embedded import Embedded
from tests.support.programs import MonitorProgram, Program
from tests.support.proxy import Proxy
from tests.support.waiting import eventually

pytestmark = [pytest.mark.broker, pytest.mark.slow]
RABBITMQ = pytest.mark.skipif(not rabbitmq.installed(), reason="needs rabbitmq-server")
Start = Callable[..., Program]
MOCKS = ("mock1", "mock2")


class Site:
    """A monitor and two mocks on one broker, and an ear of the test's own beside them."""

    def __init__(self, start: Start, witnessed: str, url: str) -> None:
        self.witness = Witness(witnessed)
        self.mocks = {
            name: start("runner.py", "--role", "mock", "--name", name, "--url", url)
            for name in MOCKS
        }
        monitor = start("runner.py", "--role", "monitor", "--json", "--url", url, monitor=True)
        assert isinstance(monitor, MonitorProgram)
        self.monitor = monitor
        self.instances: dict[str, str] = {}

    def up(self) -> Site:
        """Wait until both mocks are UP, and remember which start of theirs that is."""
        for name, mock in self.mocks.items():
            mock.says(f"{name} answers pings")
            self.monitor.eventually(name, "UP")
        self.witness.declare("ear")
        self.witness.bind("ear", "events", "echo.#")
        self.instances = {name: self._echo(name).instance for name in MOCKS}
        return self

    def _echo(self, service: str, within: float = 30.0) -> Echo:
        """The next echo of a ping by that service."""

        def heard() -> Echo | None:
            message = self.witness.take("ear")
            if message is None:
                return None
            echo = decode(Echo, message.body)
            return echo if (echo.service, echo.phase) == (service, "alive") else None

        echo = eventually(heard, within)
        assert echo is not None
        return echo

    def flows_again(self, within: float = 30.0) -> None:
        """Pings are answered by the same starts of the same processes, and the monitor says UP."""
        self.witness.declare("ear")
        self.witness.bind(
            "ear", "events", "echo.#"
        )  # a broker without persistence has forgotten it
        with self.witness.channel() as channel:
            channel.queue_purge("ear")
        for name in MOCKS:
            assert self._echo(name, within).instance == self.instances[name]
        for name in MOCKS:
            eventually(lambda name=name: self.monitor.state(name) == "UP", within)
        for program in (self.monitor, *self.mocks.values()):
            assert program.running, program.errors

    def blind(self, mark: int, within: float = 15.0) -> str:
        """Why the monitor says that it cannot see."""
        return str(eventually(lambda: self.monitor.notices("blind", mark), within)[0]["text"])

    def sees(self, mark: int, within: float = 30.0) -> None:
        eventually(lambda: self.monitor.notices("seeing", mark), within)

    @property
    def blamed(self) -> list[dict[str, object]]:
        """Every status that called a service DOWN."""
        return [e for e in self.monitor.events if e["event"] == "status" and e["state"] == "DOWN"]


@pytest.fixture
def broker(shared_node: AnyNode) -> AnyNode:
    """A broker for this file alone: its tests freeze it, kill it and start it again."""
    return shared_node


@pytest.fixture
def place(broker: AnyNode, request: pytest.FixtureRequest) -> str:
    """A vhost of the test's own, where the broker has several."""
    if isinstance(broker, Embedded):
        return "%2F"
    name = f"v{abs(hash(request.node.nodeid))}"
    broker.add_vhosts([name])
    return name


@pytest.fixture
def site(start: Start, broker: AnyNode, place: str) -> Site:
    url = broker.address(place)
    return Site(start, url, url).up()


def for_seconds(seconds: float) -> None:
    """The length of a fault is the test's subject, not a wait for something."""
    until = time.monotonic() + seconds
    eventually(lambda: time.monotonic() > until, seconds + 5)


def test_a_broker_killed_and_started_again(site: Site, broker: AnyNode) -> None:
    mark = site.monitor.mark
    broker.kill()
    assert site.blind(mark)
    broker.start()

    site.sees(mark)
    site.flows_again()
    assert site.blamed == []


def test_connections_cut_five_times(start: Start, broker: AnyNode, place: str) -> None:
    with Proxy(broker.port) as proxy:
        site = Site(start, broker.address(place), broker.address(place, port=proxy.port)).up()
        for _ in range(5):
            mark = site.monitor.mark
            proxy.cut()
            site.blind(mark)
            site.sees(mark)
            site.flows_again()

    assert site.blamed == []


@pytest.mark.parametrize("seconds", [4, 12, 30])  # within, about and beyond the heartbeats
def test_a_broker_frozen_and_let_go(site: Site, broker: AnyNode, seconds: int) -> None:
    mark = site.monitor.mark
    broker.freeze()
    try:
        assert site.blind(mark)
        for_seconds(seconds)
    finally:
        broker.thaw()

    site.sees(mark)
    site.flows_again()
    assert site.blamed == []


@pytest.mark.parametrize("kind", [Embedded, pytest.param(rabbitmq.Node, marks=RABBITMQ)])
def test_programs_started_before_their_broker_wait_for_it(
    start: Start, kind: type[AnyNode]
) -> None:
    late = kind()
    try:
        site = Site(start, late.url, late.url)
        site.mocks["mock1"].says("trying again")
        assert "connection refused" in site.blind(0)
        late.start()

        site.up().flows_again()
        assert site.blamed == []
    finally:
        late.stop()


def test_a_monitor_that_was_frozen_blames_nobody(site: Site) -> None:
    mark = site.monitor.mark
    site.monitor.signal(signal.SIGSTOP)
    for_seconds(5)
    site.monitor.signal(signal.SIGCONT)

    assert "late" in site.blind(mark)
    site.sees(mark)
    site.flows_again()
    assert site.blamed == []


def test_an_alarm_of_the_broker_makes_the_monitor_blind_and_nobody_down(
    site: Site, broker: AnyNode
) -> None:
    mark = site.monitor.mark
    broker.alarm()
    try:
        assert "blocks publishers" in site.blind(mark) and "memory" in site.blind(mark)
        for_seconds(4)
        assert site.monitor.notices("seeing", mark) == []
    finally:
        broker.lift_alarm()

    site.sees(mark)
    site.flows_again()
    assert site.blamed == []


def test_a_ping_queue_deleted_under_a_running_service_comes_back(site: Site) -> None:
    site.witness.delete("ping.mock1")

    eventually(lambda: site.witness.consumers("ping.mock1") == 1, 15)
    site.flows_again()
