"""Plans from what a test says was found: no broker, no file."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from orquestador.provision import planning
from orquestador.provision.found import Difference, Found, Snapshot, Status
from orquestador.provision.plan import Action, Plan, Step, Wishes
from orquestador.provision.records import Record, Recorded, Section
from orquestador.topology.model import Exchange, Queue, Topology
from orquestador.topology.things import Id, Kind, Link

ABSENT, SAME, PRESENT = Found(Status.ABSENT), Found(Status.SAME), Found(Status.PRESENT)
TTL = Difference("x-message-ttl", 60_000, 30_000)


def differs(
    messages: int = 0, consumers: int = 0, type: str = "classic", *differences: Difference
) -> Found:
    return Found(Status.DIFFERS, differences or (TTL,), type, messages, consumers)


def queue(name: str) -> Id:
    return Id(Kind.QUEUE, name)


def exchange(name: str) -> Id:
    return Id(Kind.EXCHANGE, name)


def topology(*things: Exchange | Queue, path: str = "topology.yaml", **more: Any) -> Topology:
    return Topology(
        Path(path),
        {each.name: each for each in things if isinstance(each, Exchange)},
        {each.name: each for each in things if isinstance(each, Queue)},
        more.pop("services", {}),
        **more,
    )


def recorded(*things: Recorded, **queues: Record) -> Section:
    records: dict[Recorded, Record] = {thing: Record() for thing in things}
    return Section(records | {queue(name): record for name, record in queues.items()})


def planned(
    wanted: Topology,
    found: dict[Id, Found] | None = None,
    section: Section | None = None,
    links: Iterable[Link] | None = None,
    migrating: Iterable[str] = (),
    **wishes: bool,
) -> Plan:
    """What is wanted and not said to be found is as wanted."""
    things = {
        **{exchange(each.name): SAME for each in wanted.exchanges.values()},
        **{queue(each.name): SAME for each in wanted.lasting},
        **(found or {}),
    }
    listed = None if links is None else frozenset(links)
    snapshot = Snapshot(things, listed, frozenset(migrating))
    return planning.make(wanted, snapshot, section, Wishes(**wishes))


def step(plan: Plan, thing: Id | Link) -> Step:
    """The one that is about it."""
    id = thing.id if isinstance(thing, Link) else thing
    (found,) = (each for each in plan.steps if each.id == id)
    return found


def actions(plan: Plan) -> dict[str, Action]:
    return {each.id.name: each.action for each in plan.steps}
