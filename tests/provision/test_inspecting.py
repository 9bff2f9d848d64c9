"""A look at a broker: each thing's own answer, whatever befalls the others; nothing is changed."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from orquestador.broker.crew import Crew
from orquestador.errors import HungUp, Lost
from orquestador.provision import asking
from orquestador.provision.found import Found, Snapshot, Status
from orquestador.provision.inspecting import look
from orquestador.settings import settle
from orquestador.topology.model import Exchange, Queue, Topology
from orquestador.topology.things import Id, Kind, link
from tests.broker_layer.conftest import Restricted
from tests.broker_layer.looping import on_a_loop
from tests.broker_layer.witness import Witness
from tests.conftest import AnyNode
from tests.support.proxy import Proxy
from tests.support.rabbitmq import Node
from tests.support.waiting import eventually

pytestmark = pytest.mark.broker
QUORUM, STREAM = {"x-queue-type": "quorum"}, {"x-queue-type": "stream"}
LENGTH = {"x-max-length": 5}


def topology(*things: Exchange | Queue, prefix: str = "") -> Topology:
    exchanges = {each.name: each for each in things if isinstance(each, Exchange)}
    queues = {each.name: each for each in things if isinstance(each, Queue)}
    return Topology(Path("topology.yaml"), exchanges, queues, {}, prefix=prefix)


def queues(*names: str) -> tuple[Queue, ...]:
    return tuple(map(Queue, names))


def ids(kind: Kind, *names: str) -> list[Id]:
    return [Id(kind, name) for name in names]


async def looked(
    url: str,
    wanted: Topology,
    leftovers: Iterable[Id] = (),
    asked: Callable[[int, int], None] = lambda _done, _total: None,
) -> Snapshot:
    async with await Crew.open(settle(url, {}), "a test") as crew:
        return await look(crew, wanted, leftovers, asked=asked)


def statuses(snapshot: Snapshot) -> dict[str, str]:
    return {id.name: found.status.value for id, found in snapshot.things.items()}


# -- what it tells


@on_a_loop
async def test_all_of_a_topology_is_asked_for_and_leftovers_too(url: str, witness: Witness) -> None:
    witness.declare("same", **LENGTH)
    witness.declare("other")
    witness.declare("left")
    witness.put("", "left", b"x")
    eventually(lambda: witness.messages("left") == 1)
    witness.declare_exchange("events")
    wanted = topology(
        Exchange("events", "topic"),
        Exchange("new"),
        Exchange("theirs", owned=False),
        Queue("same", arguments=LENGTH),
        Queue("other", arguments=LENGTH),
        Queue("safe", arguments=QUORUM),
        Queue("mine.{unique}", exclusive=True),  # no business of provisioning
    )
    leftovers = [
        *ids(Kind.QUEUE, "left", "gone"),
        *ids(Kind.EXCHANGE, "events", "amq.topic"),
        link("events", Kind.QUEUE, "left", "k", {}).id,
    ]
    progress: list[tuple[int, int]] = []
    snapshot = await looked(url, wanted, leftovers, lambda *each: progress.append(each))

    assert snapshot.things[Id(Kind.QUEUE, "left")] == Found(Status.PRESENT, messages=1)
    assert statuses(snapshot) == {
        "left": "present",
        "gone": "absent",
        "amq.topic": "present",
        "events": "same",
        "new": "absent",
        "theirs": "absent",
        "same": "same",
        "other": "differs",
        "safe": "absent",
    }
    assert (snapshot.links, snapshot.migrating) == (None, frozenset())
    assert [done for done, _ in progress] == list(range(1, len(progress) + 1))
    assert {total for _, total in progress} == {len(progress)}


@on_a_loop
async def test_an_empty_topology_is_no_trouble(url: str) -> None:
    assert await looked(url, topology()) == Snapshot({})


@on_a_loop
async def test_unfinished_migrations_are_found_by_what_they_have_left(
    url: str, witness: Witness
) -> None:
    wanted = topology(*queues("p.work", "p.jobs", "p.idle"), prefix="p.")
    witness.declare("p.work.migrating")
    assert (await looked(url, wanted)).migrating == frozenset()  # not asked for without the marker

    witness.declare_exchange("p.orquestador.migrating", "direct")
    witness.declare_exchange("p.jobs.migrating", "fanout")
    witness.declare("p.old.migrating")
    snapshot = await looked(url, wanted, ids(Kind.QUEUE, "p.old"))

    assert snapshot.migrating == {"p.work", "p.jobs", "p.old"}
    assert list(statuses(snapshot)) == ["p.old", "p.work", "p.jobs", "p.idle"]


# -- one bad probe never takes the rest with it


@on_a_loop
async def test_what_closes_a_channel_or_the_connection_is_that_thing_s_own_status(
    url: str, witness: Witness
) -> None:
    good = queues(*(f"good{number}" for number in range(40)))
    with witness.channel() as channel:
        for each in good:
            channel.queue_declare(each.name, durable=True)
        channel.queue_declare("theirs", exclusive=True)
        witness.declare_exchange("odd")
        wanted = topology(
            Exchange("odd", "odd"),  # closes the connection, with all that is under way
            Exchange("absent and odd", "odd"),
            *good[:20],
            Queue("theirs"),
            Queue("wrong", arguments={"x-max-length": -1}),
            Queue("n" * 300),  # AMQP has no such name
            *good[20:],
        )
        snapshot = await looked(url, wanted)

    told = statuses(snapshot)
    assert [told.pop(each.name) for each in good] == ["same"] * 40
    assert told == {
        "odd": "unsupported",
        "absent and odd": "absent",
        "theirs": "locked",
        "wrong": "unsupported",
        "n" * 300: "unsupported",
    }
    assert "unknown exchange type 'odd'" in snapshot.things[Id(Kind.EXCHANGE, "odd")].text


@pytest.mark.only_rabbitmq("the embedded broker has one user")
@on_a_loop
async def test_an_account_that_may_little_learns_of_the_rest_that_it_may_not(
    url: str, restricted: Restricted, witness: Witness
) -> None:
    """It may not try whether the broker explains, either: then a passive declare goes first."""
    for name in ("mine", "differs", "theirs"):
        witness.declare(name)
    wanted = topology(
        Queue("mine"), Queue("differs", arguments=LENGTH), Queue("theirs"), Exchange("none")
    )
    snapshot = await looked(restricted("^(mine|differs)$", "^$", "^$"), wanted)

    assert statuses(snapshot) == {
        "none": "absent",
        "mine": "same",
        "differs": "differs",
        "theirs": "refused",
    }
    assert [each.broker for each in snapshot.things[Id(Kind.QUEUE, "differs")].differences] == [
        None
    ]


@on_a_loop
async def test_a_broker_that_goes_half_way_is_lost(node: AnyNode, vhost: str, proxy: Proxy) -> None:
    def cut(done: int, _total: int) -> None:
        if done == 30:
            proxy.cut(refuse=True)

    wanted = topology(*queues(*(f"q{number}" for number in range(500))))
    with pytest.raises(Lost) as raised:
        await looked(node.address(vhost, port=proxy.port), wanted, asked=cut)

    assert not isinstance(raised.value, HungUp)


# -- asking never writes


def everything(node: Node, vhost: str) -> Mapping[str, Any]:
    """All that RabbitMQ would export of a vhost."""
    said = json.loads(node.control("export_definitions", "-"))
    return {
        what: sorted((each for each in said[what] if each["vhost"] == vhost), key=json.dumps)
        for what in ("exchanges", "queues", "bindings")
    }


KINDS = {"classic": {}, "quorum": QUORUM, "stream": STREAM}
SIZE = {"x-max-length-bytes": 1_000_000}
OTHER_SIZE = {"x-max-length-bytes": 2_000_000}
WANTED = topology(
    *(
        Queue(f"{what}.{kind}", arguments={**arguments, **SIZE})
        for kind, arguments in KINDS.items()
        for what in ("absent", "same", "size", "as classic", "as quorum", "as stream")
    ),
    *(Exchange(name, "topic") for name in ("absent", "same", "other")),
    Exchange("theirs", owned=False),
)


def prepare(witness: Witness) -> None:
    for kind, arguments in KINDS.items():
        witness.declare(f"same.{kind}", **arguments, **SIZE)
        witness.declare(f"size.{kind}", **arguments, **OTHER_SIZE)
        for other, others in KINDS.items():
            witness.declare(f"as {other}.{kind}", **others, **SIZE)
        witness.put("", f"size.{kind}", b"x")
        witness.bind(f"size.{kind}", "amq.topic")
    witness.declare_exchange("same")
    witness.declare_exchange("other", "fanout")


EXPECTED = {
    **{f"absent.{kind}": "absent" for kind in KINDS},
    **{f"same.{kind}": "same" for kind in KINDS},
    **{f"size.{kind}": "differs" for kind in KINDS},
    **{
        f"as {other}.{kind}": "same" if other == kind else "differs"
        for kind in KINDS
        for other in KINDS
    },
    "absent": "absent",
    "same": "same",
    "other": "differs",
    "theirs": "absent",
}


@on_a_loop
async def test_a_look_changes_nothing(url: str, node: AnyNode, vhost: str) -> None:
    witness = Witness(url)
    prepare(witness)
    before = everything(node, vhost) if isinstance(node, Node) else None
    snapshot = await looked(url, WANTED, ids(Kind.QUEUE, "left"))

    assert statuses(snapshot) == EXPECTED | {"left": "absent"}
    if isinstance(node, Node):
        assert everything(node, vhost) == before
    for name, status in EXPECTED.items():
        found = witness.has_exchange(name) if "." not in name else witness.exists(name)
        assert found == (status != "absent")
    for kind in ("classic", "quorum"):  # a stream's count comes some seconds late
        eventually(lambda kind=kind: witness.messages(f"size.{kind}") == 1)


def test_a_look_changes_nothing_on_a_broker_that_creates_where_others_refuse(
    url: str, witness: Witness, monkeypatch: pytest.MonkeyPatch
) -> None:
    for kind in KINDS:
        monkeypatch.setitem(asking.EXTRA, kind, "x-nobody-knows")  # any type takes that
    prepare(witness)

    @on_a_loop
    async def story() -> None:
        assert statuses(await looked(url, WANTED)) == EXPECTED

    story()
    assert not any(witness.exists(f"absent.{kind}") for kind in KINDS)


# -- what it costs


QUEUE_DECLARE, EXCHANGE_DECLARE = b"\x00\x32\x00\x0a", b"\x00\x28\x00\x0a"


@on_a_loop
async def test_one_declare_tells_that_a_queue_is_the_same_and_two_an_exchange(
    node: AnyNode, vhost: str, witness: Witness
) -> None:
    sent = bytearray()

    def passed(_source: socket.socket, from_client: bool, data: bytes) -> None:
        if from_client:
            sent.extend(data)

    for number in range(20):
        witness.declare(f"q{number}", **LENGTH)
        witness.declare_exchange(f"e{number}")
    wanted = topology(
        *(Queue(f"q{number}", arguments=LENGTH) for number in range(20)),
        *(Exchange(f"e{number}", "topic") for number in range(20)),
    )
    with Proxy(node.port, passed=passed) as proxy:
        snapshot = await looked(node.address(vhost, port=proxy.port), wanted)
        eventually(lambda: proxy.connections == 0)

    assert set(statuses(snapshot).values()) == {"same"}
    assert sent.count(QUEUE_DECLARE) == 20 + 1  # one to learn whether the broker explains
    assert sent.count(EXCHANGE_DECLARE) == 2 * 20 + 1  # one for the marker of migrations
