"""The steps for what the file wants: one for each exchange and queue.  Pure.

Bindings are `bindings.py`'s, what has to go `leaving.py`'s.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from orquestador.provision import remedies
from orquestador.provision.found import UNASKED, Found, Snapshot, Status
from orquestador.provision.plan import Action, Remedy, Step, Wishes
from orquestador.provision.records import Section, destination, id_of, in_order
from orquestador.topology.model import Exchange, Queue, Topology
from orquestador.topology.names import MARKER, MIGRATING
from orquestador.topology.things import Id, Kind, Link

UNSEEN = Found(Status.UNKNOWN, text="it was not asked")
BEGUN = "a migration of it was begun and not ended"


@dataclass(frozen=True, slots=True)
class Case:
    """All that a plan follows from."""

    topology: Topology
    snapshot: Snapshot
    section: Section | None = None
    wishes: Wishes = field(default_factory=Wishes)

    def found(self, thing: Id) -> Found:
        return self.snapshot.things.get(thing, UNSEEN)

    @property
    def records(self) -> Section:
        return self.section or Section()

    def comes_back(self, link: Link) -> bool:
        """Its end was being made anew when a run was ended, and it is known to have been there."""
        end = destination(link)
        begun = end.name in self.snapshot.migrating or self.records.begun(end)
        return begun and self.records.known(link)


def steps(case: Case) -> Iterator[Step]:
    """Exchanges, then queues, in the file's order."""
    back = _returning(case)
    for exchange in case.topology.exchanges.values():
        yield _exchange(case, exchange, back)
    for queue in case.topology.lasting:
        yield _queue(case, queue, back)


def unasked(id: Id, found: Found, thing: Exchange | Queue | None, topology: Topology) -> Step:
    """`found.status` is one of UNASKED."""
    remedy = remedies.of_unasked(id.name, found, thing, str(topology.path))
    return Step(Action.UNKNOWN, id, thing, found, found.text or found.status, (remedy,))


Back = Mapping[Id, tuple[Link, ...]]


def _exchange(case: Case, exchange: Exchange, back: Back) -> Step:
    id = id_of(exchange)
    found = case.found(id)
    if found.status in UNASKED:
        return unasked(id, found, exchange, case.topology)
    if found.status is Status.ABSENT:
        if exchange.owned:
            return Step(Action.CREATE, id, exchange, found)
        remedy = remedies.of_owner(exchange, case.topology)
        reason = "it is not there, and not this file's to make (owned: false)"
        return Step(Action.CONFLICT, id, exchange, found, reason, (remedy,))
    if found.status is not Status.DIFFERS:
        return Step(Action.KEEP, id, exchange, found)
    if not exchange.owned:
        adopt = remedies.adopt(exchange, found, case.topology)
        owner = Remedy("owner", "or let its owner change it there")
        reason = "it is not this file's to change (owned: false)"
        return Step(Action.CONFLICT, id, exchange, found, reason, (adopt, owner))
    if case.wishes.recreate:
        reason = "only if nothing else is bound to it"
        return Step(Action.RECREATE, id, exchange, found, reason, links=back.get(id, ()))
    offered = remedies.of_difference(exchange, found, case.topology)
    return Step(Action.CONFLICT, id, exchange, found, remedies=offered)


def _queue(case: Case, queue: Queue, back: Back) -> Step:
    id = id_of(queue)
    found = case.found(id)
    if found.status in UNASKED:
        return unasked(id, found, queue, case.topology)
    if queue.name in case.snapshot.migrating:
        return _begun(case, queue, found, back)
    if found.status is Status.ABSENT and found.text:
        return Step(Action.CONFLICT, id, queue, found, found.text, (remedies.LIMIT,))
    if found.status is Status.ABSENT:
        return _absent(case, queue, found)
    if found.status is not Status.DIFFERS:
        return Step(Action.KEEP, id, queue, found)
    return _differing(case, queue, found, back)


def _absent(case: Case, queue: Queue, found: Found) -> Step:
    """Made; with bindings that the file no longer has, where a run was ended as it made it anew."""
    id = id_of(queue)
    leftovers = [each for each in case.records.leftovers(case.topology) if isinstance(each, Link)]
    back = [each for each in leftovers if destination(each) == id and case.comes_back(each)]
    if not back or case.wishes.prune:
        return Step(Action.CREATE, id, queue, found)
    links = [each for each in case.topology.links if destination(each) == id]
    reason = "it was being made anew when a run was ended"
    return Step(Action.RECREATE, id, queue, found, reason, links=(*links, *back))


def _begun(case: Case, queue: Queue, found: Found, back: Back) -> Step:
    """What a run has left behind that was ended half way: messages wait beside the queue."""
    id = id_of(queue)
    if case.wishes.migrate:
        return Step(Action.MIGRATE, id, queue, found, BEGUN, links=back.get(id, ()))
    remedy = Remedy("migrate", "apply --migrate ends it; no message is lost until then")
    return Step(Action.CONFLICT, id, queue, found, BEGUN, (remedy,))


def _differing(case: Case, queue: Queue, found: Found, back: Back) -> Step:
    id, wishes = id_of(queue), case.wishes
    not_recreated = remedies.why_not_recreate(queue, found)
    not_migrated = remedies.why_not_migrate(queue, found)
    if wishes.recreate and not not_recreated:
        reason = remedies.why_recreate(queue, found)
        return Step(Action.RECREATE, id, queue, found, reason, links=back.get(id, ()))
    if wishes.migrate and not not_migrated:
        reason = f"moves {remedies.messages(found)}"
        return Step(Action.MIGRATE, id, queue, found, reason, links=back.get(id, ()))
    reasons = []
    if wishes.recreate:
        reasons.append(f"not recreated: {not_recreated}")
    if wishes.migrate:
        reasons.append(f"not migrated: {not_migrated}")
    offered = remedies.of_difference(queue, found, case.topology)
    return Step(Action.CONFLICT, id, queue, found, "; ".join(reasons), offered)


def _returning(case: Case) -> Back:
    """The bindings that a thing gets back when it is made anew: all known ones that are to stay."""
    if not (case.wishes.recreate or case.wishes.migrate):
        return {}
    known = {*case.topology.links, *case.records.links, *_listed(case)}
    known -= set(case.topology.absent.links)
    if case.wishes.prune:
        known -= {each for each in case.records.leftovers(case.topology) if isinstance(each, Link)}
    back: defaultdict[Id, list[Link]] = defaultdict(list)
    for each in in_order(known):
        assert isinstance(each, Link)
        for end in {Id(Kind.EXCHANGE, each.source), destination(each)}:
            back[end].append(each)
    return {id: tuple(links) for id, links in back.items()}


def _listed(case: Case) -> Iterator[Link]:
    """Those of a temporary queue are its queue's: they were switched, and a run was ended."""
    for each in case.snapshot.links or ():
        queue = each.destination.removesuffix(MIGRATING)
        if each.kind is not Kind.QUEUE or queue not in case.snapshot.migrating:
            yield each
        elif each.source not in (queue + MIGRATING, case.topology.prefix + MARKER):
            yield replace(each, destination=queue)
