"""The steps for `destroy`: what the file owns and the broker has, with nobody else's on it.  Pure.

A queue that stays keeps its bindings, and the exchanges that they come from.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from orquestador.provision import remedies
from orquestador.provision.found import UNASKED, Status
from orquestador.provision.leaving import (
    STAYS,
    Leaving,
    bound,
    forget,
    gone,
    half_way,
    migrating,
    retain,
    still_bound,
    typed,
)
from orquestador.provision.plan import Action, Remedy, Step
from orquestador.provision.records import Record, Recorded, destination, id_of, in_order
from orquestador.provision.wanted import Case, unasked
from orquestador.topology.model import Exchange, Queue
from orquestador.topology.things import Id, Kind, Link

FOREIGN = "it is not as the file says, and was not made from here"
BY_HAND = Remedy("delete", "if it is nobody else's, delete it by hand (rabbitmqctl, management)")
AGAIN, FORCE = "destroy again", "destroy --force removes it all the same"

Owned = Exchange | Queue | None
"""The file's thing; None for what it has dropped."""


def everything(case: Case, *, with_messages: bool) -> Leaving:
    """`with_messages`: queues go with what is in them, whoever consumes them."""
    leaving, owned = Leaving(), []
    for id, thing in _owned(case):
        if migrating(id, case):
            leaving.queues.append(half_way(case, id, thing))
        elif gone(case, id):
            forget(case, leaving, id)
        elif id.kind is Kind.QUEUE:
            leaving.queues.append(_queue(case, id, thing, with_messages))
        else:
            owned.append((id, thing))
    retain(case, leaving)
    staying = {step.id: step for step in leaving.queues if step.action is not Action.REMOVE}
    for link in _links(case):
        if gone(case, link):
            forget(case, leaving, link)
        else:
            leaving.links.append(_link(link, staying))
    left = {step.thing for step in leaving.links if step.action is not Action.REMOVE}
    going = {step.thing for step in leaving.links} - left
    for id, thing in owned:
        others = bound(case, id.name) - going
        others |= {link for link in left if isinstance(link, Link) and link.source == id.name}
        leaving.exchanges.append(_exchange(case, id, thing, others))
    return leaving


def _owned(case: Case) -> Iterator[tuple[Id, Owned]]:
    for id in case.records.leftovers(case.topology):
        if isinstance(id, Id):
            yield id, None
    for exchange in case.topology.exchanges.values():
        if exchange.owned:
            yield id_of(exchange), exchange
    for queue in case.topology.lasting:
        yield id_of(queue), queue


def _links(case: Case) -> list[Recorded]:
    of_section = (thing for thing in case.records.records if isinstance(thing, Link))
    return in_order({*case.topology.links, *of_section})


def _queue(case: Case, id: Id, queue: Owned, with_messages: bool) -> Step:
    record = case.records.records.get(id, Record())
    disposable = queue.disposable if isinstance(queue, Queue) else record.disposable
    found = typed(case.found(id), queue.type if isinstance(queue, Queue) else record.type)
    if found.status in UNASKED:
        return unasked(id, found, queue, case.topology)
    if isinstance(queue, Queue) and queue.retain:
        return Step(Action.KEEP, id, queue, found, STAYS)
    if _foreign(case, id, found.status):
        return Step(Action.HELD, id, queue, found, FOREIGN, (BY_HAND,))
    weighed = remedies.weighed(found, disposable=disposable)
    holds = remedies.holding(weighed)
    if holds and not with_messages:
        remedy = remedies.drain(weighed, AGAIN, FORCE)
        return Step(Action.HELD, id, queue, found, f"it {holds}", (remedy,))
    note = "" if with_messages else remedies.not_atomic(None, found)
    return Step(Action.REMOVE, id, queue, found, note, disposable=disposable, force=with_messages)


def _link(link: Recorded, staying: Mapping[Id, Step]) -> Step:
    assert isinstance(link, Link)
    end = staying.get(destination(link))
    if end is None:
        return Step(Action.REMOVE, link.id, link)
    return Step(Action.HELD, link.id, link, reason=f"{link.destination} stays")


def _exchange(case: Case, id: Id, exchange: Owned, others: set[Recorded]) -> Step:
    found = case.found(id)
    if found.status in UNASKED:
        return unasked(id, found, exchange, case.topology)
    if _foreign(case, id, found.status):
        return Step(Action.HELD, id, exchange, found, FOREIGN, (BY_HAND,))
    if others:
        return still_bound(Step(Action.HELD, id, exchange, found), others, AGAIN)
    return Step(Action.REMOVE, id, exchange, found)


def _foreign(case: Case, id: Id, status: Status) -> bool:
    """A namesake of another kind, which nobody here has made."""
    return status is Status.DIFFERS and not case.records.known(id)
