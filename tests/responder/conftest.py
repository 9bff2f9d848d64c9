"""A monitor's ear and voice: what a service says is read from a queue, pings are put by hand."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from orquestador import Serving, Topology
from orquestador.broker.channel import Channel
from orquestador.broker.loop_thread import LoopThread
from orquestador.events import Echo, Ping, Sender, decode, encode, fresh_word, timestamp
from tests.broker_layer.conftest import pika_is_quiet, restricted  # noqa: F401
from tests.broker_layer.witness import Message, Witness, taken
from tests.support.waiting import eventually

SERVICE = "mock1"
QUEUE = f"ping.{SERVICE}"


class Outside:
    """The other side of the protocol, by plain AMQP."""

    def __init__(self, url: str) -> None:
        self.witness = Witness(url)
        self.heard: list[Echo] = []
        self.messages: list[Message] = []
        self._sequence = 0
        for exchange in ("heartbeat", "events"):
            self.witness.declare_exchange(exchange)
        self.witness.declare("ear")
        self.witness.bind("ear", "events")

    def ping(self, key: str = SERVICE, *, every: float = 1.0, epoch: int = 1) -> Ping:
        ping = self.next(every, epoch)
        self.witness.put("heartbeat", key, encode(ping))
        return ping

    def next(self, every: float = 1.0, epoch: int = 1) -> Ping:
        """The next ping, not sent."""
        self._sequence += 1
        return Ping(
            id=fresh_word(),
            sequence=self._sequence,
            sender=Sender(service="monitor", instance="m"),
            epoch=epoch,
            sent_at=timestamp(),
            every=every,
        )

    def listen(self, channel: BlockingChannel) -> None:
        while message := taken(channel, "ear"):
            self.messages.append(message)
            self.heard.append(decode(Echo, message.body))

    def hears(self, phase: str, *, after: int = 0, within: float = 20.0, **wanted: Any) -> Echo:
        """The first echo of that phase with these fields."""
        with self.witness.channel() as channel:
            return self._hears(channel, phase, after, within, wanted)

    def _hears(
        self,
        channel: BlockingChannel,
        phase: str,
        after: int,
        within: float,
        wanted: dict[str, Any],
    ) -> Echo:
        def found() -> Echo | None:
            self.listen(channel)
            for echo in self.heard[after:]:
                fits = all(getattr(echo, name) == value for name, value in wanted.items())
                if echo.phase == phase and fits:
                    return echo
            return None

        echo = eventually(found, within)
        assert echo is not None
        return echo

    def echo_of(self, ping: Ping) -> Echo:
        return self.hears("alive", ping=ping.id)


class Last:
    """Consumes a ping queue as a leading monitor does: it is given what nobody else takes."""

    def __init__(self, url: str) -> None:
        self._connection = pika.BlockingConnection(pika.URLParameters(url))
        self._channel = self._connection.channel()
        self._channel.basic_consume(QUEUE, self._take, auto_ack=True, arguments={"x-priority": -10})
        self.taken: list[Message] = []

    def _take(self, _channel: object, method: Any, properties: Any, body: bytes) -> None:
        self.taken.append(Message(body, method.routing_key, method.redelivered, properties))

    @property
    def bounced(self) -> list[tuple[str, bool]]:
        """What was taken so far: the ids of the pings, and whether a service had held them."""
        self._connection.process_data_events(0)
        return [(decode(Ping, message.body).id, message.redelivered) for message in self.taken]

    def bounced_before(self, marker: Ping) -> list[tuple[str, bool]]:
        """What was taken before that ping, which nobody else consumes."""
        bounced = eventually(
            lambda: self.bounced if (marker.id, False) in self.bounced else None, 5.0
        )
        assert bounced is not None
        return bounced[: bounced.index((marker.id, False))]

    def close(self) -> None:
        self._connection.close()


@pytest.fixture
def last(outside: Outside, topology: Topology, url: str) -> Iterator[Last]:
    """A monitor's consumer on the ping queue of the service."""
    queue = topology.queues[QUEUE]
    outside.witness.declare(QUEUE, **queue.arguments)
    outside.witness.bind(QUEUE, "heartbeat", SERVICE)
    consumer = Last(url)
    yield consumer
    consumer.close()


@contextmanager
def running(serving: Serving) -> Iterator[None]:
    """`serving` on a thread of its own, until the end of the block."""
    thread = LoopThread(f"serving {serving.service}", serving.run)
    try:
        yield
    finally:
        assert thread.stop(timeout=5.0)
    if thread.failed is not None:
        raise thread.failed


class Seen:
    """What the service does on its channels, as it does it; nothing is kept from the broker."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.acknowledged: list[int] = []
        self.consumers: list[str] = []
        ack, consume = Channel.ack, Channel.consume

        def acknowledges(channel: Channel, tag: int) -> None:
            ack(channel, tag)
            if not channel.lost.done():
                self.acknowledged.append(tag)

        async def consumes(channel: Channel, *arguments: Any, **options: Any) -> str:
            tag = await consume(channel, *arguments, **options)
            self.consumers.append(tag)
            return tag

        monkeypatch.setattr(Channel, "ack", acknowledges)
        monkeypatch.setattr(Channel, "consume", consumes)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Seen:
    return Seen(monkeypatch)


@pytest.fixture
def outside(url: str) -> Outside:
    return Outside(url)


@pytest.fixture
def topology() -> Topology:
    """The experiment of the default file."""
    return Topology.load(Path(__file__).parents[2] / "topology.yaml")


@pytest.fixture
def release() -> Iterator[threading.Event]:
    """What hangs until the test is over hangs on this."""
    held = threading.Event()
    yield held
    held.set()
