"""The steps for what the file has dropped, and for what it says must be absent.  Pure.

Bindings, then queues, then exchanges: what still holds something is not removed.  All of a file's
things are removed by `destroying.py`.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, field, replace
from typing import TypeGuard

from orquestador.provision import remedies
from orquestador.provision.found import UNASKED, Found, Status
from orquestador.provision.plan import Action, Remedy, Step
from orquestador.provision.records import Record, Recorded, destination, in_order
from orquestador.provision.wanted import Case, unasked
from orquestador.topology.model import Exchange, Queue
from orquestador.topology.things import Id, Kind, Link

DROPPED, TOMBSTONE = "no longer in the file", "under absent:"
BEGUN = "a migration of it was begun and not ended: its messages may be in its temporary queue"
END_IT = Remedy("migrate", "have it in the file, and apply --migrate ends it", now=False)
STAYS = "on_remove: retain"
PRUNE = Remedy("prune", "apply --prune removes it")


@dataclass(slots=True)
class Leaving:
    """The steps, and what is recorded but gone already.

    `unlisted`: bindings under `absent:` that may be there; --prune unbinds them.
    """

    links: list[Step] = field(default_factory=list)
    queues: list[Step] = field(default_factory=list)
    exchanges: list[Step] = field(default_factory=list)
    vanished: list[Recorded] = field(default_factory=list)
    unlisted: int = 0

    @property
    def steps(self) -> tuple[Step, ...]:
        """In the order of doing."""
        return (*self.links, *self.queues, *self.exchanges)


def dropped(case: Case) -> Leaving:
    leaving = Leaving()
    absent = case.topology.absent
    tombstones: set[Recorded] = {
        *(Id(Kind.EXCHANGE, name) for name in absent.exchanges),
        *(Id(Kind.QUEUE, name) for name in absent.queues),
        *absent.links,
    }
    going = {*case.records.leftovers(case.topology), *tombstones}
    for thing in in_order(going):
        why = TOMBSTONE if thing in tombstones else DROPPED
        if migrating(thing, case):
            leaving.queues.append(half_way(case, thing))
        elif gone(case, thing):
            forget(case, leaving, thing)
        elif isinstance(thing, Link):
            _link(case, leaving, thing, why)
        elif thing.kind is Kind.QUEUE:
            leaving.queues.append(_queue(case, thing, why))
        else:
            leaving.exchanges.append(_exchange(case, thing, why, going))
    retain(case, leaving)
    return leaving


def retain(case: Case, leaving: Leaving) -> None:
    for id in case.records.retained(case.topology):
        if gone(case, id):
            forget(case, leaving, id)
        else:
            found = case.snapshot.things.get(id)
            leaving.queues.append(Step(Action.KEEP, id, None, found, f"{DROPPED}; {STAYS}"))


def _link(case: Case, leaving: Leaving, link: Link, why: str) -> None:
    step = Step(Action.HELD, link.id, link, reason=why, remedies=(PRUNE,))
    listed = case.snapshot.links is not None
    if listed or link in case.records.records:
        done = replace(step, action=Action.REMOVE, remedies=())
        leaving.links.append(done if case.wishes.prune else step)
    elif case.wishes.prune:
        leaving.links.append(replace(step, action=Action.CLEAR, remedies=()))
    else:
        leaving.unlisted += 1


def _queue(case: Case, id: Id, why: str) -> Step:
    record = case.records.records.get(id, Record())
    found = typed(case.found(id), record.type)
    if found.status in UNASKED:
        return unasked(id, found, None, case.topology)
    weighed = remedies.weighed(found, disposable=record.disposable)
    holds = remedies.holding(weighed)
    if holds:
        remedy = remedies.drain(weighed, f"then {PRUNE.text}")
        return Step(Action.HELD, id, None, found, f"{why}; it {holds}", (remedy,))
    if not case.wishes.prune:
        return Step(Action.HELD, id, None, found, why, (PRUNE,))
    note = remedies.not_atomic(None, found)
    reason = f"{why}{note and '; '}{note}"
    return Step(Action.REMOVE, id, None, found, reason, disposable=record.disposable)


def _exchange(case: Case, id: Id, why: str, going: Set[Recorded]) -> Step:
    found = case.found(id)
    if found.status in UNASKED:
        return unasked(id, found, None, case.topology)
    others = bound(case, id.name) - going
    if others:
        return still_bound(Step(Action.HELD, id, None, found, why), others, PRUNE.text)
    if not case.wishes.prune:
        return Step(Action.HELD, id, None, found, why, (PRUNE,))
    return Step(Action.REMOVE, id, None, found, why)


# -- what `destroying.py` needs, too


def migrating(thing: Recorded, case: Case) -> TypeGuard[Id]:
    """Its messages wait beside it, wherever it is itself."""
    if not isinstance(thing, Id) or thing.kind is not Kind.QUEUE:
        return False
    return thing.name in case.snapshot.migrating


def half_way(case: Case, id: Id, queue: Exchange | Queue | None = None) -> Step:
    return Step(Action.HELD, id, queue, case.found(id), BEGUN, (END_IT,))


def gone(case: Case, thing: Recorded) -> bool:
    """It is not on the broker; a binding goes with either end, or is not listed."""
    if isinstance(thing, Id):
        return _absent(case, thing)
    if case.comes_back(thing):
        return False
    listed = case.snapshot.links
    ends = (Id(Kind.EXCHANGE, thing.source), destination(thing))
    return any(_absent(case, end) for end in ends) or (listed is not None and thing not in listed)


def forget(case: Case, leaving: Leaving, thing: Recorded) -> None:
    if thing in case.records.records:
        leaving.vanished.append(thing)


def bound(case: Case, exchange: str) -> set[Recorded]:
    """The bindings known to be on it, as their source: those keep an exchange in use."""
    known = (*case.records.links, *(case.snapshot.links or ()))
    return {link for link in known if link.source == exchange and not gone(case, link)}


def still_bound(step: Step, others: Set[Recorded], command: str) -> Step:
    names = sorted({link.destination for link in others if isinstance(link, Link)})
    reason = f"{step.reason}{step.reason and '; '}still bound to it: {', '.join(names[:3])}"
    reason += f" and {len(names) - 3} more" if len(names) > 3 else ""
    return replace(
        step,
        reason=reason,
        remedies=(Remedy("unbind", f"unbind those; then {command}", now=False),),
    )


def typed(found: Found, type: str) -> Found:
    """With the queue's type, where asking did not show it and a record does."""
    return replace(found, type=found.type or type or None)


def _absent(case: Case, id: Id) -> bool:
    found = case.snapshot.things.get(id)
    return found is not None and found.status is Status.ABSENT
