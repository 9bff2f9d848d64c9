"""Feeds the broker bytes that are almost right: `python -m tests.broker.fuzz --seconds 300`.

No sockets: connections get their bytes, in random pieces, from here.  Found out is whether anything
but the connection itself suffers: a fault of the broker's own, or something left over at the end.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from random import Random
from typing import Any

from pamqp import body, commands, frame, header

from plugins.broker.connection import Connection
from plugins.broker.server import Broker

GREETING = b"AMQP\x00\x00\x09\x01"
_NAMES = ("q", "r", "dead", "x", "", "amq.topic", "missing")
_ARGUMENTS: tuple[dict[str, Any], ...] = (
    {},
    {"x-max-length": 2},
    {"x-message-ttl": 1},
    {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "q"},
    {"x-single-active-consumer": True},
    {"x-queue-type": "quorum", "x-delivery-limit": 1},
    {"x-match": "any", "a": 1},
    {"x-priority": 3},
)


class Pipe(asyncio.Transport):
    """A transport that leads nowhere."""

    def __init__(self) -> None:
        super().__init__({"peername": ("fuzz", 0)})
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        pass

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def close(self) -> None:
        self.closed = True

    abort = close
    pause_reading = resume_reading = lambda self: None

    def is_closing(self) -> bool:
        return self.closed


def method(chance: Random) -> bytes:
    """A frame that is in order, with what follows it."""
    name, other = chance.choice(_NAMES), chance.choice(_NAMES)
    arguments = chance.choice(_ARGUMENTS)
    tag = chance.randrange(4)
    made: list[Any] = [
        commands.Channel.Open(),
        commands.Channel.Close(200, "", 0, 0),
        commands.Channel.CloseOk(),
        commands.Connection.Close(200, "", 0, 0),
        commands.Queue.Declare(queue=name, arguments=arguments),
        commands.Queue.Declare(queue=name, exclusive=True, auto_delete=True),
        commands.Queue.Delete(queue=name),
        commands.Queue.Bind(queue=name, exchange=other, routing_key="#", arguments=arguments),
        commands.Queue.Purge(queue=name),
        commands.Exchange.Declare(
            exchange=other, exchange_type=chance.choice(("topic", "headers", "fanout"))
        ),
        commands.Exchange.Bind(destination=name, source=other, routing_key="a.*"),
        commands.Exchange.Delete(exchange=name),
        commands.Basic.Consume(queue=name, consumer_tag=str(tag), arguments=arguments),
        commands.Basic.Cancel(consumer_tag=str(tag)),
        commands.Basic.Get(queue=name),
        commands.Basic.Ack(tag, chance.random() < 0.5),
        commands.Basic.Nack(tag, chance.random() < 0.5, chance.random() < 0.5),
        commands.Basic.Qos(prefetch_count=tag),
        commands.Basic.Recover(requeue=True),
        commands.Confirm.Select(),
    ]
    channel = chance.choice((0, 1, 1, 1, 2))
    if chance.random() < 0.4:
        return publish(chance, name, channel)
    return frame.marshal(chance.choice(made), channel)


def publish(chance: Random, name: str, channel: int) -> bytes:
    content = chance.randbytes(chance.randrange(40))
    headers: dict[str, Any] = {
        "a": 1,
        "CC": ["r"],
        "x-death": [{"queue": "q", "reason": "expired", "count": "x"}],
    }
    properties = commands.Basic.Properties(
        headers=headers if chance.random() < 0.5 else None,
        expiration=chance.choice((None, "1", "0")),
        priority=1,
    )
    exchange = chance.choice(("", "x", "amq.topic"))
    frames: list[Any] = [
        commands.Basic.Publish(exchange=exchange, routing_key=name, mandatory=True),
        header.ContentHeader(body_size=len(content), properties=properties),
        body.ContentBody(content),
    ]
    return b"".join(frame.marshal(one, channel) for one in frames)


def spoilt(chance: Random, data: bytes) -> bytes:
    """The same with a byte changed, dropped or doubled, or as it was."""
    if chance.random() < 0.7:
        return data
    at = chance.randrange(len(data))
    match chance.randrange(3):
        case 0:
            return data[:at] + bytes([chance.randrange(256)]) + data[at + 1 :]
        case 1:
            return data[:at] + data[at + 1 :]
    return data[:at] + data[at : at + 4] + data[at:]


def talk(chance: Random, broker: Broker) -> Connection:
    """One connection that opens, says up to thirty things, and stays open."""
    connection = Connection(broker)
    connection.connection_made(Pipe())
    start_ok = commands.Connection.StartOk({}, "PLAIN", "\0guest\0guest", "en_US")
    said = [
        GREETING,
        frame.marshal(start_ok, 0),
        frame.marshal(commands.Connection.TuneOk(2047, 131_072, 0), 0),
        frame.marshal(commands.Connection.Open("/"), 0),
    ]
    if chance.random() < 0.1:
        said = [spoilt(chance, one) for one in said]
    said.append(frame.marshal(commands.Channel.Open(), 1))
    said += [spoilt(chance, method(chance)) for _ in range(chance.randrange(30))]
    data = b"".join(said)
    while data:
        size = chance.choice((1, 7, 100, 10_000))
        connection.data_received(data[:size])
        data = data[size:]
    return connection


async def fuzz(seconds: float, seed: int) -> int:
    """How many connections were fed.  Raises AssertionError for what should not have happened."""
    chance = Random(seed)
    log: list[str] = []
    faults: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))
    broker = Broker(log=log.append)
    end, fed = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        open_ones = [talk(chance, broker) for _ in range(4)]
        await asyncio.sleep(0.002 if chance.random() < 0.1 else 0)
        chance.shuffle(open_ones)
        for connection in open_ones:
            connection.connection_lost(None)
        fed += len(open_ones)
        own = [line for line in log if "a fault of the broker's own" in line]
        assert not own, f"seed {seed}: {own[0]}"
        assert not faults, f"seed {seed}: {faults[0]}"
        for queue in broker.vhost.queues.values():
            assert not queue.consumer_count, f"seed {seed}: {queue.name} kept a consumer"
            assert queue.owner is None, f"seed {seed}: {queue.name} kept its owner"
        ready = sum(e.message.size for q in broker.vhost.queues.values() for e in q._ready)
        assert broker.vhost.weight == ready, f"seed {seed}: {broker.vhost.weight} is not {ready}"
        log.clear()
        if chance.random() < 0.05:
            broker.vhost.forget(durable_too=True)
            assert broker.vhost.weight == 0, f"seed {seed}: {broker.vhost.weight} bytes are left"
    return fed


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.broker.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    arguments = parser.parse_args()
    fed = asyncio.run(fuzz(arguments.seconds, arguments.seed))
    print(f"{fed} connections in {arguments.seconds:.0f} s, seed {arguments.seed}: nothing amiss")


if __name__ == "__main__":
    main()
