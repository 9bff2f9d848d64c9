"""One service under the detector, or a watch of two, driven by a clock that the test holds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec.structs import replace
from orquestador_plugins.monitor.detector import judge
from orquestador_plugins.monitor.evidence import (
    Bounced,
    Changed,
    Count,
    Counted,
    Effect,
    Evidence,
    Heard,
    Pinged,
    Probe,
    Sight,
    Tick,
)
from orquestador_plugins.monitor.outputs import Output, RoundDue, Said, Told
from orquestador_plugins.monitor.row import Row, Rules
from orquestador_plugins.monitor.watch import Watch

from orquestador.events import Echo, Health, Instances, State, Status

RULES = Rules()
PAIR = Rules(replicas=2)
SEES_ALL = Tick(own=1_000_000)
STARTED = "2026-01-01T00:00:00.000Z"
UP = (State.UP, "answering")
SILENT = (State.DOWN, "silent")
NOBODY = (State.DOWN, "no consumer")


class Watched:
    """One service under the detector, told what happens at which second."""

    def __init__(self, rules: Rules = RULES, *, judged: bool = True) -> None:
        self.rules = rules
        self.row = replace(Row("payments", 0.0), judged=judged)
        self.effects: list[tuple[float, Effect]] = []

    def __call__(self, now: float, *evidence: Evidence) -> tuple[Effect, ...]:
        seen: tuple[Effect, ...] = ()
        for each in evidence:
            self.row, effects = judge(self.row, each, now, self.rules)
            self.effects += [(now, effect) for effect in effects]
            seen += effects
        return seen

    def run(self, start: float, end: float, step: float = 0.05) -> None:
        """Ticks, as the monitor's beat gives them."""
        now = start
        while now <= end + 1e-9:
            self(round(now, 6), SEES_ALL)
            now += step

    def bounce(self, now: float, consumers: int) -> tuple[Effect, ...]:
        """A ping bounces, and the count that it asks for is here a millisecond later."""
        assert self(now, Bounced()) == (Count("payments"),)
        return self(now + 0.001, Counted(consumers))

    @property
    def state(self) -> tuple[State, str]:
        return self.row.state, self.row.reason

    @property
    def probes(self) -> list[float]:
        return [
            at
            for at, effect in self.effects
            if isinstance(effect, Probe)
            for _ in range(effect.count)
        ]

    @property
    def counts(self) -> list[float]:
        return [at for at, effect in self.effects if isinstance(effect, Count)]

    @property
    def sights(self) -> list[str | None]:
        return [effect.blind for _, effect in self.effects if isinstance(effect, Sight)]

    @property
    def changed(self) -> list[Changed]:
        return [effect for _, effect in self.effects if isinstance(effect, Changed)]

    @property
    def changes(self) -> list[tuple[State, str]]:
        return [(change.row.state, change.row.reason) for change in self.changed]


def echo(sequence: int, round_trip: float | None = 0.002, instance: str = "one") -> Heard:
    return Heard(instance, ping=f"p{sequence}", sequence=sequence, round_trip=round_trip)


def late(sequence: int, instance: str = "one") -> Heard:
    return echo(sequence, round_trip=0.6, instance=instance)


def extra(sequence: int, instance: str = "two") -> Heard:
    """An echo of the round's second ping, which a second instance is dealt."""
    return Heard(instance, ping=f"x{sequence}", sequence=sequence, round_trip=0.002)


def redelivered(ping: str, sequence: int | None, instance: str = "two") -> Heard:
    return Heard(instance, ping=ping, sequence=sequence, redelivered=True)


def ping(sequence: int) -> Pinged:
    return Pinged(f"p{sequence}", sequence)


def answering(rules: Rules = RULES) -> Watched:
    """A service that has answered the first round, at second 0."""
    watched = Watched(rules)
    watched(0.0, ping(1), echo(1))
    return watched


def answering_pair(rules: Rules = PAIR) -> Watched:
    """Two instances, each dealt a ping of the first two rounds, the second of them at 1 s."""
    watched = Watched(rules)
    for sequence in (1, 2):
        watched(sequence - 1.0, ping(sequence), echo(sequence), extra(sequence))
    assert watched.state == UP
    return watched


