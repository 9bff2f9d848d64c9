"""A monitor's ear and voice: what a service says is read from a queue, pings are put by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pika.adapters.blocking_connection import BlockingChannel

from orquestador import Topology
from orquestador.events import Echo, Ping, Sender, decode, encode, fresh_word, timestamp
from tests.broker_layer.conftest import pika_is_quiet, restricted  # noqa: F401
from tests.broker_layer.witness import Message, Witness, taken
from tests.support.waiting import eventually

SERVICE = "mock1"


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

    def ping(self, key: str = SERVICE) -> Ping:
        self._sequence += 1
        ping = Ping(
            id=fresh_word(),
            sequence=self._sequence,
            sender=Sender(service="monitor", instance="m"),
            epoch=1,
            sent_at=timestamp(),
            every=1.0,
        )
        self.witness.put("heartbeat", key, encode(ping))
        return ping

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


@pytest.fixture
def outside(url: str) -> Outside:
    return Outside(url)


@pytest.fixture
def topology() -> Topology:
    """The experiment of the default file."""
    return Topology.load(Path(__file__).parents[2] / "topology.yaml")
