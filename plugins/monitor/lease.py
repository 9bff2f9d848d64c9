"""What a returned lease means: a bounce asks for the queue's consumers, the count judges.  Pure.

Protocol, sections 2 and 6.  A bounce is never a verdict: a full window, the zombie connection of a
service that lives on, a second monitor may all let a ping through.
"""

from __future__ import annotations

from msgspec.structs import replace

from orquestador.events import State
from orquestador.topology.model import ping_queue

from .changes import Judged, changed, down
from .evidence import Count, Counted, Probe, Sight, Unseen
from .row import NOT_PROVISIONED, Row, Rules

COUNT_AGAIN, COUNT_AGAIN_CAP = 0.25, 5.0  # seconds, doubling
NO_CONSUMER = "no consumer"
FAILED_OVER = "its queue answers 0 consumers, as one that has just failed over"


def bounced(row: Row, now: float) -> Judged:
    """Ask, unless that is under way or could change nothing."""
    if row.counting is not None or (row.unseen is None and not _may_fall(row)):
        return row, ()
    return _count(row, now)


def counted(row: Row, seen: Counted, now: float, rules: Rules) -> Judged:
    asked = row.counting
    row = replace(row, counting=None, count_tries=0 if seen.consumers else row.count_tries)
    if seen.consumers == 0:
        return unseen(row, Unseen(FAILED_OVER), now)
    if row.unseen is not None or asked is None:
        # Its queue is back, its consumers may follow: this count is no verdict, a ping asks anew.
        # Who consumed it may take as long to be back as after a restart of the broker.
        settles = now + rules.settle if row.unseen is not None else row.settles
        judged = row.judged and row.unseen is None
        row, effects = sees(row)
        row = replace(row, judged=judged, settles=settles)
        return row, (*effects, Probe(row.service))
    if row.reason == NOT_PROVISIONED and seen.consumers == 1:
        return _nobody(row, now, rules)  # the queue is there again, and nobody else
    if not _may_fall(row):
        return row, ()
    if seen.consumers == 1:
        if asked <= max(row.last_echo or 0.0, row.greeted or 0.0):
            return _count(row, now)  # it spoke since: another start of it may consume by now
        return _nobody(row, now, rules)
    if row.gone is not None:
        return row.fresh(), (Probe(row.service),)
    if row.probed is None and row.next_greeting is None:
        # The ping that came to us never arrived there: one goes out in its place, a little later.
        row = row.greeting_again(1, now + rules.probe_every)
    return row, ()


def no_queue(row: Row, now: float) -> Judged:
    row, effects = sees(row)
    text = "its ping queue does not exist"
    said = {"missing": ping_queue(row.service)}
    row, changes = down(row, NOT_PROVISIONED, text, "returned", now, said=said)
    return _count_later(row, now), (*effects, *changes)


def unseen(row: Row, seen: Unseen, now: float) -> Judged:
    """Blind for this one: no clock runs, and it is asked for again and again."""
    effects = () if row.unseen is not None else (Sight(row.service, seen.why),)
    row = replace(_count_later(row, now), unseen=seen.why)
    return row.fresh(), effects


def sees(row: Row) -> Judged:
    """No longer blind for this one; what was asked before is forgotten."""
    if row.unseen is None:
        return row, ()
    row = replace(row, unseen=None, next_count=None, count_tries=0)
    return row.fresh(), (Sight(row.service, None),)


def due(row: Row, now: float) -> Judged:
    """The consumers are asked for again where the time has come."""
    if row.next_count is None or now < row.next_count:
        return row, ()
    row = replace(row, next_count=None)
    return (row, ()) if row.counting is not None else _count(row, now)


def _count(row: Row, now: float) -> Judged:
    return replace(row, counting=now), (Count(row.service),)


def _nobody(row: Row, now: float, rules: Rules) -> Judged:
    """Nobody else consumes its queue: DOWN, once `grace` is over."""
    since = now if row.gone is None else row.gone
    text = "nobody consumes its queue"
    if row.active and now - since < rules.grace:
        fresh = row if row.gone is not None else row.fresh()
        row = replace(fresh, gone=since, next_count=since + rules.grace)
        return changed(row, State.SUSPECT, NO_CONSUMER, text, "bounce", now)
    known = tuple(row.instances)
    lost = known[0] if len(known) == 1 else None
    said = {"consumers": 0, "instances": list(known)}
    return down(row, NO_CONSUMER, text, "bounce", now, lost=lost, said=said)


def _may_fall(row: Row) -> bool:
    return row.judged and row.active and row.state is not State.UNKNOWN


def _count_later(row: Row, now: float) -> Row:
    wait = min(COUNT_AGAIN * 2.0 ** min(row.count_tries, 8), COUNT_AGAIN_CAP)
    return replace(row, next_count=now + wait, count_tries=row.count_tries + 1, counting=None)
