"""A channel's awaitables: each ends with its channel, and says the broker's own reason."""

from __future__ import annotations

import asyncio
import gc
import socket
import weakref
from typing import Any

import pytest
from pika.exceptions import ChannelClosedByBroker

from orquestador.broker.channel import Channel
from orquestador.broker.connection import ended
from orquestador.broker.faults import channel_closed
from orquestador.broker.message import Delivery
from orquestador.errors import (
    BrokerError,
    ConfigurationError,
    Conflict,
    EventError,
    HungUp,
    Locked,
    Lost,
    NotConfirmed,
    NotFound,
    Refused,
    Unroutable,
)
from orquestador.topology.model import Binding, Exchange, Queue
from tests.broker_layer.conftest import Restricted
from tests.broker_layer.looping import connected, message, on_a_loop
from tests.broker_layer.witness import Witness
from tests.conftest import AnyNode
from tests.support.proxy import Proxy
from tests.support.waiting import eventually

pytestmark = pytest.mark.broker


async def fails(waiting: Any, kind: type[BrokerError], text: str) -> None:
    with pytest.raises(kind) as raised:
        await waiting
    assert raised.type is kind and text in str(raised.value)


# -- what the broker refuses


@on_a_loop
async def test_what_is_not_there_is_not_found(url: str) -> None:
    async with connected(url) as connection:
        channel = await connection.channel()
        await fails(channel.declare_queue(Queue("none"), passive=True), NotFound, "no queue 'none'")
        assert channel.lost.done() and not connection.lost.done()

        channel = await connection.channel()
        await fails(channel.consume("none", print), NotFound, "no queue 'none'")

        channel = await connection.channel()
        await channel.declare_queue(Queue("work"))
        await fails(channel.bind("work", Binding("none")), NotFound, "no exchange 'none'")


@on_a_loop
async def test_a_queue_with_other_properties_is_a_conflict_with_both_values(url: str) -> None:
    async with connected(url) as connection:
        channel = await connection.channel()
        await channel.declare_queue(Queue("work"))

        again = Queue("work", arguments={"x-max-length": 10})
        await fails(channel.declare_queue(again), Conflict, "inequivalent arg 'x-max-length'")


@on_a_loop
async def test_an_exchange_of_another_type_is_a_conflict(url: str) -> None:
    async with connected(url) as connection:
        channel = await connection.channel()
        await channel.declare_exchange(Exchange("events", "topic"))

        again = channel.declare_exchange(Exchange("events", "fanout"))
        await fails(again, Conflict, "inequivalent arg 'type'")


@on_a_loop
async def test_an_argument_that_the_broker_does_not_take_is_a_conflict(url: str) -> None:
    async with connected(url) as connection:
        channel = await connection.channel()

        wrong = Queue("work", arguments={"x-max-length": -1})
        await fails(channel.declare_queue(wrong), Conflict, "invalid arg 'x-max-length'")


@on_a_loop
async def test_an_exclusive_queue_of_another_connection_is_locked(url: str) -> None:
    async with connected(url) as one, connected(url) as other:
        mine = Queue("mine", durable=False, exclusive=True)
        await (await one.channel()).declare_queue(mine)

        await fails((await other.channel()).declare_queue(mine), Locked, "RESOURCE_LOCKED")


@pytest.mark.only_rabbitmq("the embedded broker has one user")
@on_a_loop
async def test_a_user_without_the_right_is_refused(
    url: str, restricted: Restricted, witness: Witness
) -> None:
    witness.declare("work")
    async with connected(restricted("^$", "^$", "^$")) as connection:
        channel = await connection.channel()
        await fails(channel.declare_queue(Queue("new")), Refused, "ACCESS_REFUSED")
        channel = await connection.channel()
        await fails(channel.consume("work", print), Refused, "ACCESS_REFUSED")
        channel = await connection.channel(confirms=True)
        await fails(channel.publish(message("work", "amq.topic")), Refused, "ACCESS_REFUSED")


@on_a_loop
async def test_publishing_as_somebody_else_is_refused(url: str) -> None:
    async with connected(url) as connection:
        channel = await connection.channel(confirms=True)

        await fails(channel.publish(message("work", user_id="bob")), Refused, "user_id")


