"""What provisioning has made on one broker, record by record.  Pure.

AMQP lists neither queues nor bindings: by its records provisioning knows what the topology once had
and has no more.  The file that holds them is `state.py`'s, when it is written `journal.py`'s.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from orquestador.topology.model import Exchange, Queue, Topology
from orquestador.topology.things import Id, Kind, Link

Recorded = Id | Link
"""What a record is about: an exchange or a queue by its Id, a binding by itself."""


@dataclass(frozen=True, slots=True)
class Record:
    """Of one thing.  `begun`: it was about to be made, and nobody wrote that it was.

    `type`, `disposable` and `retain` are a queue's.
    """

    type: str = ""
    disposable: bool = False
    retain: bool = False
    begun: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """What was applied to one broker."""

    records: Mapping[Recorded, Record] = field(default_factory=dict)

    def known(self, thing: Recorded) -> bool:
        """Whether it was made, or seen in step."""
        record = self.records.get(thing)
        return record is not None and not record.begun

    def begun(self, thing: Recorded) -> bool:
        """Whether it was about to be made, or made anew, when a run was ended."""
        record = self.records.get(thing)
        return record is not None and record.begun

    @property
    def links(self) -> tuple[Link, ...]:
        """The known bindings; those only begun are none."""
        return tuple(
            thing for thing in self.records if isinstance(thing, Link) and self.known(thing)
        )

    def leftovers(self, topology: Topology) -> tuple[Recorded, ...]:
        """What is recorded, even as only begun, and not in the file: exchanges, queues, bindings.

        Retained queues and their bindings are none, unless the file says that they must be absent.
        """
        retained = set(self.retained(topology))
        return tuple(
            thing
            for thing in self._dropped(topology)
            if (thing if isinstance(thing, Id) else destination(thing)) not in retained
        )

    def retained(self, topology: Topology) -> tuple[Id, ...]:
        """Queues that the file has dropped and that stay (`on_remove: retain`)."""
        return tuple(
            thing
            for thing in self._dropped(topology)
            if isinstance(thing, Id)
            and self.records[thing].retain
            and thing.name not in topology.absent.queues
        )

    def changed(self, changes: Mapping[Recorded, Record | None]) -> Section:
        """With these records; None: without one."""
        records = {**self.records, **changes}
        return Section({thing: record for thing, record in records.items() if record is not None})

    def _dropped(self, topology: Topology) -> Iterator[Recorded]:
        wanted: set[Recorded] = {
            *map(id_of, topology.exchanges.values()),
            *map(id_of, topology.lasting),
            *topology.links,
        }
        return (thing for thing in in_order(self.records) if thing not in wanted)


def id_of(thing: Exchange | Queue) -> Id:
    return Id(Kind.QUEUE if isinstance(thing, Queue) else Kind.EXCHANGE, thing.name)


def recorded(thing: Exchange | Queue | Id | Link) -> Recorded:
    """Under what it is recorded."""
    return id_of(thing) if isinstance(thing, Exchange | Queue) else thing


def record(thing: Exchange | Queue | Link) -> Record:
    """What is recorded of it."""
    if isinstance(thing, Queue):
        return Record(thing.type, thing.disposable, thing.retain)
    return Record()


def destination(link: Link) -> Id:
    return Id(link.kind, link.destination)


def in_order(things: Iterable[Recorded]) -> list[Recorded]:
    """Exchanges, queues, bindings, each by name; bindings by what holds them."""
    kinds = list(Kind)

    def place(thing: Recorded) -> tuple[int, tuple[str, ...]]:
        if isinstance(thing, Id):
            return kinds.index(thing.kind), (thing.name,)
        ends = (thing.kind, thing.destination, thing.source, thing.key, thing.terms)
        return kinds.index(Kind.BINDING), ends

    return sorted(things, key=place)
