"""Monitors beside each other, as real processes: one leads, and a death is told whoever ends.

A round is a ping to all; what went over the wire is what the test's own queue holds of it.
"""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from msgspec import structs

from orquestador.events import Ping, Sender, Status, decode, encode, timestamp
from tests.broker_layer.witness import Witness, taken
from tests.conftest import AnyNode
from tests.support.programs import ROOT, MonitorProgram, Program, run
from tests.support.proxy import Proxy
from tests.support.rabbitmq import PATIENCE, Node
from tests.support.waiting import eventually

pytestmark = [pytest.mark.broker, pytest.mark.slow, pytest.mark.one_broker]
Start = Callable[..., Program]
PROVISION = ("-m", "orquestador.provision", "--topology")
RUNNER = str(ROOT / "runner.py")
SEED = (ROOT / "topology.yaml").read_text()
SCHEMA = Draft202012Validator(json.loads((ROOT / "schemas/status.schema.json").read_text()))
AMQP_HEARTBEAT = 5.0  # seconds, a monitor's
A_MOMENT = timedelta(milliseconds=10)  # told twice, it is reckoned twice
BRISK = {"ping_every": "300ms", "settle": "500ms"}


class Tape:
    """What went over the wire since it began: pings to all, and statuses."""

    def __init__(self, witness: Witness) -> None:
        self._witness = witness
        self._rounds: list[Ping] = []
        self._statuses: list[dict[str, Any]] = []
        self.listen()

    def listen(self) -> None:
        """Also after a restart of a broker that forgets."""
        for exchange in ("heartbeat", "events"):
            self._witness.declare_exchange(exchange)
        self._witness.declare("tape")
        self._witness.bind("tape", "heartbeat", "all")
        self._witness.bind("tape", "events", "status.#")

    @property
    def rounds(self) -> list[Ping]:
        self._read()
        return self._rounds

    @property
    def statuses(self) -> list[dict[str, Any]]:
        self._read()
        return self._statuses

    def _read(self) -> None:
        with self._witness.channel() as channel:
            while message := taken(channel, "tape"):
                if message.routing_key == "all":
                    self._rounds.append(decode(Ping, message.body))
                else:
                    status = json.loads(message.body)
                    assert message.routing_key == f"status.{status['service']}"
                    decode(Status, message.body)
                    SCHEMA.validate(status)
                    self._statuses.append(status)

    @property
    def changes(self) -> list[dict[str, Any]]:
        return [s for s in self.statuses if s["detected_by"] != "repeat"]

    @property
    def repeats(self) -> list[dict[str, Any]]:
        return [s for s in self.statuses if s["detected_by"] == "repeat"]

    def deaths(self, service: str) -> list[dict[str, Any]]:
        return [s for s in self.changes if (s["service"], s["state"]) == (service, "DOWN")]

    def returns(self, service: str) -> list[dict[str, Any]]:
        """What was said of it being UP, though it had been DOWN before."""
        first = self.statuses.index(self.deaths(service)[0])
        later = self.statuses[first:]
        return [s for s in later if (s["service"], s["state"]) == (service, "UP")]

    @property
    def leader(self) -> str | None:
        """The instance that sent the last round."""
        return self.rounds[-1].sender.instance if self.rounds else None

    @property
    def epochs(self) -> list[int]:
        return [ping.epoch for ping in self.rounds]

    @property
    def went_back(self) -> list[int]:
        """Epochs of rounds that came after a round of a higher one."""
        epochs = self.epochs
        return [epoch for n, epoch in enumerate(epochs) if epoch < max(epochs[: n + 1])]

    def next_rounds(self, number: int = 2, within: float = 10.0) -> None:
        """Wait until so many more have gone out: what was going to be told is told by then."""
        before = len(self.rounds)
        eventually(lambda: len(self.rounds) >= before + number, within, every=0.05)

    def one_leads(self, within: float = 20.0) -> None:
        """Wait until the last rounds are of one monitor, and epochs are what they were."""
        mark = len(self.rounds)
        eventually(
            lambda: len(self.rounds) >= mark + 3 and len(set(self.epochs[-3:])) == 1,
            within,
            every=0.05,
        )