@on_a_loop
async def test_a_broken_rule_of_acknowledging_is_a_loss_and_no_conflict(url: str) -> None:
    async with connected(url) as connection:
        channel = await connection.channel()
        channel.ack(7)

        with pytest.raises(Lost, match="unknown delivery tag"):
            await ended(channel.lost, until=())


@on_a_loop
async def test_a_text_that_is_cut_within_a_letter_is_text(url: str) -> None:
    async with connected(url) as connection:
        for name in ("ñ" * 120, "añ" * 80):  # one byte more or less before the cut
            channel = await connection.channel()
            with pytest.raises(NotFound) as raised:
                await channel.declare_queue(Queue(name), passive=True)
            said = str(raised.value)
            assert said.startswith(f"NOT_FOUND - no queue '{name[:50]}")
            assert said.endswith(("ñ...", "a..."))


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("inequivalent arg 'durable' for queue 'consumer timeout' in vhost '/'", Conflict),
        ("Existing queue 'q' declared with other arguments", Conflict),
        ("queue 'unknown delivery tag' in vhost '/' not empty", Conflict),
        ("unknown delivery tag 7", Lost),
        ("delivery acknowledgement on channel 1 timed out. Timeout value used: 5000 ms", Lost),
        ("consumer timeout", Lost),
        ("message size 9 is larger than configured max size 5", Lost),
    ],
)
def test_a_406_is_a_conflict_unless_it_is_over_a_message(
    said: str, kind: type[BrokerError]
) -> None:
    fault = channel_closed(ChannelClosedByBroker(406, f"PRECONDITION_FAILED - {said}"))

    assert type(fault) is kind and said in str(fault)


# -- making, binding and removing


@on_a_loop
async def test_an_exchange_that_is_bound_to_another_gets_what_that_routes(
    url: str, witness: Witness
) -> None:
    upper, lower = Exchange("upper", "topic"), Exchange("lower", "fanout")
    binding = Binding("upper", "order.*")
    async with connected(url) as connection:
        channel = await connection.channel(confirms=True)
        for exchange in (upper, lower):
            await channel.declare_exchange(exchange)
        await channel.declare_queue(Queue("work"))
        await channel.bind("work", Binding("lower"))
        await channel.bind_exchange("lower", binding)
        await channel.publish(message("order.new", "upper", mandatory=True))
        await channel.publish(message("rumour", "upper"))

        await channel.unbind_exchange("lower", binding)
        await fails(
            channel.publish(message("order.new", "upper", mandatory=True)), Unroutable, "order.new"
        )
        await channel.bind_exchange("lower", Binding("upper", "#"))
        await channel.unbind("work", Binding("lower"))
        await fails(
            channel.publish(message("order.new", "upper", mandatory=True)), Unroutable, "order.new"
        )
    assert witness.messages("work") == 1


@on_a_loop
async def test_many_bindings_take_one_wait_and_a_fault_says_which_was_wrong(
    url: str, witness: Witness
) -> None:
    async with connected(url) as connection:
        channel = await connection.channel()
        await channel.declare_exchange(Exchange("events"))
        await channel.declare_queue(Queue("work"))
        await channel.bind_together(("work", Binding("events", key)) for key in ("a", "b"))
        witness.put("events", "a", b"")
        witness.put("events", "b", b"")
        assert witness.messages("work") == 2

        wrong = [("work", Binding("nowhere")), ("work", Binding("events", "c"))]
        await fails(channel.bind_together(wrong), NotFound, "nowhere")
        with pytest.raises(NotFound):
            await channel.bind_together(wrong)


@on_a_loop
async def test_binding_arguments_are_part_of_the_binding(url: str) -> None:
    paid = {"x-match": "all", "paid": True}
    async with connected(url) as connection:
        channel = await connection.channel(confirms=True)
        await channel.declare_exchange(Exchange("bills", "headers"))
        await channel.declare_queue(Queue("work"))
        await channel.bind("work", Binding("bills", "", paid))
        await channel.unbind("work", Binding("bills", "", {"x-match": "any", "paid": True}))
        bill = message("", "bills", headers={"paid": True}, mandatory=True)
        await channel.publish(bill)

        await channel.unbind("work", Binding("bills", "", paid))
        await fails(channel.publish(bill), Unroutable, "bills")


