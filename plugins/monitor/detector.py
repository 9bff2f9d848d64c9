"""The failure detector: a pure function of (row, evidence, now).  No socket, clock or thread.

The table of the protocol's section 5.  Whether the monitor itself can see is `doubt.py`'s; what a
probe is, `session.py`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from orquestador.events import Health, State

from .evidence import Changed, Effect, Evidence, Goodbye, Heard, Hello, NoQueue, Pinged, Probe, Tick
from .row import ASKED_KEPT, GREETINGS, INSTANCES_KEPT, WORDS_KEPT, Asked, Instance, Row, Rules

Judged = tuple[Row, tuple[Effect, ...]]


def judge(row: Row, seen: Evidence, now: float, rules: Rules) -> Judged:
    """The row after this evidence, and what is to be done; the same input gives the same."""
    match seen:
        case Pinged():
            return _pinged(row, seen, now), ()
        case Heard() if seen.instance in row.parted:
            return row, ()
        case Heard():
            return _heard(row, seen, now, rules)
        case Hello():
            return _hello(row, seen, now, rules)
        case Goodbye():
            return _goodbye(row, seen, now, rules)
        case NoQueue():
            return _down(row, "not provisioned", "its ping queue does not exist", "returned", now)
        case Tick():
            return _tick(row, seen, now, rules)


def _pinged(row: Row, seen: Pinged, now: float) -> Row:
    if row.asked and row.asked[-1].sequence >= seen.sequence:
        return row
    asked = (*row.asked, Asked(seen.sequence, now, seen.ping))
    if len(asked) > ASKED_KEPT:  # the first one starts the clock and stays
        asked = (asked[0], *asked[2:])
    return replace(row, asked=asked, round=max(row.round, seen.sequence))


def _heard(row: Row, seen: Heard, now: float, rules: Rules) -> Judged:
    new = seen.instance not in row.words
    if _before_hello(row, seen, now):
        seen = replace(seen, round_trip=None)
    timed = seen.round_trip is not None
    row = _with_instance(row, seen, now, rules)
    row = replace(
        row,
        asked=tuple(a for a in row.asked if seen.sequence is None or a.sequence > seen.sequence),
        last_echo=now,
        last_ping=seen.ping or row.last_ping,
        round_trip=seen.round_trip if timed else row.round_trip,
        judged=row.judged or timed,
        probed=None,
        next_probe=None,
        returned=row.returned + 1 if timed and not row.active else 0,
    )
    if not timed:
        # Life is proven, not more: an inactive one is asked again, by pings that can be timed.
        return _greeted(row, now, rules) if row.state is State.DOWN else (row, ())
    # From STOPPED any instance that has not parted brings it back, a thawed one too.
    if row.state is not State.DOWN or new or row.returned >= rules.up_after:
        return _derived(row, now, rules)
    return _greeted(row, now, rules)


def _before_hello(row: Row, seen: Heard, now: float) -> bool:
    """A ping sent before the service said hello waited for it: that is no lateness of its."""
    if seen.round_trip is None or row.greeted is None:
        return False
    return now - seen.round_trip < row.greeted


def _with_instance(row: Row, seen: Heard, now: float, rules: Rules) -> Row:
    sequence = row.round if seen.sequence is None else seen.sequence
    known = row.instances.get(seen.instance) or Instance(seen.instance, now, sequence)
    instance = replace(
        known,
        heard=now,
        sequence=max(known.sequence, sequence),
        health=seen.health,
        details=seen.details,
    )
    if seen.round_trip is not None:
        instance = instance.timed(seen.round_trip, rules)
    words = row.words
    if seen.round_trip is not None and seen.instance not in words:
        words = (*words, seen.instance)[-WORDS_KEPT:]
    # Ten rounds after it hung an instance is forgotten; its word is kept.  A flood of new ones
    # pushes out those heard longest ago.
    kept = [
        each
        for word, each in row.instances.items()
        if word != seen.instance and row.round - each.sequence <= rules.down_after + 10
    ]
    newest = (*kept[-(INSTANCES_KEPT - 1) :], instance)
    return replace(row, words=words, instances={each.word: each for each in newest})


def _derived(row: Row, now: float, rules: Rules) -> Judged:
    """The state that follows from the instances, after an echo whose lateness could be judged."""
    state, reason, text = _health(row, rules)
    if row.state is State.UNKNOWN and state is State.DEGRADED and not _ill(row, rules):
        # The other replicas may be about to answer.
        waited = now if row.waited is None else row.waited
        row = replace(row, waited=waited)
        if now - waited < rules.bound:
            return row, ()
    if state is State.UP:
        row = replace(row, greetings=0, next_greeting=None)
    return _changed(row, state, reason, text, "echo", now)


def _ill(row: Row, rules: Rules) -> bool:
    return any(i.slow or i.health is not Health.OK for i in row.live(rules))


def _health(row: Row, rules: Rules) -> tuple[State, str, str]:
    live = row.live(rules)
    for health in (Health.FAILING, Health.DEGRADED):
        for instance in live:
            if instance.health is health:
                return State.DEGRADED, health.value, _say(instance.details, health.value)
    for instance in live:
        if instance.slow:
            text = f"answers, but later than {rules.echo_within:g} s"
            return State.DEGRADED, "slow", text
    if len(live) < rules.replicas:
        return State.DEGRADED, "replicas", f"{len(live)} of {rules.replicas}"
    return State.UP, "answering", "answers"


def _say(details: Mapping[str, Any] | None, health: str) -> str:
    """One line from what the instance says of itself."""
    said = ", ".join(f"{key}: {value}" for key, value in (details or {}).items())
    return f"says it is {health}" + (f" ({said[:160]})" if said else "")


def _hello(row: Row, seen: Hello, now: float, rules: Rules) -> Judged:
    if seen.instance in row.parted:
        return row, ()
    return _greeted(replace(row, greeted=now), now, rules, again=True)


def _greeted(row: Row, now: float, rules: Rules, *, again: bool = False) -> Judged:
    """Probe at once, one more than the known instances, then on until it is UP, at most eight."""
    if row.greetings and not again:
        return row, ()
    first = min(len(row.live(rules)) + 1, GREETINGS)
    row = row.greeting_again(GREETINGS - first, now + rules.probe_every)
    return row, (Probe(row.service, first),)


def _goodbye(row: Row, seen: Goodbye, now: float, rules: Rules) -> Judged:
    if seen.instance in row.parted:
        return row, ()
    others = {word: each for word, each in row.instances.items() if word != seen.instance}
    parted = (*row.parted, seen.instance)[-WORDS_KEPT:]
    row = replace(row, instances=others, parted=parted)
    if not row.live(rules):
        row = replace(row.fresh(), instances={})
        return _changed(
            row, State.STOPPED, "goodbye", "said goodbye", "goodbye", now, lost=seen.instance
        )
    if row.state not in (State.UP, State.DEGRADED):
        return row, ()
    state, reason, text = _health(row, rules)
    return _changed(row, state, reason, text, "goodbye", now, lost=seen.instance)


def _tick(row: Row, seen: Tick, now: float, rules: Rules) -> Judged:
    greeting: tuple[Effect, ...] = ()
    if row.next_greeting is not None and now >= row.next_greeting:
        greeting = (Probe(row.service),)
        row = row.greeting_again(row.greetings - 1, now + rules.probe_every)
    row, effects = _silence(row, seen, now, rules)
    return row, (*greeting, *effects)


def _silence(row: Row, seen: Tick, now: float, rules: Rules) -> Judged:
    since = row.silent_since
    if since is None or not row.judged or not row.active:
        return row, ()
    if seen.own < row.asked[0].sequence or now - since < rules.echo_within:
        return row, ()  # our own ping of that round is not back either, or there is time left
    if row.probed is None:
        row = replace(row, probed=now, next_probe=now + rules.probe_every)
        probe = (Probe(row.service),)
        if row.state is State.UNKNOWN or row.slow(rules):
            return row, probe
        text = f"no echo for {rules.echo_within:g} s"
        row, effects = _changed(row, State.SUSPECT, "silent", text, "silence", now)
        return row, (*effects, *probe)
    if now >= row.down_at(since, row.probed, rules):
        silent = f"no echo for {now - since:.1f} s, nor to its probes"
        text = silent if row.last_echo is not None else "never answered a ping"
        said = {"silent_for": round(now - since, 3), "unanswered_round": row.asked[0].sequence}
        return _down(row, "silent", text, "silence", now, said)
    if row.next_probe is not None and now >= row.next_probe:
        return replace(row, next_probe=now + rules.probe_every), (Probe(row.service),)
    return row, ()


def _down(
    row: Row,
    reason: str,
    text: str,
    detected_by: str,
    now: float,
    said: Mapping[str, Any] | None = None,
) -> Judged:
    """The instances are forgotten, all of them were silent; their words stay known."""
    incident = row.incident or row.incident_now()
    row = replace(row, incident=incident, instances={}, probed=None, next_probe=None, returned=0)
    return _changed(row, State.DOWN, reason, text, detected_by, now, said=said)


def _changed(
    row: Row,
    state: State,
    reason: str,
    text: str,
    detected_by: str,
    now: float,
    *,
    lost: str | None = None,
    said: Mapping[str, Any] | None = None,
) -> Judged:
    """The row in that state; an effect only where (state, reason) differs."""
    if (row.state, row.reason) == (state, reason):
        return replace(row, text=text), ()
    previous = row.state
    since = row.since if state is previous else now
    row = replace(row, state=state, reason=reason, text=text, since=since, waited=None)
    effect = Changed(row, previous, detected_by, said or {}, lost)
    # The incident is named on the change that ends it, and is over then.
    ended = state not in (State.DOWN, State.SUSPECT)
    return (replace(row, incident=None, returned=0) if ended else row), (effect,)
