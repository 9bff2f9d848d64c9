"""A cluster of three RabbitMQ nodes, each killed in turn: who is called down, and what is lost."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from pika import BlockingConnection, URLParameters

from orquestador import Bus, NotConfirmed
from tests.broker_layer.witness import Witness, taken
from tests.support.cluster import Cluster
from tests.support.programs import ROOT, MonitorProgram, Program, run
from tests.support.rabbitmq import Node
from tests.support.waiting import eventually

pytestmark = [
    pytest.mark.broker,
    pytest.mark.slow,
    pytest.mark.only_rabbitmq("the embedded broker is no cluster"),
    pytest.mark.timeout(240),  # all of one file's kills are in one set-up
]
Start = Callable[..., Program]
RUNNER = str(ROOT / "runner.py")
SEED = (ROOT / "topology.yaml").read_text().partition("\nservices:\n")[0]
MONITOR = "  monitor: {role: monitor, settle: 2s}\n"
PINNED = ("first", "second", "third")  # each knows the address of one node only
ROAMING = "anywhere"  # knows all three
SERVICES = (*PINNED, ROAMING)
ORDERS = "orders"
QUORUM = f"""\
{SEED}
defaults: {{queues: {{type: quorum}}}}
queues:
  {ORDERS}: {{}}
services:
{MONITOR}{"".join(f"  {name}: {{role: mock}}{chr(10)}" for name in SERVICES)}"""
CLASSIC = f"{SEED}\nservices:\n{MONITOR}  near: {{role: mock}}\n"
SOON = timedelta(seconds=1)  # from a hello until a monitor has read it


@dataclass(frozen=True)
class Outage:
    """One service's node was killed at `began`; it answered pings again, on `port`, at `ended`."""

    service: str
    began: datetime
    ended: datetime
    port: int

    def covers(self, moment: datetime) -> bool:
        return self.began <= moment <= self.ended + SOON


@dataclass
class Story:
    """Two monitors and four services, through the kills of all three nodes."""

    statuses: list[dict[str, Any]] = field(default_factory=list)
    outages: list[Outage] = field(default_factory=list)
    led: list[dict[str, Node]] = field(default_factory=list)
    """Before each kill: which node led which queue."""
    heard: list[bool] = field(default_factory=list)
    """While each was dead: whether every service that had a node to go to answered pings."""
    published: list[bool] = field(default_factory=list)
    """While each was dead: whether publishes were confirmed again."""
    leading: list[bool] = field(default_factory=list)
    """After each kill: whether exactly one of the two monitors led."""
    ended: list[str] = field(default_factory=list)
    """What the programs printed that did not live to the end."""
    confirmed: list[int] = field(default_factory=list)
    stored: list[int] = field(default_factory=list)

    @property
    def downs(self) -> list[dict[str, Any]]:
        return [status for status in self.statuses if status["state"] == "DOWN"]

    def outages_of(self, *services: str) -> list[Outage]:
        return [outage for outage in self.outages if outage.service in services]