@on_a_loop
async def test_removing_what_is_not_there_is_no_fault(url: str) -> None:
    async with connected(url) as connection:
        channel = await connection.channel()
        await channel.declare_queue(Queue("work"))
        await channel.declare_exchange(Exchange("events"))
        await channel.unbind("work", Binding("events", "never"))
        await channel.unbind("none", Binding("events"))
        await channel.unbind("work", Binding("none"))
        await channel.unbind_exchange("events", Binding("none"))
        await channel.unbind_exchange("none", Binding("events"))
        await channel.delete_exchange("none", if_unused=True)

        assert await channel.delete_queue("none", if_empty=True, if_unused=True) == 0


@on_a_loop
async def test_what_is_deleted_on_a_condition_stays_where_that_does_not_hold(
    url: str, witness: Witness
) -> None:
    long = "n" * 220  # of whose fault nothing is left but that there is one
    for queue in ("work", long):
        witness.declare(queue)
        witness.put("", queue, b"x")
        eventually(lambda queue=queue: witness.messages(queue) == 1)
    witness.declare_exchange("events")
    witness.bind("work", "events")
    async with connected(url) as connection:
        for queue in ("work", long):
            channel = await connection.channel()
            await fails(channel.delete_queue(queue, if_empty=True), Conflict, "PRECONDITION_FAILED")
        channel = await connection.channel()
        await fails(channel.delete_exchange("events", if_unused=True), Conflict, "in use")
        channel = await connection.channel()
        await channel.consume("work", print)
        await fails(channel.delete_queue("work", if_unused=True), Conflict, "in use")
        assert witness.messages("work") == 1 and witness.has_exchange("events")

        channel = await connection.channel()
        assert await channel.delete_queue("work", if_unused=True) == 1
        await channel.delete_exchange("events", if_unused=True)
        assert not witness.exists("work") and not witness.has_exchange("events")


@on_a_loop
async def test_a_quorum_queue_is_not_deleted_on_a_condition(url: str, witness: Witness) -> None:
    """RabbitMQ closes the connection over it."""
    witness.declare("safe", **{"x-queue-type": "quorum"})
    async with connected(url) as connection:
        channel = await connection.channel()
        await fails(channel.delete_queue("safe", if_empty=True), HungUp, "NOT_IMPLEMENTED")
        assert isinstance(connection.lost.result(), HungUp)
    async with connected(url) as connection:
        assert await (await connection.channel()).delete_queue("safe") == 0


@on_a_loop
async def test_an_unknown_type_of_exchange_is_why_the_broker_hangs_up(url: str) -> None:
    async with connected(url) as connection:
        channel, other = await connection.channel(), await connection.channel()
        await fails(channel.declare_exchange(Exchange("e", "odd")), HungUp, "exchange type 'odd'")
        await fails(other.prefetch(1), HungUp, "exchange type 'odd'")


# -- a channel that has gone


@on_a_loop
async def test_every_wait_ends_with_its_channel(url: str) -> None:
    async with connected(url) as connection:
        channel = await connection.channel(confirms=True)
        waits = [
            asyncio.ensure_future(wait)
            for wait in (
                channel.declare_queue(Queue("none"), passive=True),
                channel.declare_queue(Queue("other")),
                channel.prefetch(1),
                channel.consume("other", print),
            )
        ]

        faults = await asyncio.gather(*waits, return_exceptions=True)

        assert [type(fault) for fault in faults] == [NotFound] * 4
        assert len({id(fault) for fault in faults}) == 4  # each its own, with its own traceback


@on_a_loop
async def test_a_closed_channel_answers_with_its_reason_and_ignores_acknowledgements(
    url: str,
) -> None:
    async with connected(url) as connection:
        channel = await connection.channel(confirms=True)
        await fails(channel.declare_queue(Queue("none"), passive=True), NotFound, "none")

        await fails(channel.declare_queue(Queue("work")), NotFound, "none")
        await fails(channel.publish(message()), NotFound, "none")
        channel.ack(1)
        channel.reject(1, requeue=True)
        await channel.close()


