"""The counting proxy's reading of AMQP, however the bytes are cut."""

from __future__ import annotations

import pytest
from pamqp import commands, frame, header
from pamqp.body import ContentBody
from pamqp.heartbeat import Heartbeat

from benchmarks.tap import ALL, Counts, Stream

BODY = b"{}"
CONTENT = frame.marshal(header.ContentHeader(0, len(BODY)), 1) + frame.marshal(ContentBody(BODY), 1)


def publish(exchange: str, key: str) -> bytes:
    return frame.marshal(commands.Basic.Publish(exchange=exchange, routing_key=key), 1) + CONTENT


def deliver(exchange: str, key: str) -> bytes:
    return frame.marshal(commands.Basic.Deliver("1", 1, False, exchange, key), 1) + CONTENT


SPOKEN = b"".join(
    [
        publish("heartbeat", "all"),
        deliver("events", "echo.payments"),
        frame.marshal(commands.Basic.Ack(1), 1),
        frame.marshal(Heartbeat(), 0),
        publish("events", "status.payments"),
        publish("", "leader"),
    ]
)


@pytest.mark.parametrize("step", [1, 7, 100, len(SPOKEN)])
def test_messages_are_told_apart_however_they_arrive(step: int) -> None:
    counts, stream = Counts(), Stream()

    pinged = [counts.feed(stream, SPOKEN[at : at + step]) for at in range(0, len(SPOKEN), step)]

    assert counts.messages == {
        "ping published": 1,
        "echo delivered": 1,
        "ack": 1,
        "heartbeat": 1,
        "status published": 1,
        "baton published": 1,
    }
    assert pinged.count(True) == 1


def test_every_byte_is_counted_once() -> None:
    counts = Counts()

    counts.feed(Stream(skip=8), b"AMQP\x00\x00\x09\x01" + SPOKEN)

    assert counts.sizes[ALL] == 8 + len(SPOKEN)
    assert sum(counts.sizes.values()) - counts.sizes[ALL] == len(SPOKEN)
    assert counts.sizes["ping published"] == len(publish("heartbeat", "all"))
