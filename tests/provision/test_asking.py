"""What one thing is on a broker, learnt by declares that create nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest

from orquestador.broker import faults
from orquestador.broker.crew import Crew
from orquestador.errors import HungUp, Lost, NotFound
from orquestador.provision import asking
from orquestador.provision.found import Difference, Found, Status
from orquestador.settings import settle
from orquestador.topology.model import Exchange, Queue
from orquestador.topology.things import Id, Kind
from tests.broker_layer.conftest import Restricted
from tests.broker_layer.looping import on_a_loop
from tests.broker_layer.witness import Witness
from tests.conftest import AnyNode
from tests.support.rabbitmq import Node
from tests.support.waiting import eventually

pytestmark = pytest.mark.broker
ABSENT, SAME, DIFFERS = Found(Status.ABSENT), Status.SAME, Status.DIFFERS


def queue(name: str, kind: str = "classic", **more: Any) -> Queue:
    flags = {flag: more.pop(flag) for flag in ("durable", "auto_delete") if flag in more}
    arguments = {f"x-{key.replace('_', '-')}": value for key, value in more.items()}
    if kind != "classic":
        arguments = {"x-queue-type": kind, **arguments}
    return Queue(name, **flags, arguments=arguments)


class Broker:
    """Holds things that were declared by plain pika; asks for others of the same names."""

    def __init__(self, crew: Crew, witness: Witness) -> None:
        self._crew, self._witness = crew, witness

    def holds(self, *things: Queue | Exchange) -> None:
        with self._witness.channel() as channel:
            for thing in things:
                if isinstance(thing, Queue):
                    channel.queue_declare(
                        thing.name,
                        durable=thing.durable,
                        auto_delete=thing.auto_delete,
                        arguments=dict(thing.arguments),
                    )
                    continue
                channel.exchange_declare(
                    thing.name,
                    thing.type,
                    durable=thing.durable,
                    auto_delete=thing.auto_delete,
                    internal=thing.internal,
                    arguments=dict(thing.arguments),
                )

    async def asked(self, wanted: Queue | Exchange, **how: Any) -> Found:
        if isinstance(wanted, Queue):
            return await self._crew.alone(partial(asking.queue, wanted=wanted, **how))
        return await self._crew.alone(partial(asking.exchange, wanted=wanted))

    async def told(self, has: Queue | Exchange, wanted: Queue | Exchange, **how: Any) -> Any:
        """The differences between two of one name, by property: broker's value, file's."""
        self.holds(has)
        found = await self.asked(wanted, **how)
        assert found.complete and (found.status is DIFFERS) == bool(found.differences)
        assert all(each.known for each in found.differences)
        return {each.property: (each.broker, each.file) for each in found.differences}

    async def trial(self, name: str, kind: str) -> bool:
        return await self._crew.alone(partial(asking.explains, name=name, kind=kind))

    async def present(self, kind: Kind, name: str) -> Found:
        return await self._crew.alone(partial(asking.present, thing=Id(kind, name)))


@asynccontextmanager
async def at(url: str, witness: Witness) -> AsyncIterator[Broker]:
    async with await Crew.open(settle(url, {}), "a test") as crew:
        yield Broker(crew, witness)


# -- queues


@on_a_loop
async def test_what_is_the_same_is_told_with_its_counts(url: str, witness: Witness) -> None:
    async with at(url, witness) as broker:
        for kind in ("classic", "quorum", "stream"):
            wanted = queue(f"a {kind} one", kind, max_length_bytes=1_000_000)
            broker.holds(wanted)
            assert await broker.asked(wanted) == Found(SAME, type=kind)
            assert await broker.asked(wanted, directly=False) == Found(SAME, type=kind)

        with witness.channel() as channel:
            channel.confirm_delivery()
            channel.basic_publish("", "a quorum one", b"x", mandatory=True)
            channel.basic_publish("", "a classic one", b"x", mandatory=True)
            channel.basic_consume("a quorum one", print)
            one = await broker.asked(queue("a classic one", max_length_bytes=1_000_000))
            other = await broker.asked(queue("a quorum one", "quorum", max_length_bytes=5))
        assert (one.messages, one.consumers) == (1, 0)
        assert (other.status, other.type, other.consumers) == (DIFFERS, "quorum", 1)


@on_a_loop
async def test_asking_for_what_is_absent_creates_nothing(url: str, witness: Witness) -> None:
    async with at(url, witness) as broker:
        for kind in ("classic", "quorum", "stream"):
            assert await broker.asked(queue(kind, kind, max_length_bytes=5)) == ABSENT
            assert await broker.asked(queue(kind, kind), directly=False) == ABSENT
            assert not witness.exists(kind)
        assert await broker.asked(Exchange("events", "topic")) == ABSENT
        assert not witness.has_exchange("events")


CLASSIC = {
    "expires": (100_000, 200_000),
    "message_ttl": (60_000, 30_000),
    "max_length": (5, 6),
    "max_length_bytes": (5_000_000_000, 6),
    "max_priority": (5, 6),
    "overflow": ("reject-publish", "drop-head"),
    "dead_letter_exchange": ("dead", "it's ' but current is 'x"),
    "single_active_consumer": (True, False),
    "queue_mode": ("lazy", "default"),
}
QUORUM = {
    **{key: value for key, value in CLASSIC.items() if key not in ("max_priority", "queue_mode")},
    "delivery_limit": (3, 4),
}
STREAM = {"max_length_bytes": (1_000_000, 2_000_000)}


@pytest.mark.parametrize(
    ("kind", "properties"), [("classic", CLASSIC), ("quorum", QUORUM), ("stream", STREAM)]
)
def test_each_property_that_differs_is_told_with_both_values(
    url: str, witness: Witness, kind: str, properties: dict[str, tuple[Any, Any]]
) -> None:
    @on_a_loop
    async def story() -> None:
        async with at(url, witness) as broker:
            for key, (old, new) in properties.items():
                argument = f"x-{key.replace('_', '-')}"
                has, wanted = queue(key, kind, **{key: old}), queue(key, kind, **{key: new})
                assert await broker.told(has, wanted) == {argument: (old, new)}
                assert await broker.told(has, queue(key, kind)) == {argument: (old, None)}
                bare, wanted = queue(f"no {key}", kind), queue(f"no {key}", kind, **{key: new})
                assert await broker.told(bare, wanted) == {argument: (None, new)}

    story()


@on_a_loop
async def test_all_that_differs_is_told_at_once(url: str, witness: Witness) -> None:
    has = queue(
        "q",
        durable=False,
        auto_delete=True,
        max_length=5,
        message_ttl=70_000,
        overflow="reject-publish",
        dead_letter_exchange="dead",
        dead_letter_routing_key="here",
        single_active_consumer=True,
    )
    wanted = queue("q", max_length=6, message_ttl=70_000, expires=100_000)
    async with at(url, witness) as broker:
        differences = {
            "durable": (False, True),
            "auto_delete": (True, False),
            "x-expires": (None, 100_000),
            "x-dead-letter-exchange": ("dead", None),
            "x-dead-letter-routing-key": ("here", None),
            "x-max-length": (5, 6),
            "x-overflow": ("reject-publish", None),
            "x-single-active-consumer": (True, None),
        }
        assert await broker.told(has, wanted) == differences
        assert await broker.told(has, wanted, directly=False) == differences


@on_a_loop
async def test_a_queue_of_another_type_is_told_with_what_else_differs(
    url: str, witness: Witness
) -> None:
    classic, priorities = queue("c", max_length=5), queue("p", max_priority=5)
    quorum = queue("q", "quorum", max_length=5, delivery_limit=3)
    stream = queue("s", "stream", max_length_bytes=1_000_000)
    length, priority = {"x-max-length": (5, None)}, {"x-max-priority": (5, None)}
    limit, size = {"x-delivery-limit": (3, None)}, {"x-max-length-bytes": (1_000_000, None)}
    async with at(url, witness) as broker:
        for has, wanted, rest in (
            (classic, queue("c", "quorum"), length),
            (classic, queue("c", "stream"), length),
            (priorities, queue("p", "quorum", delivery_limit=7), priority),
            (quorum, queue("q"), length | limit),
            (quorum, queue("q", "stream"), length | limit),
            (stream, queue("s"), size),
            (stream, queue("s", "quorum", delivery_limit=7), size),
        ):
            types = {"x-queue-type": (has.type, wanted.type)}
            assert await broker.told(has, wanted) == types | rest
            assert (await broker.asked(wanted)).type == has.type
        said = Queue("c", arguments={"x-queue-type": "classic", "x-max-length": 5})
        assert await broker.told(classic, said) == {}


@on_a_loop
async def test_a_long_name_leaves_no_room_for_the_values(url: str, witness: Witness) -> None:
    """The text is cut at 255 bytes, within a letter, too."""
    async with at(url, witness) as broker:
        for name in ("n" * 200, "ñ" * 110, "añ" * 73):
            broker.holds(queue(name, max_length=5, expires=100_000))
            found = await broker.asked(queue(name, durable=False, max_length=6))

            assert found.status is DIFFERS and not found.complete
            assert found.differences == (
                Difference("durable", True, False),  # a flag has but two values
                Difference("x-expires", None, None, known=False),
            )
            assert "inequivalent arg" in found.text and "\\x" not in found.text
            assert await broker.asked(queue(name + "!")) == ABSENT


# -- exchanges


@on_a_loop
async def test_each_property_of_an_exchange_is_told_with_both_values(
    url: str, witness: Witness
) -> None:
    alternate = {"alternate-exchange": "lost"}
    has = Exchange("e", "topic", arguments=alternate)
    async with at(url, witness) as broker:
        for wanted, told in (
            (has, {}),
            (Exchange("e", "fanout", arguments=alternate), {"type": ("topic", "fanout")}),
            (
                Exchange("e", "topic", durable=False, arguments=alternate),
                {"durable": (True, False)},
            ),
            (
                Exchange("e", "topic", internal=True, auto_delete=True),
                {
                    "internal": (False, True),
                    "auto_delete": (False, True),
                    "alternate-exchange": ("lost", None),
                },
            ),
            (
                Exchange("e", "topic", owned=False, arguments={"alternate-exchange": "dead"}),
                {"alternate-exchange": ("lost", "dead")},
            ),
        ):
            assert await broker.told(has, wanted) == told
        assert await broker.told(Exchange("f"), Exchange("f", arguments=alternate)) == {
            "alternate-exchange": (None, "lost")
        }


# -- what cannot be asked


@pytest.mark.only_rabbitmq("the embedded broker has one user")
@on_a_loop
async def test_without_the_right_to_configure_nothing_is_learnt(
    url: str, witness: Witness, restricted: Restricted
) -> None:
    async with at(url, witness) as broker:
        broker.holds(queue("q"), queue("mine", max_length=5, dead_letter_exchange="dead"))
        broker.holds(Exchange("e"))
    async with at(restricted("^mine", "^mine", "^mine"), witness) as broker:
        for wanted in (queue("q"), queue("none"), Exchange("e")):
            found = await broker.asked(wanted)
            assert found.status is Status.REFUSED and "ACCESS_REFUSED" in found.text
        assert (await broker.present(Kind.QUEUE, "q")).status is Status.PRESENT
        assert await broker.asked(Exchange("none")) == ABSENT

        # The right to write to a dead-letter exchange is asked for only where a queue is created.
        told = await broker.asked(queue("mine", max_length=6))
        assert told.complete and told.differences == (
            Difference("x-dead-letter-exchange", "dead", None),
            Difference("x-max-length", 5, 6),
        )


@on_a_loop
async def test_an_exclusive_queue_of_another_is_locked(url: str, witness: Witness) -> None:
    async with at(url, witness) as broker:
        with witness.channel() as channel:
            channel.queue_declare("theirs", exclusive=True)
            for found in (
                await broker.asked(queue("theirs")),
                await broker.asked(queue("theirs"), directly=False),
                await broker.present(Kind.QUEUE, "theirs"),
            ):
                assert found.status is Status.LOCKED and "RESOURCE_LOCKED" in found.text


@on_a_loop
async def test_what_the_broker_takes_no_queue_or_exchange_with_is_unsupported(
    url: str, witness: Witness
) -> None:
    async with at(url, witness) as broker:
        for wanted in (
            queue("q", max_length=-1),
            queue("q", "cubic"),
            queue("q", "stream", message_ttl=5),
            queue("q", dead_letter_exchange=5),
        ):
            found = await broker.asked(wanted)
            assert found.status is Status.UNSUPPORTED and "PRECONDITION_FAILED" in found.text
            assert not witness.exists("q")
        broker.holds(Exchange("e"))
        with pytest.raises(HungUp, match="unknown exchange type 'odd'"):
            await broker.asked(Exchange("e", "odd"))


@pytest.mark.only_rabbitmq("the embedded broker has no limit to set")
@on_a_loop
async def test_where_no_queue_may_be_added_what_is_absent_says_so(
    url: str, vhost: str, node: AnyNode, witness: Witness
) -> None:
    assert isinstance(node, Node)
    async with at(url, witness) as broker:
        broker.holds(queue("q"))
        node.control("set_vhost_limits", "-p", vhost, '{"max-queues": 1}')
        found = await broker.asked(queue("none"))

        assert found.status is Status.ABSENT and "queue limit in vhost" in found.text
        assert await broker.asked(queue("q")) == Found(SAME, type="classic")


def test_what_a_fault_shows_of_the_thing_that_was_asked_for() -> None:
    down = "NOT_FOUND - home node 'a@b' of durable queue 'q' in vhost '/' is down or inaccessible"
    stopped = "NOT_FOUND - queue 'q' in vhost '/' process is stopped by supervisor"
    for fault, status in (
        (NotFound("NOT_FOUND - no queue 'home node ' in vhost '/'"), Status.ABSENT),
        (NotFound(down), Status.UNKNOWN),
        (NotFound(stopped), Status.UNKNOWN),
        (HungUp("INTERNAL_ERROR"), Status.UNSUPPORTED),
        (Lost("what no broker says"), Status.UNKNOWN),
    ):
        text = "" if status is Status.ABSENT else str(fault)
        assert asking.shown(fault) == Found(status, text=text)


# -- brokers that are asked otherwise


@on_a_loop
async def test_a_broker_that_refuses_the_extra_argument_explains(
    url: str, witness: Witness
) -> None:
    async with at(url, witness) as broker:
        for kind in ("classic", "quorum", "stream"):
            assert await broker.trial("a trial", kind)
            assert not witness.exists("a trial")


def test_a_broker_that_creates_instead_is_found_out_and_nothing_stays(
    url: str, witness: Witness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(asking.EXTRA, "classic", "x-nobody-knows")  # any type takes that

    @on_a_loop
    async def story() -> None:
        async with at(url, witness) as broker:
            assert not await broker.trial("a trial", "classic")
            assert not witness.exists("a trial")

    story()


def test_where_the_broker_says_less_a_thing_is_told_to_differ_and_no_more(
    url: str, witness: Witness, monkeypatch: pytest.MonkeyPatch
) -> None:
    terse = "PRECONDITION_FAILED - Existing queue 'q' declared with other arguments"  # LavinMQ

    def said(text: str) -> str:
        return terse if "inequivalent" in text else text

    monkeypatch.setattr(faults, "_said", said)

    @on_a_loop
    async def story() -> None:
        async with at(url, witness) as broker:
            broker.holds(queue("q", max_length=5), Exchange("e"))
            witness.put("", "q", b"x")
            eventually(lambda: witness.messages("q") == 1)
            for found in (
                await broker.asked(queue("q", max_length=6)),
                await broker.asked(queue("q", max_length=6), directly=False),
            ):
                assert found == Found(DIFFERS, messages=1, complete=False, text=terse)
            found = await broker.asked(Exchange("e", "fanout"))
            assert found == Found(DIFFERS, complete=False, text=terse)

    story()
