"""Real processes through restarts, cuts, frozen brokers and alarms: nobody ends or is blamed."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

import pytest

from orquestador.events import Echo, decode
from tests.broker_layer.witness import Witness
from tests.conftest import AnyNode
from tests.support import rabbitmq
from tests.support.embedded import Embedded
from tests.support.programs import ROOT, MonitorProgram, Program
from tests.support.proxy import Proxy
from tests.support.waiting import eventually

pytestmark = [pytest.mark.broker, pytest.mark.slow, pytest.mark.one_broker]
RABBITMQ = pytest.mark.skipif(not rabbitmq.installed(), reason="needs rabbitmq-server")
Start = Callable[..., Program]
MOCKS = ("mock1", "mock2")
TOPOLOGY = ROOT / "topology.yaml"
SETTLE = 7.0  # seconds, unless the file says otherwise
AT_ONCE = 1.0  # seconds; it takes milliseconds, the rest is for a starved processor


class Site:
    """A monitor and two mocks on one broker, and an ear of the test's own beside them.

    `through`: another address for some of them, by name.
    """

    def __init__(
        self,
        start: Start,
        url: str,
        *,
        through: Mapping[str, str] | None = None,
        topology: Path = TOPOLOGY,
    ) -> None:
        self.witness = Witness(url)
        self._start, self._topology = start, str(topology)
        self._addresses = {"monitor": url, **dict.fromkeys(MOCKS, url), **(through or {})}
        self.mocks = {name: self.mock(name) for name in MOCKS}
        monitor = start(*self._command("monitor", "monitor"), "--json", monitor=True)
        assert isinstance(monitor, MonitorProgram)
        self.monitor = monitor
        self.instances: dict[str, str] = {}

    def mock(self, name: str) -> Program:
        return self._start(*self._command("mock", name), "--name", name)

    def _command(self, role: str, name: str) -> tuple[str, ...]:
        url = self._addresses.get(name, self._addresses["monitor"])
        return ("runner.py", "--role", role, "--topology", self._topology, "--url", url)

    def up(self) -> Site:
        """Wait until both mocks are UP, and remember which start of theirs that is."""
        for name, mock in self.mocks.items():
            mock.says(f"{name} answers pings")
            self.monitor.eventually(name, "UP")
        self._listen()
        self.instances = {name: self._echo(name).instance for name in MOCKS}
        return self

    def _listen(self) -> None:
        """From now on: what an earlier test or an earlier broker has left is forgotten."""
        self.witness.declare("ear")
        self.witness.bind("ear", "events", "echo.#")
        with self.witness.channel() as channel:
            channel.queue_purge("ear")

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
        self._listen()
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
        return [status for status in self.monitor.notices("status") if status["state"] == "DOWN"]

    @property
    def blamed_services(self) -> set[object]:
        return {status["service"] for status in self.blamed}

    def missed(self, service: str, mark: int, within: float = AT_ONCE) -> dict[str, object]:
        """Its DOWN, which the broker itself has told."""
        down = self.monitor.eventually(service, "DOWN", within=within, after=mark)
        assert (down["reason"], down["detected_by"]) == ("no consumer", "bounce")
        return down


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
    return Site(start, url).up()


def topology(folder: Path, *services: str, settle: str = "7s") -> Path:
    """The experiment's file with more services, or another time to settle."""
    role = "    role: monitor\n"
    written = TOPOLOGY.read_text().replace(role, f"{role}    settle: {settle}\n")
    path = folder / "topology.yaml"
    path.write_text(written + "".join(f"  {name}: {{role: mock}}\n" for name in services))
    return path


def for_seconds(seconds: float) -> None:
    """The length of a fault is the test's subject, not a wait for something."""
    until = time.monotonic() + seconds
    eventually(lambda: time.monotonic() > until, seconds + 5)


def test_who_returns_after_a_restart_of_the_broker_is_not_blamed_and_who_does_not_is(
    start: Start, broker: AnyNode, place: str, tmp_path: Path
) -> None:
    site = Site(start, broker.address(place), topology=topology(tmp_path, "mock3"))
    mock3 = site.mock("mock3")
    site.up().monitor.eventually("mock3", "UP")
    mark = site.monitor.mark
    broker.kill()
    assert site.blind(mark)
    mock3.signal(signal.SIGKILL)
    broker.start()

    site.sees(mark)
    site.flows_again()
    sees = datetime.fromisoformat(str(site.monitor.notices("seeing", mark)[0]["at"]))
    down = site.missed("mock3", mark, within=SETTLE + 2)
    late = datetime.fromisoformat(str(down["at"])) - sees
    assert late.total_seconds() > SETTLE - 1  # it might have returned as late as that
    assert site.blamed_services == {"mock3"}