class Site:
    """Programs on one broker by one topology file, and what they say to each other."""

    def __init__(self, start: Start, folder: Path, url: str) -> None:
        self._start, self.url = start, url
        self.file = str(folder / "topology.yaml")
        self.witness = Witness(url)
        self.tape = Tape(self.witness)
        self.paced()

    def paced(self, **services: dict[str, Any]) -> None:
        """From now on programs read the project's file with these services' entries changed."""
        changed = yaml.safe_load(SEED)
        changed["services"]["watcher"] = {"role": "monitor"}
        changed["services"]["monitor"].update(BRISK)
        for name, entries in services.items():
            changed["services"].setdefault(name, {"role": "mock"}).update(entries)
        Path(self.file).write_text(yaml.safe_dump(changed))

    def monitor(self, *more: str, name: str = "monitor", url: str | None = None) -> MonitorProgram:
        command = (RUNNER, "--role", "monitor", "--json", "--topology", self.file)
        there = ("--name", name, "--url", url or self.url)
        program = self._start(*command, *there, *more, monitor=True)
        assert isinstance(program, MonitorProgram)
        return program

    def mock(self, name: str) -> Program:
        command = (RUNNER, "--role", "mock", "--topology", self.file, "--url", self.url)
        return self._start(*command, "--name", name)

    def provision(self) -> None:
        assert run(*PROVISION, self.file, "--url", self.url)[0] == 0

    def pair(self, *more: str, url: str | None = None) -> tuple[MonitorProgram, MonitorProgram]:
        """One that leads, by the address given, and one that stands by; both see both mocks UP."""
        first = self.monitor(*more, url=url)
        self.mocks = {name: self.mock(name) for name in ("mock1", "mock2")}
        leads(first)
        second = self.monitor(*more)
        stands_by(second)
        for monitor in (first, second):
            for name in self.mocks:
                monitor.eventually(name, "UP")
        self.tape.next_rounds()  # whoever stands by has heard the mocks, too, by now
        return first, second


def _sent(ping: Ping) -> float:
    return datetime.fromisoformat(ping.sent_at).timestamp()


def leads(monitor: MonitorProgram, after: int = 0, within: float = 15.0) -> None:
    eventually(lambda: monitor.notices("leader", after), within)


def stands_by(monitor: MonitorProgram, after: int = 0, within: float = 15.0) -> None:
    eventually(lambda: monitor.notices("standby", after), within)


def _deposed(monitor: MonitorProgram, after: int) -> bool:
    return any("standing down" in notice["text"] for notice in monitor.notices("blind", after))


@pytest.fixture
def site(start: Start, tmp_path: Path, url: str) -> Site:
    return Site(start, tmp_path, url)


def said(monitor: MonitorProgram, service: str, after: int = 0) -> list[tuple[Any, ...]]:
    """What it printed of a service, as far as two monitors must say the same."""
    return [
        (e["state"], e["reason"], e["incident"], e["since"])
        for e in monitor.events[after:]
        if e["event"] == "status" and e["service"] == service
    ]


def test_of_two_monitors_one_leads_and_the_other_says_the_same(site: Site) -> None:
    leader, standby = site.pair()
    marks = leader.mark, standby.mark
    known = len(site.tape.statuses)

    site.mocks["mock1"].signal(signal.SIGKILL)
    site.mocks["mock2"].signal(signal.SIGINT)
    for monitor, mark in zip((leader, standby), marks, strict=True):
        monitor.eventually("mock1", "DOWN", after=mark)
        monitor.eventually("mock2", "STOPPED", after=mark)
    site.mock("mock1")
    for monitor, mark in zip((leader, standby), marks, strict=True):
        monitor.eventually("mock1", "UP", after=mark)

    for service in site.mocks:
        assert said(leader, service, marks[0]) == said(standby, service, marks[1])
    assert not standby.notices("leader")
    assert {ping.sender.instance for ping in site.tape.rounds} == {site.tape.leader}
    assert len(set(site.tape.epochs)) == 1

    told = [s for s in site.tape.statuses[known:] if s["service"] == "mock1"]
    down, up = told
    assert (down["previous"], down["state"], down["reason"]) == ("UP", "DOWN", "no consumer")
    assert (down["detected_by"], down["evidence"]["consumers"]) == ("bounce", 0)
    assert down["not_before"] <= down["not_after"] == down["since"]
    assert down["instances"]["lost"] in down["evidence"]["instances"]
    assert (up["previous"], up["state"]) == ("DOWN", "UP")
    assert up["incident"] == down["incident"] is not None
    assert [down["epoch"], up["epoch"]] == site.tape.epochs[-1:] * 2


