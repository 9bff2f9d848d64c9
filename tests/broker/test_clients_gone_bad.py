"""What a client does wrong ends that client's connection, with one line, and nobody else's."""

from __future__ import annotations

import contextlib
import os
import random
import socket
import time
from urllib.parse import urlsplit

import pytest
from pamqp import commands, frame

from plugins.broker.harness import BrokerThread

from .conftest import Connections

GREETING = b"AMQP\x00\x00\x09\x01"


def connected(broker: BrokerThread) -> socket.socket:
    parts = urlsplit(broker.url)
    sock = socket.create_connection((parts.hostname, parts.port), 10)
    sock.settimeout(10)
    return sock


def opened(broker: BrokerThread, *, heartbeat: int = 0) -> socket.socket:
    sock = connected(broker)
    start_ok = commands.Connection.StartOk({}, "PLAIN", "\0guest\0guest", "en_US")
    sock.sendall(GREETING)
    sock.recv(4096)
    sock.sendall(frame.marshal(start_ok, 0))
    sock.recv(4096)
    tune_ok = commands.Connection.TuneOk(2047, 131_072, heartbeat)
    sock.sendall(frame.marshal(tune_ok, 0) + frame.marshal(commands.Connection.Open("/"), 0))
    sock.recv(4096)
    return sock


def ended(sock: socket.socket) -> bool:
    """Whether the broker ends the connection, whatever it says before."""
    with contextlib.suppress(ConnectionError):
        while sock.recv(65536):
            pass
    return True


def lines(broker: BrokerThread, count: int) -> list[str]:
    deadline = time.monotonic() + 5
    while len(broker.log) < count and time.monotonic() < deadline:
        time.sleep(0.005)
    return broker.log


@pytest.mark.parametrize(
    "said",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"AMQP\x00\x01\x00\x00",
        os.urandom(64).replace(b"A", b"B"),
    ],
    ids=["http", "tls", "amqp 1.0", "noise"],
)
def test_another_protocol_is_told_ours_and_ended(
    broker: BrokerThread, connect: Connections, said: bytes
) -> None:
    other = connect().channel()
    sock = connected(broker)

    sock.sendall(said)

    assert sock.recv(8) == GREETING
    assert ended(sock)
    assert len(lines(broker, 1)) == 1
    assert "is no AMQP 0-9-1 client" in broker.log[0]
    other.queue_declare("still here")


def test_a_port_scanner_that_says_nothing_leaves_no_trace(
    broker: BrokerThread, connect: Connections
) -> None:
    connected(broker).close()

    connect().channel().queue_declare("still here")
    assert broker.log == []


@pytest.mark.parametrize(
    "sent",
    [
        b"\x01\x00\x00\x00\x00\x00\x04\x00\x0a\x00\x0b\xcd",
        b"\x03\x00\x01\x7f\xff\xff\xff" + b"x" * 100,
        b"\x07\x00\x01\x00\x00\x00\x01x\xce",
        b"\x01\x00\x01\x00\x00\x00\x02\x00\x14\xce",
        b"\x01\x00\x01\x00\x00\x00\x04\x00\x99\x00\x99\xce",
        b"\x01\x00\x00\x00\x00\x00\x06\x00\x0a\x00\x1f\x00\x01\xce",
        b"\x02\x00\x01\x00\x00\x00\x01x\xce",
    ],
    ids=["no end", "too large", "no type", "no method", "no such method", "cut off", "no content"],
)
def test_a_faulty_frame_ends_its_connection_only(
    broker: BrokerThread, connect: Connections, sent: bytes
) -> None:
    other = connect().channel()
    sock = opened(broker)

    sock.sendall(sent)

    assert b"\x00\x0a\x00\x32" in sock.recv(4096), "connection.close"
    sock.shutdown(socket.SHUT_WR)
    assert ended(sock)
    assert len(lines(broker, 1)) == 1
    other.queue_declare("still here")


def test_random_frames_end_only_their_connection(
    broker: BrokerThread, connect: Connections
) -> None:
    other = connect().channel()
    chance = random.Random(1)
    for _ in range(60):
        sock = opened(broker)
        with contextlib.suppress(ConnectionError):
            sock.sendall(frame.marshal(commands.Channel.Open(), 1))
            for _ in range(chance.randrange(1, 6)):
                index = chance.choice(sorted(commands.INDEX_MAPPING))
                payload = index.to_bytes(4, "big") + chance.randbytes(chance.randrange(40))
                kind, channel = chance.choice((1, 1, 1, 2, 3, 8)), chance.choice((0, 1, 1, 2))
                head = bytes([kind]) + channel.to_bytes(2, "big") + len(payload).to_bytes(4, "big")
                sock.sendall(head + payload + b"\xce")
        sock.close()

    other.queue_declare("still here")
    assert not [line for line in broker.log if "a fault of the broker's own" in line]


def test_a_silent_client_is_dropped_and_what_it_held_goes_on(
    broker: BrokerThread, connect: Connections
) -> None:
    channel = connect().channel()
    channel.queue_declare("q")
    silent = opened(broker, heartbeat=1)
    silent.sendall(frame.marshal(commands.Channel.Open(), 1))
    silent.sendall(frame.marshal(commands.Basic.Consume(queue="q"), 1))
    channel.basic_publish("", "q", b"held")

    assert ended(silent)

    method, _, body = channel.basic_get("q", True)
    assert (body, method.redelivered) == (b"held", True)
    assert "sent nothing for two heartbeats" in broker.log[-1]


def test_a_handshake_that_stops_halfway_is_one_line(
    broker: BrokerThread, connect: Connections
) -> None:
    sock = connected(broker)
    sock.sendall(GREETING)
    sock.recv(4096)
    sock.close()

    assert lines(broker, 1)[0].endswith("went away during the handshake")
    connect().channel().queue_declare("still here")
