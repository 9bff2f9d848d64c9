"""The topology as the rest of the library sees it: frozen, checked, roles expanded.

A name is written in the file without `prefix`; mappings are keyed by that name, and `.name` is the
name on the broker, prefix included.  Loading is `load.py`'s, cross references are `check.py`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orquestador.topology.things import Kind, Link, link

if TYPE_CHECKING:
    from orquestador.topology.vocabulary import Vocabulary

UNIQUE = "{unique}"
HEARTBEAT = "heartbeat"
EVENTS = "events"
ALL = "all"


def ping_queue(service: str) -> str:
    """The queue whose presence makes a service watched (before `prefix`)."""
    return f"ping.{service}"


@dataclass(frozen=True, slots=True)
class Binding:
    """`exchange` is the name on the broker."""

    exchange: str
    key: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Exchange:
    """`bindings`: what it gets from other exchanges.  `line`: where the file says so, else 0."""

    name: str
    type: str = "direct"
    durable: bool = True
    auto_delete: bool = False
    internal: bool = False
    owned: bool = True
    arguments: Mapping[str, Any] = field(default_factory=dict)
    bindings: tuple[Binding, ...] = ()
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Queue:
    """`arguments` are the AMQP arguments (x-...), ready for queue.declare.

    A name with `{unique}` is a template: its queue is exclusive, declared by the process that
    consumes it under a fresh word for each connection, and no business of provisioning.
    `retain` (`on_remove: retain`): it stays on the broker whatever the file drops.
    """

    name: str
    durable: bool = True
    exclusive: bool = False
    auto_delete: bool = False
    disposable: bool = False
    retain: bool = False
    arguments: Mapping[str, Any] = field(default_factory=dict)
    bindings: tuple[Binding, ...] = ()
    line: int = field(default=0, compare=False)

    @property
    def type(self) -> str:
        """classic, quorum or stream."""
        return str(self.arguments.get("x-queue-type", "classic"))

    @property
    def unique(self) -> bool:
        return UNIQUE in self.name

    def fresh(self, word: str) -> Queue:
        """This template under a word of one connection."""
        return replace(self, name=self.name.replace(UNIQUE, word))


@dataclass(frozen=True, slots=True)
class Service:
    """`queues`: names as written (unprefixed) of the queues it owns, role templates expanded.

    `options`: everything its entry says beside `role`, `queues` and `publishes`, checked by the
    plugin's schema.  `publishes`: the exchanges, by their names on the broker, that its entry or
    its role says it publishes to.
    """

    name: str
    role: str
    queues: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    publishes: tuple[str, ...] = ()

    @property
    def watched(self) -> bool:
        return ping_queue(self.name) in self.queues


@dataclass(frozen=True, slots=True)
class Absent:
    """Tombstones: what must not be on the broker, by the names there."""

    exchanges: tuple[str, ...] = ()
    queues: tuple[str, ...] = ()
    links: tuple[Link, ...] = ()


@dataclass(frozen=True, slots=True)
class Limits:
    """The ceilings of a broker plan; None: no ceiling."""

    queues: int | None = None
    connections: int | None = None
    messages_per_month: int | None = None
    lines: Mapping[str, int] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class Topology:
    path: Path
    exchanges: Mapping[str, Exchange]
    queues: Mapping[str, Queue]
    services: Mapping[str, Service]
    vhost: str | None = None
    prefix: str = ""
    absent: Absent = Absent()
    limits: Limits = Limits()

    @classmethod
    def load(cls, path: str | Path, vocabulary: Vocabulary | None = None) -> Topology:
        """The file's topology; ConfigurationError with all that is wrong in it."""
        from orquestador.topology.load import load  # reading YAML is for those who read a file

        return load(path, vocabulary)

    @property
    def lasting(self) -> tuple[Queue, ...]:
        """The queues that provisioning declares: all but the exclusive templates."""
        return tuple(queue for queue in self.queues.values() if not queue.unique)

    @property
    def links(self) -> tuple[Link, ...]:
        """Every binding that provisioning declares, exchanges' first, in the file's order."""
        return tuple(
            link(binding.exchange, kind, thing.name, binding.key, binding.arguments)
            for kind, things in (
                (Kind.EXCHANGE, self.exchanges.values()),
                (Kind.QUEUE, self.lasting),
            )
            for thing in things
            for binding in thing.bindings
        )

    @property
    def watched(self) -> tuple[Service, ...]:
        return tuple(service for service in self.services.values() if service.watched)

    def of_role(self, role: str) -> tuple[Service, ...]:
        return tuple(service for service in self.services.values() if service.role == role)
