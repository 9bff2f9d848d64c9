"""Memory stays bounded: slow readers, full memory, messages too large."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pika
import pytest
from pamqp import commands, frame

from plugins.broker.harness import BrokerThread
from plugins.broker.server import Limits

from .conftest import Connections
from .test_clients_gone_bad import opened

MIB = 1024 * 1024


@pytest.fixture
def small() -> Iterator[BrokerThread]:
    """A broker that bears two MiB of messages, and single ones of one."""
    running = BrokerThread(Limits(memory=2 * MIB, message_max=MIB))
    yield running
    running.stop()


def written(broker: BrokerThread) -> int:
    """Bytes that wait to be written to the connection that has most of them."""
    connections = list(broker.broker.connections)
    return max(one._transport.get_write_buffer_size() + one._out_size for one in connections)


def test_a_consumer_that_does_not_read_gets_no_more(
    broker: BrokerThread, connect: Connections
) -> None:
    channel = connect().channel()
    channel.queue_declare("q")
    stalled = opened(broker)
    stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    stalled.sendall(frame.marshal(commands.Channel.Open(), 1))
    stalled.sendall(frame.marshal(commands.Basic.Consume(queue="q", no_ack=True), 1))
    for _ in range(300):
        channel.basic_publish("", "q", b"x" * 100_000)

    waiting = channel.queue_declare("q", passive=True).method.message_count

    assert waiting > 100
    assert written(broker) < 2 * MIB
    other = connect().channel()
    got = []
    other.basic_consume("q", lambda *seen: got.append(seen), auto_ack=True)
    deadline = time.monotonic() + 10
    while len(got) < waiting and time.monotonic() < deadline:
        other.connection.process_data_events(0.05)
    assert len(got) == waiting
    stalled.close()


def test_a_slow_reader_gets_everything_in_the_end(
    broker: BrokerThread, connect: Connections
) -> None:
    channel = connect().channel()
    channel.queue_declare("q")
    for number in range(200):
        channel.basic_publish("", "q", number.to_bytes(4, "big") * 25_000)
    seen: list[int] = []

    def take(_: object, __: object, ___: object, body: bytes) -> None:
        seen.append(int.from_bytes(body[:4], "big"))

    reader = connect().channel()
    reader.basic_consume("q", take, auto_ack=True)
    deadline = time.monotonic() + 20
    while len(seen) < 200 and time.monotonic() < deadline:
        reader.connection.process_data_events(0.05)

    assert seen == list(range(200))


def test_a_client_that_asks_and_never_reads_is_not_answered_for_ever(
    broker: BrokerThread, connect: Connections
) -> None:
    channel = connect().channel()
    channel.queue_declare("q")
    channel.basic_publish("", "q", b"x" * 100_000)
    greedy = opened(broker)
    greedy.setblocking(False)
    greedy.sendall(frame.marshal(commands.Channel.Open(), 1))
    get = frame.marshal(commands.Basic.Get(queue="q"), 1)
    nack = frame.marshal(commands.Basic.Nack(0, True, True), 1)
    for _ in range(2000):
        try:
            greedy.send(get + nack)
        except BlockingIOError:
            break

    channel.queue_declare("q", passive=True)

    assert written(broker) < 4 * MIB
    greedy.close()


def test_publishers_wait_while_memory_is_full(small: BrokerThread) -> None:
    parameters = pika.URLParameters(small.url)
    publisher = pika.BlockingConnection(parameters)
    blocked: list[str] = []
    publisher.add_on_connection_blocked_callback(lambda _, f: blocked.append(f.method.reason))
    publisher.add_on_connection_unblocked_callback(lambda *_: blocked.append("unblocked"))
    channel = publisher.channel()
    channel.queue_declare("q")
    consumer = pika.BlockingConnection(parameters)
    taker = consumer.channel()
    for _ in range(30):
        channel.basic_publish("", "q", b"x" * 100_000)

    deadline = time.monotonic() + 10
    while not blocked and time.monotonic() < deadline:
        publisher.process_data_events(0.05)
    assert blocked == ["low on memory"]
    assert small.broker.vhost.weight < 4 * MIB

    got = 0
    while got < 30 and time.monotonic() < deadline:
        got += taker.basic_get("q", True)[0] is not None
        publisher.process_data_events(0.001)
    assert (got, blocked[1]) == (30, "unblocked")
    consumer.close()
    publisher.close()


def test_a_message_that_is_too_large_closes_its_channel(small: BrokerThread) -> None:
    connection = pika.BlockingConnection(pika.URLParameters(small.url))
    channel = connection.channel()
    channel.confirm_delivery()

    with pytest.raises(pika.exceptions.ChannelClosedByBroker, match="larger than configured max"):
        channel.basic_publish("", "q", b"x" * (MIB + 1))

    connection.channel().queue_declare("still here")
    connection.close()


def test_a_thousand_channels_and_no_more_than_agreed(connect: Connections) -> None:
    connection = connect(channel_max=10)
    channels = [connection.channel() for _ in range(10)]

    channels[9].queue_declare("q")

    with pytest.raises(pika.exceptions.NoFreeChannels):
        connection.channel()