@on_a_loop
async def test_unconfirmed_messages_are_lost_with_the_connection(
    node: AnyNode, vhost: str, proxy: Proxy
) -> None:
    async with connected(node.address(vhost, port=proxy.port)) as connection:
        channel = await connection.channel(confirms=True)
        confirms = [channel.publish(message(message_id=str(n))) for n in range(20)]
        proxy.cut()

        faults = await asyncio.gather(*confirms, return_exceptions=True)

        assert {type(fault) for fault in faults} == {Lost}


@on_a_loop
async def test_a_channel_may_be_closed_twice(url: str) -> None:
    async with connected(url) as connection:
        channel = await connection.channel()
        await channel.close()
        await channel.close()

        assert not connection.lost.done()


@on_a_loop
async def test_channels_that_were_closed_are_not_kept_by_their_connection(url: str) -> None:
    async with connected(url) as connection:
        opened = []
        for _ in range(10):
            channel = await connection.channel()
            opened.append(weakref.ref(channel))
            await channel.close()
        del channel
        gc.collect()

        assert [channel() for channel in opened] == [None] * 10


@on_a_loop
async def test_what_cannot_be_declared_in_amqp_is_no_loss(url: str) -> None:
    async with connected(url) as connection:
        channel = await connection.channel()

        with pytest.raises(ConfigurationError, match="more than 255 bytes"):
            await channel.declare_queue(Queue("q" * 300))
        assert not channel.lost.done()


# -- publishing


UNWRITABLE: list[tuple[dict[str, Any], str]] = [
    ({"key": "k" * 300}, "more than 255 bytes"),
    ({"key": "caf\udce9"}, "surrogates"),
    ({"headers": {"x": {1, 2}}}, "set"),
    ({"headers": {"x": 2**70}}, "error"),
    ({"headers": {7: "x"}}, "Error"),
    ({"headers": 7}, "Error"),
    ({"timestamp": -1}, "error"),
]


@pytest.mark.parametrize(("wrong", "said"), UNWRITABLE)
def test_what_cannot_be_written_in_amqp_is_a_fault_of_that_message_alone(
    url: str, witness: Witness, wrong: dict[str, Any], said: str
) -> None:
    @on_a_loop
    async def story() -> None:
        async with connected(url) as connection:
            channel = await connection.channel(confirms=True)
            before = channel.publish(message())
            with pytest.raises(EventError, match=said):
                await channel.publish(message(**wrong))

            await before
            await channel.publish(message())

    witness.declare("work")
    story()
    assert witness.messages("work") == 2


@on_a_loop
async def test_a_publish_on_a_channel_that_is_closing_is_lost(url: str) -> None:
    async with connected(url) as connection:
        channel = await connection.channel(confirms=True)
        closing = asyncio.create_task(channel.close())
        await asyncio.sleep(0)  # the close is on its way

        await fails(channel.publish(message()), Lost, "closing")
        await closing


@on_a_loop
async def test_what_a_queue_has_taken_is_confirmed(url: str, witness: Witness) -> None:
    witness.declare("work")
    async with connected(url) as connection:
        channel = await connection.channel(confirms=True)
        confirms = [channel.publish(message(message_id=str(n), mandatory=True)) for n in range(500)]

        await asyncio.gather(*confirms)

        assert witness.messages("work") == 500


@on_a_loop
async def test_the_properties_of_a_message_arrive(url: str, witness: Witness) -> None:
    witness.declare("work")
    async with connected(url) as connection:
        channel = await connection.channel(confirms=True)
        await channel.publish(
            message(
                type="ping",
                app_id="billing",
                correlation_id="9",
                user_id="guest",
                content_type="application/json",
                headers={"tries": 1},
                timestamp=1_700_000_000,
                persistent=True,
            )
        )

    got = witness.wait_for("work").properties
    assert (got.type, got.app_id, got.correlation_id) == ("ping", "billing", "9")
    assert (got.user_id, got.content_type, got.headers) == (
        "guest",
        "application/json",
        {"tries": 1},
    )
    assert (got.message_id, got.timestamp, got.delivery_mode) == ("1", 1_700_000_000, 2)