def test_connections_cut_five_times(start: Start, broker: AnyNode, place: str) -> None:
    with Proxy(broker.port) as proxy:
        through = dict.fromkeys(("monitor", *MOCKS), broker.address(place, port=proxy.port))
        site = Site(start, broker.address(place), through=through).up()
        for _ in range(5):
            mark = site.monitor.mark
            proxy.cut()
            site.blind(mark)
            site.sees(mark)
            site.flows_again()

    assert site.blamed == []


def test_a_monitor_that_loses_its_connections_alone_blames_nobody(
    start: Start, broker: AnyNode, place: str
) -> None:
    with Proxy(broker.port) as proxy:
        through = {"monitor": broker.address(place, port=proxy.port)}
        site = Site(start, broker.address(place), through=through).up()
        for _ in range(5):
            mark = site.monitor.mark
            proxy.cut()
            site.blind(mark)
            site.sees(mark)
        site.flows_again()

    assert site.blamed == []


def test_a_service_whose_connection_is_cut_is_down_alone_until_it_is_back(
    start: Start, broker: AnyNode, place: str
) -> None:
    with Proxy(broker.port) as proxy:
        through = {"mock1": broker.address(place, port=proxy.port)}
        site = Site(start, broker.address(place), through=through).up()
        mark = site.monitor.mark
        proxy.cut(refuse=True)
        site.missed("mock1", mark)
        proxy.accept_again()
        site.flows_again()
        proxy.cut()  # it may be back before anybody has noticed
        site.flows_again()

    assert site.blamed_services == {"mock1"}
    assert {status["reason"] for status in site.blamed} == {"no consumer"}


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
        site = Site(start, late.url)
        site.mocks["mock1"].says("trying again")
        assert "connection refused" in site.blind(0)
        late.start()

        site.up().flows_again()
        assert site.blamed == []
    finally:
        late.stop()


def test_a_monitor_frozen_for_longer_than_its_heartbeats_blames_nobody(site: Site) -> None:
    mark = site.monitor.mark
    site.monitor.signal(signal.SIGSTOP)
    for_seconds(12)
    site.monitor.signal(signal.SIGCONT)

    assert site.blind(mark)
    site.sees(mark)
    site.flows_again()
    assert site.blamed == []


def test_a_service_killed_while_the_monitor_is_frozen_is_missed_when_it_wakes(site: Site) -> None:
    mark = site.monitor.mark
    site.monitor.signal(signal.SIGSTOP)
    site.mocks["mock2"].signal(signal.SIGKILL)
    for_seconds(1)
    site.monitor.signal(signal.SIGCONT)

    assert "late" in site.blind(mark)
    site.missed("mock2", mark)
    assert site.blamed_services == {"mock2"}


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


def test_programs_started_under_an_alarm_wait_for_its_end(
    start: Start, broker: AnyNode, place: str, tmp_path: Path
) -> None:
    broker.alarm()
    try:
        url = broker.address(place)
        site = Site(start, url, topology=topology(tmp_path, settle="1s"))
        eventually(lambda: "blocks publishers" in str(site.monitor.notices("blind")[-1:]))
        for_seconds(2)  # it has settled long ago
        assert {status["state"] for status in site.monitor.notices("status")} == {"UNKNOWN"}
    finally:
        broker.lift_alarm()

    site.up().flows_again()
    assert site.blamed == []


def test_a_service_killed_under_an_alarm_is_missed_at_its_end(site: Site, broker: AnyNode) -> None:
    mark = site.monitor.mark
    broker.alarm()
    try:
        site.blind(mark)
        site.mocks["mock2"].signal(signal.SIGKILL)
        for_seconds(1)
        assert site.blamed == []
    finally:
        broker.lift_alarm()

    site.missed("mock2", mark, within=5)
    site.sees(mark)
    assert site.blamed_services == {"mock2"}


def test_a_monitor_whose_baton_is_deleted_watches_on(site: Site) -> None:
    mark = site.monitor.mark
    site.witness.delete("leader")

    site.blind(mark)
    site.sees(mark)
    eventually(lambda: site.monitor.notices("leader", mark))
    site.flows_again()
    assert site.blamed == []
    mark = site.monitor.mark
    site.mocks["mock1"].signal(signal.SIGKILL)
    site.missed("mock1", mark)
