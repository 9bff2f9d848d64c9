"""Random operations on both brokers side by side; after each, both must have shown the same.

The queues are there beforehand and rules are weighted by how often they are written, so that most
operations meet messages.  Each operation is settled before anything is compared: its own channel
asks every queue, then every other channel asks once, so that nothing is still on its way.  A
channel consumes from one queue at a time, for RabbitMQ's queues race each other to a channel.
`CONTRACT_EXAMPLES=500` looks at that many random runs in place of the few fixed ones.
"""

from __future__ import annotations

import os
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run

from .player import WITHIN, Client, Player, differences

pytestmark = pytest.mark.broker

QUEUES: dict[str, dict[str, Any]] = {
    "plain": {},
    "three": {"x-max-length": 3},
    "two": {"x-max-length": 2, "x-overflow": "reject-publish"},
    "buried": {"x-max-length": 4, "x-dead-letter-exchange": ""},
    "single": {"x-single-active-consumer": True, "x-max-length": 1},
    "dead": {},
}
KEYS = {"plain": "a.b", "three": "a.*", "two": "#.c", "buried": "a.#"}
CHANNELS = 3
_queues = st.sampled_from(sorted(QUEUES))
_channels = st.integers(0, CHANNELS - 1)
_picks = st.integers(0, 7)