class Site:
    """The programs of a story, and what they tell."""

    def __init__(self, cluster: Cluster, topology: Path, stack: ExitStack) -> None:
        self.cluster, self._topology, self._stack = cluster, str(topology), stack
        self.story = Story()
        self.publisher = Publisher(topology, cluster.addresses)
        stack.callback(self.publisher.stop)
        urls = dict(zip(PINNED, (node.url for node in cluster.nodes), strict=True))
        urls[ROAMING] = cluster.addresses
        self.services = {
            name: self._program("mock", "--name", name, "--url", url) for name, url in urls.items()
        }
        watching = ("monitor", "--json", "--url", cluster.addresses)
        self.monitors = [
            self._program(*watching, kind=MonitorProgram),
            self._program(*watching, kind=MonitorProgram),
        ]

    def _program(self, *command: str, kind: type[Any] = Program) -> Any:
        program = kind(RUNNER, "--role", *command, "--topology", self._topology)
        self._stack.callback(program.end)
        return program

    def up(self, within: float = 30.0) -> None:
        """Both monitors say that all services are up."""
        for monitor in self.monitors:
            for name in SERVICES:
                try:
                    eventually(lambda m=monitor, n=name: m.state(n) == "UP", within)
                except AssertionError:
                    said = "\n".join([*monitor.lines, *monitor.errors])
                    raise AssertionError(f"{name} not UP again:\n{said}") from None

    def ports(self, service: str) -> list[int]:
        """Of each connection on which it has said that it answers, the last one last."""
        found = (
            re.search(r"answers pings on .*:(\d+)/", line) for line in self.services[service].lines
        )
        return [int(match[1]) for match in found if match]

    def lives_through(self, node: Node) -> None:
        """One node is killed and, once its services have been missed, started again."""
        connected = {name: self.ports(name) for name in SERVICES}
        hit = [name for name in SERVICES if connected[name][-1] == node.port]
        self.story.led.append(self.cluster.leaders())
        marks = [monitor.mark for monitor in self.monitors]
        began = datetime.now(UTC)
        node.kill()
        if ROAMING in hit:
            self._reconnected(ROAMING, connected[ROAMING], began)
        pinned = PINNED[self.cluster.nodes.index(node)]
        others = [name for name in SERVICES if name != pinned]
        self.story.heard.append(comes(lambda: hears(self.cluster.living[0].url, *others)))
        self.story.published.append(comes(self.publisher.goes_on))
        comes(lambda: eventually(lambda: self._down(pinned, marks)))
        self.cluster.whole()
        self._reconnected(pinned, connected[pinned], began)
        self.up()
        self.story.leading.append(comes(lambda: eventually(self._one_leads, 5)))

    def _reconnected(self, service: str, before: list[int], began: datetime) -> None:
        eventually(lambda: len(self.ports(service)) > len(before), 20)
        now = datetime.now(UTC)
        self.story.outages.append(Outage(service, began, now, self.ports(service)[-1]))

    def _down(self, service: str, marks: list[int]) -> bool:
        return any(
            (event.get("service"), event.get("state")) == (service, "DOWN")
            for monitor, mark in zip(self.monitors, marks, strict=True)
            for event in monitor.events[mark:]
        )

    def _one_leads(self) -> bool:
        return sum(leads(monitor) for monitor in self.monitors) == 1

    def told(self) -> Story:
        for program in (*self.monitors, *self.services.values()):
            if not program.running:
                self.story.ended.append("\n".join([*program.lines, *program.errors]))
        for monitor in self.monitors:
            self.story.statuses += monitor.notices("status")
        self.story.confirmed = self.publisher.stop()
        self.story.stored = stored(self.cluster.nodes[0].url)
        return self.story


def leads(monitor: MonitorProgram) -> bool:
    """Whether that is what the monitor said last of its own part."""
    parts = [e["event"] for e in monitor.events if e["event"] in ("leader", "standby")]
    return parts[-1:] == ["leader"]


def comes(wait: Callable[[], object]) -> bool:
    """Whether what is waited for comes; what that says is for a test."""
    try:
        wait()
    except AssertionError:
        return False
    return True


def hears(url: str, *services: str, rounds: int = 1, within: float = 15.0) -> None:
    """Wait until each of the services has answered so many rounds more."""
    connection = BlockingConnection(URLParameters(url))
    answered: dict[str, set[int]] = {service: set() for service in services}
    try:
        channel = connection.channel()
        ear = channel.queue_declare("", exclusive=True).method.queue
        channel.queue_bind(ear, "events", "echo.*")

        def enough() -> bool:
            while (message := taken(channel, ear)) is not None:
                echo = json.loads(message.body)
                if echo["phase"] == "alive" and echo["service"] in answered:
                    answered[echo["service"]].add(echo["sequence"])
            return all(len(sequences) >= rounds for sequences in answered.values())

        try:
            eventually(enough, within)
        except AssertionError:
            raise AssertionError(f"heard of {answered} within {within} s") from None
    finally:
        connection.close()


class Publisher(threading.Thread):
    """Publishes numbers by a `Bus`, one after another; `confirmed` are those that it has."""

    def __init__(self, topology: Path, url: str) -> None:
        super().__init__(daemon=True)
        self.confirmed: list[int] = []
        self._topology, self._url = topology, url
        self._enough = threading.Event()
        self.start()

    def run(self) -> None:
        with Bus(self._topology, url=self._url) as bus:
            for number in count():
                with suppress(NotConfirmed):  # a queue between two leaders refuses
                    bus.publish("", ORDERS, number)
                    self.confirmed.append(number)
                if self._enough.wait(0.01):
                    return

    def goes_on(self, within: float = 10.0) -> None:
        before = len(self.confirmed)
        eventually(lambda: len(self.confirmed) > before + 10, within)

    def stop(self) -> list[int]:
        self._enough.set()
        self.join(30)
        assert not self.is_alive()
        return self.confirmed


