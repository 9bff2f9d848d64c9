"""What bounces and what it means, with real processes: who is judged by it, and who must not be.

All tests of one broker share a monitor, and each has a service of its own that only it starts.
"""

from __future__ import annotations

import json
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any
from uuid import uuid4

import pika
import pytest

from tests.broker_layer.witness import Witness
from tests.conftest import AnyNode
from tests.support.embedded import Embedded
from tests.support.programs import ROOT, MonitorProgram, Program, run
from tests.support.waiting import eventually

pytestmark = pytest.mark.broker
Start = Callable[[str], Program]
RUNNER = str(ROOT / "runner.py")
SEED = (ROOT / "topology.yaml").read_text().partition("\nservices:\n")[0]
SERVICES = {
    "steady": "",  # runs all the time: nothing that befalls the others is a fault of its
    "mortal": "",
    "haunted": "",
    "pair": "replicas: 2",
    "frail": "replicas: 2",
    "spare": "",
    "hanging": "",
    "bare": "",
    "leaver": "",
    "ditherer": "",
    "deleted": "",
    "missing": "",
    "unbound": "",
    "deafened": "",
    "busy": "",
    "flooded": "",
    "patient": "grace: 3s",
}
PING_EVERY = 0.5
AT_ONCE = 1.0  # seconds; it takes milliseconds, the rest is for a starved processor
BOUND = PING_EVERY + 0.5 + 2 * 0.25  # of a fault that only silence shows


class Site:
    """A monitor that writes down what it sees, under a topology with these services."""

    def __init__(
        self, url: str, folder: Path, services: dict[str, str], every: float, prefix: str = ""
    ) -> None:
        self.url = url
        self.topology, self._record = folder / "topology.yaml", folder / "record"
        lines = [f"  {name}: {{role: mock, {more}}}" for name, more in services.items()]
        watching = f"  monitor: {{role: monitor, settle: 1s, ping_every: {every}s}}"
        head = [SEED, f"prefix: {prefix}"] if prefix else [SEED]
        self.topology.write_text("\n".join([*head, "services:", watching, *lines, ""]))
        self.witness = Witness(url)
        self._read: list[Any] = []
        self.monitor = MonitorProgram(
            *self._command("monitor"), "--json", "--record", str(self._record)
        )

    def service(self, name: str, *more: str) -> Program:
        return Program(*self._command("mock"), "--name", name, *more)

    def _command(self, role: str) -> tuple[str, ...]:
        return (RUNNER, "--role", role, "--topology", str(self.topology), "--url", self.url)

    def states(self, service: str, mark: int) -> list[tuple[str, str]]:
        """State and reason of each change that was told since."""
        told = self.monitor.notices("status", mark)
        return [(each["state"], each["reason"]) for each in told if each["service"] == service]

    @property
    def noted(self) -> int:
        """How many pieces of evidence it has written down."""
        return len(self._evidence())

    def echoes(self, service: str, after: int = 0, phase: str = "alive") -> list[Any]:
        echoes = [said[0] for what, _now, *said in self._evidence()[after:] if what == "echo"]
        return [e for e in echoes if (e["service"], e["phase"]) == (service, phase)]

    def bounces(self, service: str, after: int = 0) -> int:
        """How many pings of its came to the monitor."""
        return len(self._about("bounced", service, after))

    def counted(self, service: str, after: int = 0) -> list[int]:
        """The consumers of its queue, each time that they were asked for; the monitor is one."""
        return [consumers for (consumers,) in self._about("counted", service, after)]

    def _about(self, kind: str, service: str, after: int) -> list[Any]:
        evidence = [said for what, _now, *said in self._evidence()[after:] if what == kind]
        return [more for name, *more in evidence if name == service]

    def answers(self, service: str, times: int = 3) -> list[Any]:
        """Wait for so many more answers of its; they are in the result."""
        noted = self.noted

        def enough() -> list[Any] | None:
            echoes = self.echoes(service, noted)
            return echoes if len(echoes) >= times else None

        found = eventually(enough)
        assert found is not None
        return found

    def _evidence(self) -> list[Any]:
        lines = self._record.read_text().split("\n")[1:-1]  # after the header, and whole
        self._read += [json.loads(line) for line in lines[len(self._read) :]]
        return self._read

    def killed(self, program: Program, service: str) -> tuple[dict[str, Any], float]:
        """The DOWN that follows a SIGKILL, and after how many seconds it is read."""
        mark, at = self.monitor.mark, time.monotonic()
        program.signal(signal.SIGKILL)
        down = self.monitor.eventually(service, "DOWN", within=AT_ONCE, after=mark)
        return down, time.monotonic() - at