@on_a_loop
async def test_a_mandatory_message_that_no_queue_takes_is_unroutable(url: str) -> None:
    async with connected(url) as connection:
        channel = await connection.channel(confirms=True)

        await fails(
            channel.publish(message("nowhere", "amq.topic", mandatory=True)),
            Unroutable,
            "exchange 'amq.topic', routing key 'nowhere'",
        )
        await channel.publish(message("nowhere", "amq.topic"))  # not mandatory: dropped


@on_a_loop
async def test_a_full_queue_that_refuses_leaves_the_message_unconfirmed(
    url: str, witness: Witness
) -> None:
    witness.declare("full", **{"x-max-length": 1, "x-overflow": "reject-publish"})
    async with connected(url) as connection:
        channel = await connection.channel(confirms=True)
        await channel.publish(message("full"))

        # The broker counts after it has confirmed: the first refused is one of the next few.
        more = [channel.publish(message("full", message_id=str(n))) for n in range(20)]
        faults = await asyncio.gather(*more, return_exceptions=True)

        assert NotConfirmed in {type(fault) for fault in faults}
        assert {type(fault) for fault in faults} <= {NotConfirmed, type(None)}


@on_a_loop
async def test_an_exchange_that_is_not_there_fails_the_publish(url: str) -> None:
    async with connected(url) as connection:
        channel = await connection.channel(confirms=True)

        await fails(channel.publish(message("x", "none")), NotFound, "no exchange 'none'")


@on_a_loop
async def test_without_confirms_a_publish_is_done_at_once(url: str) -> None:
    async with connected(url) as connection:
        assert (await connection.channel()).publish(message()).done()


@on_a_loop
async def test_a_publisher_that_no_longer_waits_harms_no_other(url: str, witness: Witness) -> None:
    witness.declare("work")
    async with connected(url) as connection:
        channel = await connection.channel(confirms=True)
        impatient, patient = channel.publish(message()), channel.publish(message(message_id="2"))
        impatient.cancel()

        await patient
        assert witness.messages("work") == 2


# -- consuming


async def consuming(channel: Channel, queue: str, **more: Any) -> asyncio.Queue[Delivery]:
    arrived: asyncio.Queue[Delivery] = asyncio.Queue()
    await channel.consume(queue, arrived.put_nowait, **more)
    return arrived


@on_a_loop
async def test_what_is_not_acknowledged_comes_again(url: str, witness: Witness) -> None:
    witness.declare("work")
    witness.put("", "work", b"a job", content_type="text/plain")
    async with connected(url) as connection:
        first = await (await consuming(await connection.channel(), "work")).get()
        assert (first.body, first.redelivered, first.content_type) == (
            b"a job",
            False,
            "text/plain",
        )

    async with connected(url) as connection:
        channel = await connection.channel()
        again = await (await consuming(channel, "work")).get()
        assert again.redelivered
        channel.ack(again.tag)
        await channel.close()
    assert witness.messages("work") == 0


@on_a_loop
async def test_prefetch_bounds_what_is_in_hand(url: str, witness: Witness) -> None:
    witness.declare("work")
    for _ in range(5):
        witness.put("", "work", b"a job")
    async with connected(url) as connection:
        arrived = await consuming(await connection.channel(prefetch=2), "work")
        await arrived.get(), await arrived.get()

        assert arrived.empty() and witness.messages("work") == 3


@on_a_loop
async def test_an_exception_in_a_callback_is_a_defect_and_no_outage(
    url: str, witness: Witness
) -> None:
    witness.declare("work")
    async with connected(url) as connection:
        channel = await connection.channel()

        def on_delivery(_delivery: Delivery) -> None:
            raise ValueError("a bug of ours")

        await channel.consume("work", on_delivery)
        witness.put("", "work", b"x")

        with pytest.raises(ValueError, match="a bug of ours"):
            await ended(connection.lost, until=())
        with pytest.raises(ValueError, match="a bug of ours"):
            await ended(channel.lost, until=())
        with pytest.raises(ValueError, match="a bug of ours"):
            await channel.declare_queue(Queue("other"))


