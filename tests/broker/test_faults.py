"""Every fault does what it says, from Python and over HTTP."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pika
import pytest

from plugins.broker.harness import BrokerProcess, BrokerThread

from .conftest import Connections


def eventually(done: Callable[[], Any], connection: Any = None, within: float = 5.0) -> Any:
    deadline = time.monotonic() + within
    while not (seen := done()) and time.monotonic() < deadline:
        connection.process_data_events(0.01) if connection else time.sleep(0.005)
    return seen


def closed(connection: Any) -> bool:
    try:
        connection.process_data_events(0)
    except pika.exceptions.AMQPError:
        return True
    return not connection.is_open


def test_a_cut_ends_the_chosen_connection_and_frees_what_it_held(
    broker: BrokerThread, connect: Connections
) -> None:
    victim, other = connect("victim"), connect("other").channel()
    holder = victim.channel()
    holder.queue_declare("q")
    holder.basic_publish("", "q", b"held")
    holder.basic_get("q")

    assert broker.fault("cut", connection="vic*") == 1

    assert eventually(lambda: closed(victim))
    method, _, body = other.basic_get("q", True)
    assert (body, method.redelivered) == (b"held", True)


def test_connections_are_listed_by_name(broker: BrokerThread, connect: Connections) -> None:
    connect("payments")

    [name] = broker.fault("connections")

    assert name.endswith(" payments")


def test_a_broker_that_does_not_read_answers_later(
    broker: BrokerThread, connect: Connections
) -> None:
    quiet, other = connect("quiet"), connect("other")
    channel, watcher = quiet.channel(), other.channel()
    channel.queue_declare("q")

    assert broker.fault("stop-reading", connection="quiet") == 1
    channel.basic_publish("", "q", b"late")
    assert watcher.queue_declare("q", passive=True).method.message_count == 0

    broker.fault("read-again", connection="quiet")
    assert eventually(lambda: watcher.queue_declare("q", passive=True).method.message_count == 1)


def test_deliveries_are_late_and_in_order(broker: BrokerThread, connect: Connections) -> None:
    connection = connect()
    channel = connection.channel()
    channel.queue_declare("slow.1")
    broker.fault("delay-deliveries", seconds=0.2, queue="slow.*")
    got: list[tuple[float, bytes]] = []
    channel.basic_consume("slow.1", lambda *seen: got.append((time.monotonic(), seen[3])))
    start = time.monotonic()
    for body in (b"one", b"two"):
        channel.basic_publish("", "slow.1", body)

    eventually(lambda: len(got) == 2, connection)

    assert [body for _, body in got] == [b"one", b"two"]
    assert got[0][0] - start >= 0.19
    broker.fault("delay-deliveries", seconds=0, queue="slow.*")
    assert broker.broker.gate is None


def test_dropped_deliveries_are_held_by_nobody_who_knows(
    broker: BrokerThread, connect: Connections
) -> None:
    connection = connect()
    channel = connection.channel()
    channel.queue_declare("q")
    broker.fault("drop-deliveries", count=1, queue="q")
    got: list[bytes] = []
    channel.basic_consume("q", lambda *seen: got.append(seen[3]))
    for body in (b"lost", b"there"):
        channel.basic_publish("", "q", body)

    eventually(lambda: got, connection)

    assert got == [b"there"]
    channel.close()
    method, _, body = connect().channel().basic_get("q", True)
    assert (body, method.redelivered) == (b"lost", True)


def test_blocked_publishers_wait_and_consumers_do_not(
    broker: BrokerThread, connect: Connections
) -> None:
    publisher, consumer = connect(), connect()
    blocked: list[str] = []
    publisher.add_on_connection_blocked_callback(lambda _, f: blocked.append(f.method.reason))
    channel, taker = publisher.channel(), consumer.channel()
    channel.queue_declare("q")
    channel.basic_publish("", "q", b"before")
    channel.queue_declare("q", passive=True)

    broker.fault("block-publishers", reason="low on disk")

    assert eventually(lambda: blocked, publisher) == ["low on disk"]
    channel.basic_publish("", "q", b"after")
    assert taker.basic_get("q", True)[2] == b"before"
    assert taker.basic_get("q", True)[2] is None
    broker.fault("unblock-publishers")
    assert eventually(lambda: taker.basic_get("q", True)[2]) == b"after"


def test_a_connection_that_starts_to_publish_under_an_alarm_is_blocked_then(
    broker: BrokerThread, connect: Connections
) -> None:
    broker.fault("block-publishers")
    connection = connect()
    blocked: list[str] = []
    connection.add_on_connection_blocked_callback(lambda _, f: blocked.append(f.method.reason))
    channel = connection.channel()
    channel.queue_declare("q")
    assert not blocked

    channel.basic_publish("", "q", b"one")

    assert eventually(lambda: blocked, connection) == ["low on memory"]
    broker.fault("unblock-publishers")


@pytest.mark.parametrize("keep", [True, False])
def test_a_restart_cuts_everyone_and_keeps_what_it_should(
    broker: BrokerThread, connect: Connections, keep: bool
) -> None:
    before = connect()
    channel = before.channel()
    channel.queue_declare("durable", durable=True)
    channel.queue_declare("passing")
    channel.basic_publish("", "durable", b"kept")
    channel.basic_get("durable")

    broker.fault("restart", keep_queues=keep, down_for=0.05)

    assert eventually(lambda: closed(before))
    after = connect().channel()
    if keep:
        method, _, body = after.basic_get("durable", True)
        assert (body, method.redelivered) == (b"kept", True)
    else:
        with pytest.raises(pika.exceptions.ChannelClosedByBroker):
            after.queue_declare("durable", passive=True)
        after = connect().channel()
    with pytest.raises(pika.exceptions.ChannelClosedByBroker):
        after.queue_declare("passing", passive=True)


def test_a_process_takes_faults_over_http(tmp_path: Path) -> None:
    broker = BrokerProcess(log=tmp_path / "broker.log")
    try:
        connection = pika.BlockingConnection(pika.URLParameters(broker.url))

        assert broker.fault("cut") == 1

        assert eventually(lambda: closed(connection))
        assert broker.fault("connections") == []
        broker.fault("restart", down_for=0.01)
        pika.BlockingConnection(pika.URLParameters(broker.url)).close()
        with pytest.raises(RuntimeError, match="no such fault"):
            broker.fault("explode")
        with pytest.raises(RuntimeError, match="unexpected keyword"):
            broker.fault("cut", everything=True)
    finally:
        broker.stop()


def test_every_fault_is_in_the_documentation(broker: BrokerThread) -> None:
    page = (Path(__file__).parents[2] / "docs" / "embedded-broker.md").read_text()

    missing = [name for name in broker._faults if f"`{name}`" not in page]

    assert not missing


def test_a_fault_that_ends_on_all_queues_ends_on_those_by_name_too(
    broker: BrokerThread, connect: Connections
) -> None:
    channel = connect("consumer").channel()
    channel.queue_declare("q")
    got: list[bytes] = []
    channel.basic_consume("q", lambda _c, _m, _p, body: got.append(body), auto_ack=True)
    broker.fault("delay-deliveries", seconds=60, queue="q")
    broker.fault("drop-deliveries", queue="q")

    broker.fault("delay-deliveries", seconds=0)
    broker.fault("drop-deliveries", count=0)
    channel.basic_publish("", "q", b"now")

    assert eventually(lambda: got == [b"now"], channel.connection)
