"""The steps for the bindings that the file wants.  Pure.

AMQP lists no bindings.  Whether one is there is known from a management API, else from what was
applied before; else it is declared once more, which changes nothing where it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from orquestador.provision.found import Status
from orquestador.provision.plan import Action, Step
from orquestador.provision.records import destination
from orquestador.provision.wanted import Case
from orquestador.topology.things import Id, Kind, Link


def steps(case: Case, things: Mapping[Id, Step]) -> Iterator[Step]:
    """`things`: the steps for exchanges and queues."""
    for link in case.topology.links:
        ends = [things.get(id) for id in (Id(Kind.EXCHANGE, link.source), destination(link))]
        yield _step(case, link, [end for end in ends if end is not None])


def _step(case: Case, link: Link, ends: list[Step]) -> Step:
    """`ends`: those that the file declares; the broker's own exchanges are always there."""
    for end in ends:
        if end.action is Action.UNKNOWN or _missing(end):
            what = "is not there" if _absent(end) else "is unknown"
            reason = f"{end.id.kind} {end.id.name} {what}"
            return Step(Action.UNKNOWN, link.id, link, reason=reason)
        if end.action is Action.MIGRATE and _absent(end):
            return Step(Action.KEEP, link.id, link, reason=f"comes back with {end.id.name}")
    if any(end.action is Action.CREATE for end in ends):
        return Step(Action.CREATE, link.id, link)
    return Step(_known(case, link), link.id, link)


def _known(case: Case, link: Link) -> Action:
    if case.snapshot.links is not None:
        return Action.KEEP if link in case.snapshot.links else Action.CREATE
    if case.section is None:
        return Action.ASSURE
    if any(case.section.begun(end) for end in (Id(Kind.EXCHANGE, link.source), destination(link))):
        return Action.CREATE  # its end was being made anew, and this was to come back with it
    return Action.KEEP if case.section.known(link) else Action.CREATE


def _missing(end: Step) -> bool:
    """It is not there, and nobody makes it."""
    return end.action is Action.CONFLICT and _absent(end)


def _absent(end: Step) -> bool:
    return end.found is not None and end.found.status is Status.ABSENT