class Driven:
    """A watch of two services in a session that sees, and the pings sent in it."""

    def __init__(
        self,
        *,
        settle: float = 7.0,
        rules: Rules = RULES,
        leads: bool = True,
        services: Iterable[str] = ("a", "b"),
        **made: Any,
    ) -> None:
        all_rules = dict.fromkeys(services, rules)
        self.watch = Watch(all_rules, within=0.5, settle=settle, now=0.0, **made)
        self._outputs: list[Output] = []
        self.watch.opened(0.0)
        self.own(0.0)
        if leads:
            self.watch.lead(7, 0.0)
        self.first = self.watch.drain()

    def own(self, now: float) -> None:
        """A ping to our own name goes out and is back at once."""
        word = f"own{now}"
        self.watch.sent_own(word, now)
        self.watch.own_back(word, now)

    def round(self, now: float, *, back: bool = True) -> str:
        word = f"round{self.watch.round + 1}"
        self.watch.sent_round(word, now)
        if back:
            self.watch.own_back(word, now)
        return word

    def other_round(self, now: float) -> str:
        """Of another monitor, which leads."""
        word = f"other{self.watch.round + 1}"
        self.watch.other_round(word, now)
        return word

    def echo(
        self, service: str, ping: str | None, now: float, user: str | None = None, **said: Any
    ) -> None:
        seen = msgspec.structs.replace(alive(service, f"{service}1", ping), **said)
        refusal = self.watch.refusal(seen, user)
        if refusal:
            self.watch.rejects(refusal, now)
        else:
            self.watch.echo(seen, now)

    def answer(self, ping: str, now: float) -> None:
        self.echo("a", ping, now)
        self.echo("b", ping, now)

    def ticks(self, start: float, end: float) -> None:
        """The monitor's beat; with each batch of probes goes a ping to our own name."""
        now = start
        while now <= end + 1e-9:
            self.watch.tick(round(now, 6))
            outputs = self.watch.drain()
            self._outputs += outputs
            if any(isinstance(output, Probe) for output in outputs):
                self.own(round(now, 6))
            now += 0.05

    def drain(self) -> list[Output]:
        outputs, self._outputs = self._outputs, []
        return outputs + self.watch.drain()

    def said(self) -> list[Said]:
        return [output for output in self.drain() if isinstance(output, Said)]

    def told(self) -> list[Status]:
        return [output.status for output in self.drain() if isinstance(output, Told)]

    def rounds_due(self) -> list[float]:
        return [output.at for output in self.drain() if isinstance(output, RoundDue)]

    def states(self) -> dict[str, State]:
        return {name: row.state for name, row in self.watch.rows.items()}


def both_up(**made: Any) -> Driven:
    """Both services have answered the first round, at 0.1 s."""
    driven = Driven(**made)
    driven.answer(driven.round(0.1), 0.11)
    assert set(driven.states().values()) == {State.UP}
    driven.drain()
    return driven


def standing_by() -> Driven:
    """Settled, sees, and has heard both services answer the leader's round at second 10."""
    driven = Driven(leads=False)
    driven.ticks(0.05, 8.0)
    driven.answer(driven.other_round(10.0), 10.01)
    driven.drain()
    return driven


def standing_by_and_told() -> Driven:
    """And the leader has said that both are UP."""
    driven = standing_by()
    for service in ("a", "b"):
        driven.watch.status(status(service, *UP), 10.0, 10.02)
    driven.drain()
    return driven


def alive(service: str, instance: str, ping: str | None) -> Echo:
    return Echo(
        phase="alive",
        ping=ping,
        sequence=None,
        service=service,
        instance=instance,
        started_at=STARTED,
        redelivered=False,
        health=Health.OK,
    )


def status(service: str, state: State, reason: str, **said: Any) -> Status:
    """What a leading monitor publishes."""
    made = Status(
        service=service,
        state=state,
        previous=None,
        reason=reason,
        text="as the leader says",
        since=STARTED,
        at=STARTED,
        detected_by="echo",
        evidence={},
        instances=Instances(live=1, expected=1, lost=None),
        incident=None,
        epoch=1,
        not_before=None,
        not_after=None,
    )
    return msgspec.structs.replace(made, **said)