def test_a_monitor_that_starts_late_learns_every_status_at_once(site: Site) -> None:
    leader = site.monitor()
    mocks = [site.mock("mock1"), site.mock("mock2")]
    for name in ("mock1", "mock2"):
        leader.eventually(name, "UP")
    mocks[0].signal(signal.SIGKILL)
    down = leader.eventually("mock1", "DOWN")
    changes = len(site.tape.changes)

    late = site.monitor(name="watcher")
    learned = late.eventually("mock1", "DOWN")
    late.eventually("mock2", "UP", within=1)
    stands_by(late)
    assert late.notices("standby")[0]["text"] == "monitor leads, this one stands by"

    for said_alike in ("reason", "incident", "epoch"):
        assert learned[said_alike] == down[said_alike]
    for moment in ("since", "not_before", "not_after"):
        apart = datetime.fromisoformat(learned[moment]) - datetime.fromisoformat(down[moment])
        assert abs(apart) < A_MOMENT
    assert len(site.tape.changes) == changes
    assert {s["service"] for s in site.tape.repeats} == {"mock1", "mock2"}
    assert all(s["previous"] == s["state"] for s in site.tape.repeats)


@pytest.mark.parametrize("fault", ["killed", "frozen", "cut off", "stopped"])
def test_a_service_that_dies_with_its_leader_is_reported_all_the_same(
    site: Site, node: AnyNode, vhost: str, proxy: Proxy, fault: str
) -> None:
    leader, standby = site.pair(url=node.address(vhost, port=proxy.port))
    mark, marked = standby.mark, leader.mark
    within = {"frozen": 3 * AMQP_HEARTBEAT + 3}.get(fault, 3.0)
    before = site.tape.epochs[-1]

    match fault:
        case "killed":
            leader.signal(signal.SIGKILL)
        case "frozen":
            leader.signal(signal.SIGSTOP)
        case "cut off":
            assert proxy.cut() == 3
        case "stopped":
            leader.signal(signal.SIGINT)
    site.mocks["mock1"].signal(signal.SIGKILL)
    began = time.monotonic()

    leads(standby, mark, within)
    took = time.monotonic() - began
    standby.eventually("mock1", "DOWN", after=mark, within=within - took)

    if fault == "stopped":
        assert leader.wait() == 0
    if fault == "frozen":
        leader.signal(signal.SIGCONT)
    if fault in ("frozen", "cut off"):
        stands_by(leader, marked)
        leader.eventually("mock1", "DOWN", after=marked)
    site.tape.next_rounds()
    deaths = site.tape.deaths("mock1")
    assert len(deaths) in (1, 2)
    assert len({death["incident"] for death in deaths}) == 1
    assert site.tape.deaths("mock2") == []
    assert len(site.tape.went_back) <= (fault == "frozen")  # the one it was about to send
    assert site.tape.epochs[-1] > before
    assert standby.state("mock2") == "UP"

    site.mock("mock1")
    up = standby.eventually("mock1", "UP", after=standby.mark)
    assert up["incident"] == deaths[0]["incident"]


def test_the_baton_comes_back_after_a_purge_a_deletion_and_a_restart(
    start: Start, tmp_path: Path, own_node: AnyNode
) -> None:
    site = Site(start, tmp_path, own_node.url)
    site.paced(
        monitor={"settle": "7s"}
    )  # after the restart the mocks may come later than the monitors
    first, second = site.pair()

    with site.witness.channel() as channel:
        channel.queue_purge("leader")  # the one in the leader's hands stays there
    first.signal(signal.SIGKILL)
    leads(second, within=5)

    third = site.monitor()
    stands_by(third)
    marks = second.mark, third.mark
    site.witness.delete("leader")
    for monitor, mark in zip((second, third), marks, strict=True):
        eventually(lambda monitor=monitor, mark=mark: monitor.notices("blind", mark))
    site.tape.one_leads()
    assert site.tape.went_back == []

    own_node.kill()
    own_node.start()
    site.tape.listen()
    site.tape.one_leads()
    site.tape.next_rounds()
    assert site.tape.deaths("mock1") == site.tape.deaths("mock2") == []


def test_a_baton_that_was_eaten_is_put_in_again(site: Site) -> None:
    site.provision()
    with site.witness.channel() as channel:  # the single active consumer: it came first
        channel.basic_consume("leader", lambda *_: None, auto_ack=True)
        monitor = site.monitor()
        eventually(lambda: site.witness.consumers("leader") == 2)
        assert not monitor.notices("leader")

    leads(monitor, within=5)


@pytest.mark.only_rabbitmq("the embedded broker strikes nobody for holding a message")
def test_a_leader_renews_its_baton_before_the_consumer_timeout(
    start: Start, tmp_path: Path, impatient_node: Node
) -> None:
    site = Site(start, tmp_path, impatient_node.url)
    site.paced(monitor={"renew_every": "2s"})
    _, standby = site.pair()
    first = site.tape.rounds[0]

    def held_for_long() -> bool:
        return (_sent(site.tape.rounds[-1]) - _sent(first)) > 2 * PATIENCE + 2

    eventually(held_for_long, 3 * PATIENCE, every=0.1)

    assert set(site.tape.epochs) == {first.epoch}
    assert not standby.notices("leader")