@pytest.fixture(scope="module")
def shared_node(request: pytest.FixtureRequest) -> Iterator[AnyNode]:
    """An embedded broker for this file, or the session's RabbitMQ: no test here ends either."""
    if request.param == "rabbitmq":
        yield request.getfixturevalue("rabbitmq_node")
        return
    started = Embedded().start()
    yield started
    started.stop()


@pytest.fixture(scope="module")
def place(shared_node: AnyNode) -> str:
    """The address of a vhost for this file, where the broker has several."""
    if isinstance(shared_node, Embedded):
        return shared_node.url
    shared_node.add_vhosts(["rules"])
    return shared_node.address("rules")


@pytest.fixture(scope="module")
def site(place: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    site = Site(place, tmp_path_factory.mktemp("rules"), SERVICES, PING_EVERY)
    with ExitStack() as stack:
        stack.callback(site.monitor.end)
        site.monitor.says('"leader"')
        stack.callback(site.service("steady").end)
        site.monitor.eventually("steady", "UP")
        yield site


@pytest.fixture(autouse=True)
def the_others_are_not_touched(site: Site) -> Iterator[None]:
    """Whatever befalls one service, the one beside it is never called down."""
    mark = site.monitor.mark
    yield
    assert "DOWN" not in dict(site.states("steady", mark))
    assert site.monitor.running, site.monitor.errors


@pytest.fixture
def begin(site: Site) -> Iterator[Callable[..., Program]]:
    """Starts a service and waits until it is UP, or only until it answers (`up=False`)."""
    with ExitStack() as stack:

        def started(name: str, *more: str, up: bool = True, at: Site = site) -> Program:
            mark = at.monitor.mark
            program = at.service(name, *more)
            stack.callback(program.end)
            if up:
                at.monitor.eventually(name, "UP", after=mark)
            else:
                program.says(f"{name} answers pings")
            return program

        yield started


class Client:
    """A service without anything of ours: plain pika on a thread, JSON written by hand.

    By default the simplest one that docs/protocol.md allows: it acknowledges each ping at once and
    echoes it.  `hold`: seconds until it acknowledges.
    """

    def __init__(
        self,
        url: str,
        service: str,
        *,
        prefetch: int = 2,
        priority: int = 0,
        answers: bool = True,
        hold: float = 0.0,
    ) -> None:
        self.hold = hold
        self.instance = uuid4().hex
        self.held = 0
        self._service, self._answers = service, answers
        self._started_at = _now()
        self._connection = pika.BlockingConnection(pika.URLParameters(url))
        self._channel = self._connection.channel()
        self._channel.basic_qos(prefetch_count=prefetch)
        self._tag = self._channel.basic_consume(
            f"ping.{service}", self._on_ping, arguments={"x-priority": priority}
        )
        if answers:
            self._say("hello")
        self._gone = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def vanish(self) -> None:
        """Without a goodbye; what it holds is the broker's again."""
        self._gone.set()
        self._thread.join(10)

    def cancel(self) -> None:
        self._connection.add_callback_threadsafe(partial(self._channel.basic_cancel, self._tag))

    def goodbye(self) -> None:
        self._connection.add_callback_threadsafe(partial(self._say, "goodbye"))

    def _run(self) -> None:
        while not self._gone.is_set():
            self._connection.process_data_events(0.01)
        self._connection.close()

    def _on_ping(self, channel: Any, method: Any, _properties: object, body: bytes) -> None:
        self.held += 1
        if not self.hold:
            self._acknowledge(method.delivery_tag)
        elif math.isfinite(self.hold):
            self._connection.call_later(self.hold, partial(self._acknowledge, method.delivery_tag))
        if self._answers:
            self._say("alive", json.loads(body), method.redelivered)

    def _acknowledge(self, tag: int) -> None:
        self._channel.basic_ack(tag)
        self.held -= 1

    def _say(
        self, phase: str, ping: dict[str, Any] | None = None, redelivered: bool = False
    ) -> None:
        echo = {
            "version": 1,
            "phase": phase,
            "ping": ping and ping["id"],
            "sequence": ping and ping["sequence"],
            "service": self._service,
            "instance": self.instance,
            "started_at": self._started_at,
            "redelivered": redelivered,
            "health": "ok",
        }
        self._channel.basic_publish("events", f"echo.{self._service}", json.dumps(echo).encode())


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@pytest.fixture
def client(site: Site) -> Iterator[Callable[..., Client]]:
    with ExitStack() as stack:

        def started(service: str, **options: Any) -> Client:
            begun = Client(site.url, service, **options)
            stack.callback(begun.vanish)
            return begun

        yield started


def flood(site: Site, service: str, pings: int, apart: float = 0.0) -> None:
    """Pings of somebody else, who promises no more of them."""
    with site.witness.channel() as channel:
        for number in range(1, pings + 1):
            ping = {
                "version": 1,
                "id": uuid4().hex,
                "sequence": number,
                "sender": {"service": "stranger", "instance": "s"},
                "epoch": 0,
                "sent_at": _now(),
                "every": 1.0,
            }
            channel.basic_publish("heartbeat", service, json.dumps(ping).encode())
            if apart:
                channel.connection.process_data_events(apart)  # the pace is the test's subject


# -- one that dies


def test_a_killed_service_is_down_by_its_bounce_in_milliseconds_each_time(
    site: Site, begin: Callable[..., Program]
) -> None:
    took, incidents = [], []
    for _ in range(5):
        down, seconds = site.killed(begin("mortal"), "mortal")

        assert (down["reason"], down["detected_by"]) == ("no consumer", "bounce")
        assert down["not_before"] <= down["not_after"]
        took.append(seconds)
        incidents.append(down["incident"])

    assert median(took) < 0.25
    assert len(set(incidents)) == 5
    asked = len(site.counted("mortal"))
    bounces = site.bounces("mortal")
    eventually(lambda: site.bounces("mortal") > bounces)
    assert len(site.counted("mortal")) == asked  # one that is down is not asked about


def test_with_a_ping_every_30_s_a_killed_service_is_down_as_fast(
    site: Site, begin: Callable[..., Program], tmp_path: Path
) -> None:
    services = {"mortal": "", "other": ""}
    rare = Site(site.url, tmp_path, services, every=30, prefix="rare.")
    try:
        rare.monitor.says('"leader"')
        begin("other", at=rare)
        for _ in range(3):
            down, _ = rare.killed(begin("mortal", at=rare), "mortal")
            assert (down["reason"], down["detected_by"]) == ("no consumer", "bounce")
        assert rare.monitor.state("other") == "UP"
    finally:
        rare.monitor.end()


def test_grace_is_time_to_come_back_and_no_more(site: Site, begin: Callable[..., Program]) -> None:
    patient = begin("patient")
    mark = site.monitor.mark
    patient.signal(signal.SIGKILL)
    site.monitor.eventually("patient", "SUSPECT", within=AT_ONCE, after=mark)
    patient = begin("patient")
    assert site.states("patient", mark) == [("SUSPECT", "no consumer"), ("UP", "answering")]

    mark = site.monitor.mark
    patient.signal(signal.SIGKILL)
    suspect = site.monitor.eventually("patient", "SUSPECT", within=AT_ONCE, after=mark)
    down = site.monitor.eventually("patient", "DOWN", within=3 + AT_ONCE, after=mark)
    assert site.states("patient", mark) == [("SUSPECT", "no consumer"), ("DOWN", "no consumer")]
    apart = datetime.fromisoformat(down["at"]) - datetime.fromisoformat(suspect["at"])
    assert 2.9 < apart.total_seconds() < 3 + AT_ONCE


# -- a bounce that is no verdict


def test_a_half_open_connection_that_lets_go_of_its_pings_does_not_make_its_successor_down(
    site: Site, begin: Callable[..., Program], client: Callable[..., Client]
) -> None:
    begin("haunted")
    mark = site.monitor.mark
    ghost = client("haunted", priority=10, prefetch=3, answers=False, hold=math.inf)
    flood(site, "haunted", 6)  # they take turns
    eventually(lambda: ghost.held == 3)
    noted = site.noted

    ghost.vanish()

    # The service's window has room for one of the three at once: the others come to the monitor.
    eventually(lambda: site.bounces("haunted", noted))
    # None of the answers is 1; one to an earlier question counts the ghost, too.
    assert set(eventually(lambda: site.counted("haunted", noted))) <= {2, 3}
    site.answers("haunted", 4)
    assert site.monitor.state("haunted") == "UP"
    assert "DOWN" not in dict(site.states("haunted", mark))


def test_a_full_window_is_no_fault_while_its_service_echoes_and_silence_when_it_stays_full(
    site: Site, client: Callable[..., Client]
) -> None:
    mark = site.monitor.mark
    busy = client("busy", prefetch=2, hold=0.2)
    site.monitor.eventually("busy", "UP", after=mark)
    noted = site.noted
    for _ in range(3):
        flood(site, "busy", 10)
        site.answers("busy", 3)
    assert site.bounces("busy", noted) > 10
    assert "DOWN" not in dict(site.states("busy", mark))

    busy.hold = math.inf
    down = site.monitor.eventually("busy", "DOWN", within=2 * BOUND + AT_ONCE, after=mark)
    assert (down["reason"], down["detected_by"]) == ("silent", "silence")
    counted = site.counted("busy", noted)
    assert set(counted) == {2}


def test_200_pings_at_5_ms_change_nothing(site: Site, begin: Callable[..., Program]) -> None:
    begin("flooded")
    mark, noted = site.monitor.mark, site.noted

    flood(site, "flooded", 200, apart=0.005)

    site.answers("flooded")
    assert len(site.echoes("flooded", noted)) > 100
    assert "DOWN" not in dict(site.states("flooded", mark))
    assert site.bounces("flooded", noted) <= 20


def test_a_client_without_a_lease_is_up_and_its_death_is_seen_at_the_next_ping(
    site: Site, client: Callable[..., Client]
) -> None:
    mark = site.monitor.mark
    bare = client("bare")
    site.monitor.eventually("bare", "UP", after=mark)
    mark, noted = site.monitor.mark, site.noted
    site.answers("bare", 4)
    assert site.states("bare", mark) == []
    assert site.bounces("bare", noted) == 0

    bare.vanish()

    down = site.monitor.eventually("bare", "DOWN", within=PING_EVERY + AT_ONCE, after=mark)
    assert (down["reason"], down["detected_by"]) == ("no consumer", "bounce")
    assert down["instances"]["lost"] == bare.instance


# -- replicas


def test_a_survivor_reports_its_dead_replica(site: Site, begin: Callable[..., Program]) -> None:
    mark = site.monitor.mark
    first = begin("pair", up=False)
    site.monitor.eventually("pair", "DEGRADED", after=mark)
    word = site.answers("pair", 1)[0]["instance"]
    begin("pair")
    mark = site.monitor.mark

    first.signal(signal.SIGKILL)

    alone = site.monitor.eventually("pair", "DEGRADED", within=AT_ONCE, after=mark)
    assert (alone["reason"], alone["text"]) == ("replicas", "1 of 2")
    assert alone["detected_by"] == "survivor"
    assert alone["instances"] == {"live": 1, "expected": 2, "lost": word}
    begin("pair")
    assert [state for state, _ in site.states("pair", mark)] == ["DEGRADED", "UP"]


def test_a_hung_replica_degrades_its_service_and_its_death_changes_nothing_more(
    site: Site, begin: Callable[..., Program]
) -> None:
    first = begin("frail", up=False)
    second = begin("frail")
    mark = site.monitor.mark

    first.signal(signal.SIGSTOP)
    site.monitor.eventually("frail", "DEGRADED", within=8, after=mark)
    first.signal(signal.SIGKILL)

    site.answers("frail", 4)
    assert [state for state, _ in site.states("frail", mark)] == ["DEGRADED"]
    down, _ = site.killed(second, "frail")
    assert (down["reason"], down["detected_by"]) == ("no consumer", "bounce")


def test_a_second_start_of_a_service_that_wants_one_takes_over_without_a_word(
    site: Site, begin: Callable[..., Program]
) -> None:
    first = begin("spare")
    mark = site.monitor.mark
    noted = site.noted
    second = begin("spare", up=False)
    hello = eventually(lambda: site.echoes("spare", noted, "hello"))[0]
    word = hello["instance"]
    first.signal(signal.SIGKILL)

    # What the first one said last may still be on its way.
    eventually(lambda: {echo["instance"] for echo in site.answers("spare")} == {word})
    assert site.states("spare", mark) == []
    down, _ = site.killed(second, "spare")
    # The first one is still known if it was killed with a ping in work, which names nobody.
    assert down["reason"] == "no consumer" and word in down["evidence"]["instances"]


# -- a service that hangs


def test_a_hung_service_is_down_by_silence_and_up_again_when_it_goes_on(
    site: Site, begin: Callable[..., Program]
) -> None:
    hanging = begin("hanging")
    mark = site.monitor.mark
    hanging.signal(signal.SIGSTOP)
    down = site.monitor.eventually("hanging", "DOWN", within=BOUND + AT_ONCE, after=mark)
    assert site.states("hanging", mark) == [("SUSPECT", "silent"), ("DOWN", "silent")]

    hanging.signal(signal.SIGCONT)
    back = site.monitor.eventually("hanging", "UP", within=BOUND + AT_ONCE, after=mark)
    assert back["incident"] == down["incident"]

    mark = site.monitor.mark
    hanging.signal(signal.SIGSTOP)
    site.monitor.eventually("hanging", "SUSPECT", within=BOUND + AT_ONCE, after=mark)
    down, _ = site.killed(hanging, "hanging")
    assert (down["reason"], down["detected_by"]) == ("no consumer", "bounce")


# -- goodbye


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_goodbye_is_stopped_at_once_and_nothing_bounces_before_it(
    site: Site, begin: Callable[..., Program], number: signal.Signals
) -> None:
    leaver = begin("leaver")
    mark, noted = site.monitor.mark, site.noted

    leaver.signal(number)

    stopped = site.monitor.eventually("leaver", "STOPPED", within=AT_ONCE, after=mark)
    assert (stopped["reason"], stopped["detected_by"]) == ("goodbye", "goodbye")
    assert stopped["incident"] is None
    assert "withdrawn" not in stopped["evidence"]
    assert site.bounces("leaver", noted) == 0
    eventually(lambda: site.bounces("leaver", noted) > 1)
    assert site.counted("leaver", noted) == []
    assert site.states("leaver", mark) == [("STOPPED", "goodbye")]


def test_a_no_consumer_read_before_the_goodbye_is_withdrawn_by_it(
    site: Site, client: Callable[..., Client]
) -> None:
    mark = site.monitor.mark
    ditherer = client("ditherer")
    site.monitor.eventually("ditherer", "UP", after=mark)
    mark = site.monitor.mark
    ditherer.cancel()
    down = site.monitor.eventually("ditherer", "DOWN", within=2.0 + AT_ONCE, after=mark)
    assert down["reason"] == "no consumer"

    ditherer.goodbye()

    stopped = site.monitor.eventually("ditherer", "STOPPED", within=AT_ONCE, after=mark)
    assert stopped["incident"] == down["incident"] is not None
    assert stopped["evidence"]["withdrawn"] is True


# -- queues that change under a service


def test_a_queue_deleted_again_and_again_is_back_with_its_service_and_watched_as_before(
    site: Site, begin: Callable[..., Program]
) -> None:
    deleted = begin("deleted")
    mark = site.monitor.mark
    for _ in range(4):
        noted = site.noted
        site.witness.delete("ping.deleted")
        eventually(lambda noted=noted: site.echoes("deleted", noted))
        eventually(lambda: site.witness.consumers("ping.deleted") == 2, AT_ONCE)
    eventually(lambda: site.monitor.state("deleted") == "UP")
    assert set(site.states("deleted", mark)) <= {("DOWN", "not provisioned"), ("UP", "answering")}
    down, _ = site.killed(deleted, "deleted")
    assert (down["reason"], down["detected_by"]) == ("no consumer", "bounce")


def test_a_queue_that_nobody_may_make_again_is_not_provisioned_until_it_is(
    site: Site, begin: Callable[..., Program]
) -> None:
    missing = begin("missing", "--no-provision")
    mark = site.monitor.mark

    site.witness.delete("ping.missing")

    down = site.monitor.eventually("missing", "DOWN", within=AT_ONCE, after=mark)
    assert down["reason"] == "not provisioned"
    provision = ("-m", "orquestador.provision", "--topology", str(site.topology))
    assert run(*provision, "--url", site.url)[0] == 0
    back = site.monitor.eventually("missing", "UP", after=mark)
    assert back["incident"] == down["incident"]
    eventually(lambda: site.witness.consumers("ping.missing") == 2)
    down, _ = site.killed(missing, "missing")
    assert (down["reason"], down["detected_by"]) == ("no consumer", "bounce")


def test_a_queue_that_is_no_longer_bound_is_bound_again_and_said(
    site: Site, begin: Callable[..., Program]
) -> None:
    begin("unbound")
    mark = site.monitor.mark

    with site.witness.channel() as channel:
        for key in ("all", "unbound"):
            channel.queue_unbind("ping.unbound", "heartbeat", key)

    said = eventually(lambda: site.monitor.notices("warning", mark))[0]
    assert said["service"] == "unbound"
    assert "not bound" in str(said["text"])
    site.answers("unbound")
    eventually(lambda: site.monitor.state("unbound") == "UP")
    assert "DOWN" not in dict(site.states("unbound", mark))


def test_a_queue_that_lost_its_binding_to_the_rounds_alone_is_bound_to_them_again(
    site: Site, begin: Callable[..., Program]
) -> None:
    """Its probes reach it, so that none of them is returned."""
    begin("deafened")
    mark = site.monitor.mark

    with site.witness.channel() as channel:
        channel.queue_unbind("ping.deafened", "heartbeat", "all")

    site.monitor.eventually("deafened", "UP", after=mark)
    site.answers("deafened", 6)
    assert site.states("deafened", mark) == [("SUSPECT", "silent"), ("UP", "answering")]