class Side:
    """One broker: three channels, the first two on one connection."""

    def __init__(self, url: str, number: int) -> None:
        self.player = Player(url, f"random-{os.getpid() % 10000:04}-{number:05}.")
        self.clients = [self.player.connect(), self.player.connect()]
        self.channels = [self.client(n).channel() for n in range(CHANNELS)]
        first = self.channels[0]
        first.exchange("x", "topic")
        for queue, arguments in QUEUES.items():
            if "x-dead-letter-exchange" in arguments:
                arguments = {**arguments, "x-dead-letter-routing-key": self.player.name("dead")}
            first.declare(queue, arguments=arguments)
        for queue, key in KEYS.items():
            first.bind(queue, "x", key)

    def client(self, channel: int) -> Client:
        return self.clients[channel // 2]

    def cut(self) -> None:
        """End the second connection as a crash does, and open another in its place."""
        self.clients[1].cut()
        self.clients[1] = self.player.connect()
        self.channels[2] = self.clients[1].channel()

    def counts(self) -> list[Any]:
        """Ready messages and consumers of every queue, as the first channel sees them."""
        return [self.channels[0].look(queue) for queue in QUEUES]

    def settle(self, acting: int) -> None:
        for queue in (*QUEUES, "dead"):
            self.channels[acting].look(queue)
        for channel in self.channels:
            channel.round_trip()


class BothBrokers(RuleBasedStateMachine):
    """Subclassed by the test, which knows the addresses."""

    urls: tuple[str, str]
    number = 0

    @initialize()
    def begin(self) -> None:
        type(self).number += 1
        self.sides = [Side(url, self.number) for url in self.urls]
        self.held: list[list[int]] = [[] for _ in range(CHANNELS)]
        self.consumers: list[dict[str, str]] = [{} for _ in range(CHANNELS)]
        self.tags = 0
        self.bodies = 0

    def teardown(self) -> None:
        for side in getattr(self, "sides", ()):
            side.player.close()

    def both(self, channel: int, method: str, *values: Any, **options: Any) -> Any:
        """Do one thing on both sides, settle, compare; what the channel answered."""
        starts = [len(side.player.record) for side in self.sides]
        answers = [
            getattr(side.channels[channel], method)(*values, **options) for side in self.sides
        ]
        self.compare(starts, channel)
        return answers[0]

    def compare(self, starts: list[int], acting: int) -> None:
        for side in self.sides:
            side.settle(acting)
            for channel in side.channels:
                channel.arrivals()
        self.note_arrivals()
        records = [
            side.player.record[start:] for side, start in zip(self.sides, starts, strict=True)
        ]
        different = differences(*records)
        assert not different, "RabbitMQ, then embedded:\n" + "\n".join(different)
        counts = [side.counts() for side in self.sides]
        assert counts[0] == counts[1], f"{list(QUEUES)}: RabbitMQ {counts[0]}, embedded {counts[1]}"

    def note_arrivals(self) -> None:
        """Remember which tags are unacknowledged, from what RabbitMQ delivered."""
        for number, channel in enumerate(self.sides[0].channels):
            self.held[number] += channel.new_tags()
            for side in self.sides[1:]:
                side.channels[number].new_tags()

    # Publishing, twice as often as anything else

    @rule(channel=_channels, queue=_queues)
    def publish(self, channel: int, queue: str) -> None:
        self.bodies += 1
        self.both(channel, "publish", "", queue, f"m{self.bodies}")

    @rule(channel=_channels, key=st.sampled_from(["a.b", "a.c", "x.c", "c", "nobody"]))
    def publish_to_exchange(self, channel: int, key: str) -> None:
        self.bodies += 1
        self.both(channel, "publish", "x", key, f"m{self.bodies}", mandatory=True)

    # Getting and settling

    @rule(channel=_channels, queue=_queues)
    def get(self, channel: int, queue: str) -> None:
        answer = self.both(channel, "get", queue)
        if answer != "empty":
            self.held[channel].append(answer[1])

    @precondition(lambda self: any(self.held))
    @rule(channel=_channels, pick=_picks, multiple=st.booleans())
    def ack(self, channel: int, pick: int, multiple: bool) -> None:
        if tag := self.take(channel, pick, multiple):
            self.both(channel, "ack", tag, multiple=multiple)

    @precondition(lambda self: any(self.held))
    @rule(channel=_channels, pick=_picks, multiple=st.booleans())
    def requeue(self, channel: int, pick: int, multiple: bool) -> None:
        if tag := self.take(channel, pick, multiple):
            self.both(channel, "nack", tag, multiple=multiple)

    @precondition(lambda self: any(self.held))
    @rule(channel=_channels, pick=_picks)
    def reject(self, channel: int, pick: int) -> None:
        if tag := self.take(channel, pick, False):
            self.both(channel, "reject", tag, requeue=False)

    def take(self, channel: int, pick: int, multiple: bool) -> int:
        held = sorted(self.held[channel])
        if not held:
            return 0
        tag = held[pick % len(held)]
        self.held[channel] = [one for one in held if one > tag or (one < tag and not multiple)]
        return tag

    @rule(channel=_channels)
    def recover(self, channel: int) -> None:
        self.held[channel].clear()
        self.both(channel, "recover")

    # Consuming

    @rule(
        channel=_channels,
        queue=_queues,
        prefetch=st.sampled_from([1, 1, 2, 0]),
        priority=st.sampled_from([0, 0, 5]),
    )
    def consume(self, channel: int, queue: str, prefetch: int, priority: int) -> None:
        consumed = self.consumers[channel]
        if len(consumed) == 2 or not set(consumed.values()) <= {queue}:
            return
        self.tags += 1
        tag = f"c{self.tags}"
        self.consumers[channel][tag] = queue
        self.both(channel, "qos", prefetch)
        self.both(channel, "consume", queue, tag, arguments={"x-priority": priority})

    @precondition(lambda self: any(self.consumers))
    @rule(channel=_channels)
    def cancel(self, channel: int) -> None:
        if self.consumers[channel]:
            tag = next(iter(self.consumers[channel]))
            del self.consumers[channel][tag]
            self.both(channel, "cancel", tag)

    # Ends

    @rule(channel=_channels)
    def fail(self, channel: int) -> None:
        self.held[channel].clear()
        self.consumers[channel].clear()
        self.both(channel, "passive", "missing")

    @precondition(lambda self: self.held[2] or self.consumers[2])
    @rule()
    def crash(self) -> None:
        starts = [len(side.player.record) for side in self.sides]
        self.held[2].clear()
        self.consumers[2].clear()
        for side in self.sides:
            side.cut()
        deadline = time.monotonic() + WITHIN
        while self.sides[0].counts() != self.sides[1].counts() and time.monotonic() < deadline:
            time.sleep(0.01)
        self.compare(starts, 0)

    @rule(channel=_channels, queue=_queues)
    def purge(self, channel: int, queue: str) -> None:
        if self.bodies % 3 == 0:
            self.both(channel, "purge", queue)


def test_random_operations_look_alike(embedded_url: str, rabbitmq_url: str) -> None:
    examples = os.environ.get("CONTRACT_EXAMPLES")

    class Machine(BothBrokers):
        urls = (rabbitmq_url, embedded_url)

    run(
        Machine,
        settings=settings(
            max_examples=int(examples or 40),
            stateful_step_count=40,
            derandomize=examples is None,
            # A fixed run is for noticing; the smallest failing run takes minutes to find.
            phases=[Phase.generate, *([Phase.shrink] if examples else [])],
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