def test_a_leader_that_hears_of_a_later_one_stands_down_and_comes_back_above_it(
    site: Site,
) -> None:
    leader = site.monitor()
    leads(leader)
    mark = leader.mark
    site.tape.next_rounds(1)
    later = site.tape.epochs[-1] + 10_000_000
    forged = Ping(
        id="forged",
        sequence=1,
        sender=Sender(service="monitor", instance="another"),
        epoch=later,
        sent_at=timestamp(),
        every=1.0,
    )
    site.witness.put("heartbeat", "all", encode(forged))

    why = eventually(lambda: leader.notices("blind", mark))
    leads(leader, mark)

    assert "standing down" in why[0]["text"]
    site.tape.next_rounds(1)
    assert site.tape.epochs[-1] > later
    assert site.tape.went_back == []


def test_two_batons_cost_no_wrong_verdict_and_one_death_is_one_incident(site: Site) -> None:
    """As after a partition of the broker: whoever stands in line is handed one, and leads."""
    site.provision()
    pair = site.pair("--no-provision")
    site.mocks["mock1"].signal(signal.SIGKILL)
    for monitor in pair:
        monitor.eventually("mock1", "DOWN")
    marks = [monitor.mark for monitor in pair]

    with site.witness.channel() as channel:
        channel.queue_delete("leader")
        channel.queue_declare("leader", durable=True)  # deals batons to all that consume
    for monitor, mark in zip(pair, marks, strict=True):
        leads(monitor, mark)
    eventually(lambda: any(_deposed(m, mark) for m, mark in zip(pair, marks, strict=True)))
    site.witness.delete("leader")
    site.provision()
    site.tape.one_leads()

    assert len({death["incident"] for death in site.tape.deaths("mock1")}) == 1
    assert site.tape.deaths("mock2") == []
    for monitor in pair:
        eventually(lambda monitor=monitor: monitor.state("mock1") == "DOWN")
    assert site.tape.returns("mock1") == []


def test_who_was_away_and_then_leads_does_not_repeat_what_it_knew_before(
    site: Site, node: AnyNode, vhost: str, proxy: Proxy
) -> None:
    away, other = site.pair(url=node.address(vhost, port=proxy.port))
    mark, marked = other.mark, away.mark
    proxy.cut(refuse=True)
    leads(other, mark)
    site.mocks["mock1"].signal(signal.SIGKILL)
    other.eventually("mock1", "DOWN", after=mark)
    other.signal(signal.SIGKILL)

    proxy.accept_again()
    leads(away, marked)
    away.eventually("mock1", "DOWN", after=marked)

    assert site.tape.returns("mock1") == []


def test_a_leaders_pings_to_itself_are_no_rounds_that_replicas_have_missed(site: Site) -> None:
    site.paced(mock1={"replicas": 2})
    site.mock("mock1")
    leader, standby = site.pair()
    mark = standby.mark
    last = site.tape.rounds[-1]
    own = encode(structs.replace(last, id="own"))  # as after each batch of its probes
    with site.witness.channel() as channel:
        for _ in range(8):
            channel.basic_publish("heartbeat", "monitor", own)

    leader.signal(signal.SIGKILL)
    leads(standby, mark)
    site.tape.next_rounds(1)

    assert said(standby, "mock1", mark) == []


def test_a_queue_that_was_missing_when_they_started_and_is_back_is_not_held_against_its_service(
    site: Site,
) -> None:
    """Whoever takes over remembers a 404 of its start, and asks anew."""
    site.paced(mock3={})
    site.provision()
    site.witness.delete("ping.mock3")
    leader = site.monitor("--no-provision")
    leads(leader)
    standby = site.monitor("--no-provision")
    stands_by(standby)
    for monitor in (leader, standby):
        monitor.eventually("mock3", "DOWN")

    site.provision()
    site.mock("mock3").says("mock3 answers")
    for monitor in (leader, standby):
        monitor.eventually("mock3", "UP")
    mark = standby.mark
    leader.signal(signal.SIGKILL)
    leads(standby, mark)
    site.tape.next_rounds(6)  # the bound, and more

    states = [state for state, *_ in said(standby, "mock3", mark)]
    assert "DOWN" not in states
    assert standby.state("mock3") == "UP"
