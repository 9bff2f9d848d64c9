"""The failure detector: a pure function of (row, evidence, now).  No socket, clock or thread.

The table of the protocol's section 5: echoes, hello and goodbye here, what bounces in `lease.py`,
what time alone brings in `silence.py`.  Whether the monitor itself can see is `doubt.py`'s; what a
probe is, `session.py`'s.
"""

from __future__ import annotations

from msgspec.structs import replace

from orquestador.events import State

from . import lease, silence
from .changes import Judged, changed
from .evidence import (
    Bounced,
    Counted,
    Effect,
    Evidence,
    Goodbye,
    Heard,
    Hello,
    NoQueue,
    Pinged,
    Probe,
    Tick,
    Unseen,
)
from .instances import derived, health, lost_by, parted, with_instance, without
from .row import ASKED_KEPT, GREETINGS, Asked, Row, Rules


def judge(row: Row, seen: Evidence, now: float, rules: Rules) -> Judged:
    """The row after this evidence, and what is to be done; the same input gives the same."""
    match seen:
        case Heard():
            return (row, ()) if seen.instance in row.parted else _heard(row, seen, now, rules)
        case Pinged():
            return _pinged(row, seen, now), ()
        case Tick():
            return silence.ticked(row, seen, now, rules)
        case Bounced():
            return lease.bounced(row, now)
        case Counted():
            return lease.counted(row, seen, now, rules)
        case Hello():
            return _hello(row, seen, now, rules)
        case Goodbye():
            return _goodbye(row, seen, now, rules)
        case NoQueue():
            return lease.no_queue(row, now)
        case Unseen():
            return lease.unseen(row, seen, now)


def _pinged(row: Row, seen: Pinged, now: float) -> Row:
    if row.asked and row.asked[-1].sequence >= seen.sequence:
        return row
    asked = (*row.asked, Asked(seen.sequence, now, seen.ping))
    if len(asked) > ASKED_KEPT:  # the first one starts the clock and stays
        asked = (asked[0], *asked[2:])
    return replace(row, asked=asked, round=max(row.round, seen.sequence))


def _heard(row: Row, seen: Heard, now: float, rules: Rules) -> Judged:
    new = seen.instance not in row.words
    effects: tuple[Effect, ...] = ()
    if row.unseen is not None or row.gone is not None:
        if not _answers(row, seen):
            return with_instance(row, seen, now, rules), ()  # sent before: it tells nothing new
        row, effects = lease.sees(replace(row, gone=None, next_count=None))
    if _before_hello(row, seen, now):
        seen = replace(seen, round_trip=None)
    lost = lost_by(row, seen)
    row = _after_echo(row, seen, now, rules)
    if lost is not None:
        row = without(row, lost)
    row, judged = _whole(row, seen, new, lost, now, rules)
    return row, (*effects, *judged) if effects else judged


def _after_echo(row: Row, seen: Heard, now: float, rules: Rules) -> Row:
    """It has answered every ping up to this one's round: its silence is over."""
    row = with_instance(row, seen, now, rules)
    timed = seen.round_trip is not None
    asked = row.asked
    if asked:
        asked = tuple(a for a in asked if seen.sequence is None or a.sequence > seen.sequence)
    awaited = row.awaited
    if awaited:
        awaited = tuple(word for word in awaited if word != seen.instance)
    return replace(
        row,
        asked=asked,
        last_echo=now,
        last_ping=seen.ping or row.last_ping,
        round_trip=seen.round_trip if timed else row.round_trip,
        judged=row.judged or timed,
        settles=None if timed else row.settles,
        probed=None,
        next_probe=None,
        awaited=awaited,
        returned=row.returned + 1 if timed and not row.active else 0,
    )


def _whole(row: Row, seen: Heard, new: bool, lost: str | None, now: float, rules: Rules) -> Judged:
    """What the echo makes of the service."""
    if seen.round_trip is None:
        if lost is not None and row.state in (State.UP, State.DEGRADED):
            state, reason, text = health(row, rules)
            said = {"ping": seen.ping, "survivor": seen.instance}
            return changed(row, state, reason, text, "survivor", now, lost=lost, said=said)
        # Life is proven, not more: an inactive one is asked again, by pings that can be timed.
        return _greeted(row, now, rules) if row.state is State.DOWN else (row, ())
    # From STOPPED any instance that has not parted brings it back, a thawed one too.
    if row.state is not State.DOWN or new or row.returned >= rules.up_after:
        return derived(row, now, rules)
    return _greeted(row, now, rules)


def _answers(row: Row, seen: Heard) -> bool:
    """Whether it answers a ping that went out since the earlier ones were forgotten."""
    if not row.asked or seen.sequence is None:
        return False
    first = row.asked[0]
    if seen.sent_at is not None:
        return seen.sent_at >= first.at
    return seen.ping == first.ping or seen.sequence > first.sequence


def _before_hello(row: Row, seen: Heard, now: float) -> bool:
    """A ping sent before the service said hello waited for it: that is no lateness of its."""
    if seen.round_trip is None or row.greeted is None:
        return False
    return now - seen.round_trip < row.greeted


def _hello(row: Row, seen: Hello, now: float, rules: Rules) -> Judged:
    if seen.instance in row.parted:
        return row, ()
    awaited = (*(word for word in row.awaited if word != seen.instance), seen.instance)
    row = replace(row, greeted=now, awaited=awaited[-GREETINGS:])
    return _greeted(row, now, rules, again=True)


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
    row = parted(row, seen.instance)
    if not row.judged and not row.instances and len(row.parted) < rules.replicas > 1:
        return row, ()  # its sisters may not have been heard yet
    if not row.live(rules):
        # What it let through around its cancel may have been judged before its goodbye was read.
        withdrawn = row.state is State.DOWN and row.reason == lease.NO_CONSUMER
        said = {"withdrawn": True} if withdrawn else {}
        row = replace(row.fresh(), instances={})
        text, lost = "said goodbye", seen.instance
        return changed(row, State.STOPPED, "goodbye", text, "goodbye", now, lost=lost, said=said)
    if row.state not in (State.UP, State.DEGRADED):
        return row, ()
    state, reason, text = health(row, rules)
    return changed(row, state, reason, text, "goodbye", now, lost=seen.instance)