@pytest.fixture(scope="module")
def quorum(shared_cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A topology with quorum queues, provisioned: all of them are led by the first node."""
    shared_cluster.whole()
    path = tmp_path_factory.mktemp("quorum") / "topology.yaml"
    path.write_text(QUORUM)
    provision(path, shared_cluster.nodes[0].url)
    return path


def provision(topology: Path, url: str) -> None:
    command = ("-m", "orquestador.provision", "--topology", str(topology), "--url", url)
    code, out, err = run(*command)
    assert code == 0, out + err


@pytest.fixture(scope="module")
def story(shared_cluster: Cluster, quorum: Path) -> Iterator[Story]:
    """Each node is killed once and started again, the one that leads all queues first."""
    with ExitStack() as stack:
        site = Site(shared_cluster, quorum, stack)
        site.up()
        for node in shared_cluster.nodes:
            site.lives_through(node)
        yield site.told()


def stored(url: str) -> list[int]:
    with Witness(url).channel() as channel:
        bodies = iter(lambda: taken(channel, ORDERS), None)
        return [int(message.body) for message in bodies if message is not None]


def test_queues_that_are_to_be_quorum_queues_are_on_all_nodes(
    shared_cluster: Cluster, quorum: Path
) -> None:
    said = shared_cluster.control("list_queues", "--no-table-headers", "name", "type", "members")
    members = {row.split("\t")[0]: row.split("\t")[1:] for row in said.splitlines()}

    for queue in (ORDERS, *(f"ping.{name}" for name in SERVICES)):
        kind, nodes = members[queue]
        assert (kind, nodes.count("@")) == ("quorum", 3)


def test_services_on_living_nodes_are_never_down(story: Story) -> None:
    for down in story.downs:
        at = datetime.fromisoformat(down["at"])
        outages = story.outages_of(down["service"])
        assert any(outage.covers(at) for outage in outages), (down, outages)


def test_a_service_that_knows_only_the_dead_node_is_down_until_it_is_back(story: Story) -> None:
    outages = story.outages_of(*PINNED)
    assert [outage.service for outage in outages] == list(PINNED)

    for outage in outages:
        mine = [status for status in story.statuses if status["service"] == outage.service]
        states = {s["state"] for s in mine if outage.covers(datetime.fromisoformat(s["at"]))}
        assert "DOWN" in states
        assert mine[-1]["state"] == "UP"


def test_a_service_that_knows_all_nodes_moves_to_a_living_one(story: Story) -> None:
    moves = story.outages_of(ROAMING)

    assert moves
    for move in moves:
        assert move.ended - move.began < timedelta(seconds=5)


def test_the_killed_ones_led_the_queues(story: Story, shared_cluster: Cluster) -> None:
    first, *_ = shared_cluster.nodes

    assert {f"ping.{name}" for name in SERVICES} < set(story.led[0])
    assert story.led[0]["ping.anywhere"] is first


def test_pings_are_answered_while_a_node_is_dead(story: Story) -> None:
    assert story.heard == [True, True, True]


def test_publishing_goes_on_while_a_node_is_dead(story: Story) -> None:
    assert story.published == [True, True, True]


def test_one_of_two_monitors_leads_after_each_kill(story: Story) -> None:
    assert story.led[0]["leader"]
    assert story.leading == [True, True, True]


def test_no_program_ends_for_a_killed_node(story: Story) -> None:
    assert story.ended == []


def test_no_confirmed_event_is_lost(story: Story) -> None:
    assert len(story.confirmed) > 500
    assert set(story.confirmed) - set(story.stored) == set()


def test_classic_queues_on_a_dead_node_blind_the_monitor_for_their_services_alone(
    cluster: Cluster, start: Start, tmp_path: Path
) -> None:
    near, far, vhost = cluster.nodes[0], cluster.nodes[2], "classic"
    near.add_vhosts([vhost])
    topology = tmp_path / "topology.yaml"
    topology.write_text(f"{SEED}\nservices:\n  far: {{role: mock}}\n")
    provision(topology, far.address(vhost))  # a classic queue is where it is declared first
    topology.write_text(f"{CLASSIC}  far: {{role: mock}}\n")
    everyone = ("--topology", str(topology), "--url", near.address(vhost), "--role")
    mocks = {n: start(RUNNER, *everyone, "mock", "--name", n) for n in ("near", "far")}
    monitor = start(RUNNER, *everyone, "monitor", "--json", monitor=True)
    assert isinstance(monitor, MonitorProgram)
    monitor.eventually("near", "UP")
    monitor.eventually("far", "UP")

    far.kill()
    eventually(lambda: said_of("far", monitor.notices("blind")))
    hears(near.address(vhost), "near", rounds=4)  # longer than it takes to be down
    assert not said_of("far", monitor.notices("seeing"))
    mocks["near"].end()
    monitor.eventually("near", "DOWN", within=5)
    cluster.whole()
    hears(near.address(vhost), "far", within=30)
    eventually(lambda: said_of("far", monitor.notices("seeing")))

    assert monitor.state("far") == "UP"
    downs = [status for status in monitor.notices("status") if status["state"] == "DOWN"]
    assert said_of("far", downs) == []


def said_of(service: str, notices: list[dict[str, Any]]) -> list[Mapping[str, Any]]:
    return [notice for notice in notices if notice["service"] == service]
