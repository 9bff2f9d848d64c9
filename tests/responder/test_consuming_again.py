"""A service doubts its consumer: it consumes again, and nobody ever sees the queue without it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from orquestador import Names, Serving, Told, Topology
from orquestador.responder.lease import Terms
from orquestador.settings import settle
from tests.broker_layer.witness import Witness
from tests.conftest import AnyNode
from tests.responder.conftest import QUEUE, SERVICE, Last, Outside, Seen, running
from tests.support.embedded import Embedded
from tests.support.rabbitmq import Node
from tests.support.waiting import eventually

pytestmark = pytest.mark.broker
EVERY = 0.1  # seconds: silence is doubted after three of them
NO_PING = "no ping for 0.3 s, though one was due each 0.1 s"


class Service:
    """A service of the test's own, and what it says of its connection."""

    def __init__(self, topology: Topology, url: str) -> None:
        self.said: list[str] = []
        self.serving = Serving(
            SERVICE,
            lambda _ping, _service: {},
            Names.of(SERVICE, topology, provision=True),
            settle(url, {}),
            Told(connected=lambda _address: self.said.append("answers"), lost=self.said.append),
            terms=Terms(apart=0.2),
        )


@pytest.fixture
def service(topology: Topology, url: str, outside: Outside, seen: Seen) -> Iterator[Service]:
    """Running until the test is over, its hello heard."""
    service = Service(topology, url)
    with running(service.serving):
        outside.hears("hello")
        yield service


def test_without_pings_it_consumes_again_and_is_never_seen_without_a_consumer(
    topology: Topology, url: str, outside: Outside, last: Last, seen: Seen
) -> None:
    service = Service(topology, url)
    with running(service.serving), Witness(url).channel() as channel:
        outside.hears("hello")
        outside.echo_of(outside.ping(every=EVERY))

        counts = []
        while len(seen.consumers) < 10:
            counts.append(channel.queue_declare(QUEUE, passive=True).method.consumer_count)

        assert min(counts) >= 2  # the other one is the monitor's
        assert (last.bounced, seen.acknowledged) == ([], [])  # the ping is held all the while
        assert service.said == ["answers", NO_PING]  # once, however often it tries

        outside.echo_of(outside.ping(every=EVERY))
        assert service.said == ["answers", NO_PING, "answers"]
        assert seen.acknowledged == [1]

    marker = outside.ping()
    assert last.bounced_before(marker) == []
    assert outside.witness.consumers(QUEUE) == 1


def test_the_tries_to_consume_again_come_less_and_less_often_until_a_ping_comes(
    service: Service, outside: Outside, seen: Seen
) -> None:
    outside.echo_of(outside.ping(every=0.05))
    eventually(lambda: len(seen.consumers) == 4)

    outside.echo_of(outside.ping(every=60.0))
    tried = len(seen.consumers)
    for _ in range(3):
        outside.echo_of(outside.ping(every=60.0))

    assert len(seen.consumers) == tried
    assert service.said[-1] == "answers"


def test_a_service_that_nobody_pings_or_that_is_looked_at_once_doubts_nothing(
    service: Service, outside: Outside, seen: Seen
) -> None:
    looked = outside.ping(every=0.01, epoch=0)
    outside.echo_of(looked)
    outside.echo_of(outside.ping(every=60.0))  # a round trip later than three times 0.01 s

    assert (service.said, len(seen.consumers)) == (["answers"], 1)


def test_a_consumer_whose_window_is_full_of_a_lost_delivery_is_replaced(
    topology: Topology,
) -> None:
    """The silent fault itself, which only the embedded broker can be made to have."""
    node = Embedded().start()
    try:
        outside = Outside(node.url)
        service = Service(topology, node.url)
        with running(service.serving):
            outside.hears("hello")
            outside.echo_of(outside.ping(every=EVERY))
            node.fault("drop-deliveries", count=1, queue=QUEUE)
            outside.ping(every=EVERY)  # lost, and unacknowledged: the window is full
            outside.echo_of(outside.ping(every=EVERY))

            assert service.said[:3] == ["answers", NO_PING, "answers"]
    finally:
        node.stop()


def test_a_consumer_that_the_broker_cancels_is_replaced_while_its_queue_is_there(
    topology: Topology, service: Service, outside: Outside, url: str, seen: Seen
) -> None:
    outside.echo_of(outside.ping())
    before = len(outside.heard)
    queue = topology.queues[QUEUE]
    with Witness(url).channel() as channel:  # pipelined, that it may be gone for a moment only
        channel._impl.queue_delete(QUEUE)
        channel._impl.queue_declare(QUEUE, durable=True, arguments=dict(queue.arguments))
        channel.queue_bind(QUEUE, "heartbeat", SERVICE)

    outside.hears("hello", after=before, instance=service.serving.instance)
    for _ in range(2):
        outside.echo_of(outside.ping())

    assert service.said[0] == "answers" and service.said[-1] == "answers"
    assert any("the broker cancelled its consumer" in why for why in service.said)
    assert len(seen.consumers) == 2


@pytest.mark.only_rabbitmq("the embedded broker applies no consumer timeout")
@pytest.mark.slow
def test_a_channel_closed_for_the_consumer_timeout_ends_in_consuming_again(
    topology: Topology, own_node: AnyNode
) -> None:
    assert isinstance(own_node, Node)
    for name, value in (("consumer_timeout", 1000), ("channel_tick_interval", 200)):
        own_node.control("eval", f"application:set_env(rabbit, {name}, {value}).")
    outside = Outside(own_node.url)
    service = Service(topology, own_node.url)
    with running(service.serving):
        outside.hears("hello")
        ping = outside.ping(every=60.0)
        outside.echo_of(ping)
        before = len(outside.heard)

        outside.hears("hello", after=before, instance=service.serving.instance)
        again = outside.hears("alive", after=before, ping=ping.id)

        assert again.redelivered
        assert "delivery acknowledgement on channel 1 timed out" in service.said[1]
        assert service.said[2] == "answers"