@on_a_loop
async def test_a_consumer_whose_queue_is_deleted_loses_its_channel(
    url: str, witness: Witness
) -> None:
    witness.declare("work")
    async with connected(url) as connection:
        channel = await connection.channel()
        await channel.consume("work", print)
        witness.delete("work")

        with pytest.raises(Lost, match="queue 'work' was deleted"):
            await ended(channel.lost, until=())
        assert not connection.lost.done()


@on_a_loop
async def test_a_consumer_may_be_told_instead_and_the_channel_lives_on(
    url: str, witness: Witness
) -> None:
    witness.declare("work")
    async with connected(url) as connection:
        channel, told = await connection.channel(), asyncio.Event()
        tag = await channel.consume("work", print, on_cancelled=told.set)
        witness.delete("work")

        await told.wait()
        await channel.cancel(tag)
        assert (await channel.declare_queue(Queue("other"))).name == "other"


class Holding(Proxy):
    """A proxy that can hold back what the broker says, so that it arrives in one piece."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.holds = False

    def _pass_on(self, source: socket.socket) -> None:
        if not (self.holds and self._is_broker(source)):
            super()._pass_on(source)

    def _is_broker(self, end: socket.socket) -> bool:
        return end.getpeername() == self._target

    def held(self) -> bytes:
        with self._lock:
            broker = next(end for end in self._pairs if self._is_broker(end))
        return broker.recv(65536, socket.MSG_PEEK | socket.MSG_DONTWAIT)


BASIC_CANCEL = b"\x00\x3c\x00\x1e"


@on_a_loop
async def test_a_cancel_that_comes_together_with_the_consumer_s_start_is_heard(
    node: AnyNode, vhost: str, witness: Witness
) -> None:
    witness.declare("work")
    with Holding(node.port) as proxy:
        async with connected(node.address(vhost, port=proxy.port)) as connection:
            channel = await connection.channel()
            proxy.holds = True
            consuming = asyncio.create_task(channel.consume("work", print))
            await asyncio.to_thread(eventually, lambda: witness.consumers("work") == 1)
            await asyncio.to_thread(witness.delete, "work")
            await asyncio.to_thread(eventually, lambda: BASIC_CANCEL in proxy.held())
            proxy.holds = False

            with pytest.raises(Lost, match="queue 'work' was deleted"):
                async with asyncio.timeout(10):
                    await consuming
                    await ended(channel.lost, until=())


@on_a_loop
async def test_of_two_consumers_the_one_with_the_higher_priority_is_served_first(
    url: str, witness: Witness
) -> None:
    witness.declare("work")
    async with connected(url) as connection:
        low = await consuming(await connection.channel(), "work", auto_ack=True)
        high = await consuming(
            await connection.channel(), "work", auto_ack=True, arguments={"x-priority": 10}
        )
        for _ in range(5):
            witness.put("", "work", b"a job")

        for _ in range(5):
            await high.get()
        assert low.empty() and witness.messages("work") == 0


@on_a_loop
async def test_a_cancelled_consumer_gets_nothing_more(url: str, witness: Witness) -> None:
    witness.declare("work")
    async with connected(url) as connection:
        channel = await connection.channel()
        arrived: asyncio.Queue[Delivery] = asyncio.Queue()
        tag = await channel.consume("work", arrived.put_nowait)
        await channel.cancel(tag)
        await channel.cancel(tag)
        witness.put("", "work", b"x")

        assert (await channel.declare_queue(Queue("work"), passive=True)).consumers == 0
        assert arrived.empty()


@on_a_loop
async def test_a_declared_queue_tells_its_messages_and_consumers(
    url: str, witness: Witness
) -> None:
    witness.declare("work")
    witness.put("", "work", b"x")
    async with connected(url) as connection:
        channel = await connection.channel()
        declared = await channel.declare_queue(Queue("work"))

        assert (declared.name, declared.messages, declared.consumers) == ("work", 1, 0)
        await consuming(channel, "work")
        await consuming(channel, "work")
        assert (await channel.declare_queue(Queue("work"), passive=True)).consumers == 2
