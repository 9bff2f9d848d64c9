"""The topology as the rest of the library sees it: frozen, checked, roles expanded.

A name is written in the file without `prefix`; mappings are keyed by that name, and `.name` is the
name on the broker, prefix included.  Loading is `load.py`'s, cross references are `check.py`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
class Exchange:
    name: str
    type: str = "direct"
    durable: bool = True
    auto_delete: bool = False
    internal: bool = False
    owned: bool = True
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Binding:
    """`exchange` is the name on the broker."""

    exchange: str
    key: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Queue:
    """`arguments` are the AMQP arguments (x-...), ready for queue.declare.

    A name with `{unique}` is a template: its queue is exclusive, declared by the process that
    consumes it under a fresh word for each connection, and no business of provisioning.
    """

    name: str
    durable: bool = True
    exclusive: bool = False
    auto_delete: bool = False
    disposable: bool = False
    arguments: Mapping[str, Any] = field(default_factory=dict)
    bindings: tuple[Binding, ...] = ()

    @property
    def unique(self) -> bool:
        return UNIQUE in self.name

    def fresh(self, word: str) -> Queue:
        """This template under a word of one connection."""
        return replace(self, name=self.name.replace(UNIQUE, word))


@dataclass(frozen=True, slots=True)
class Service:
    """`queues`: names as written (unprefixed) of the queues it owns, role templates expanded.

    `options`: everything its entry says beside `role` and `queues`, checked by the plugin's schema.
    """

    name: str
    role: str
    queues: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def watched(self) -> bool:
        return ping_queue(self.name) in self.queues


@dataclass(frozen=True, slots=True)
class Topology:
    path: Path
    exchanges: Mapping[str, Exchange]
    queues: Mapping[str, Queue]
    services: Mapping[str, Service]
    vhost: str | None = None
    prefix: str = ""

    @classmethod
    def load(cls, path: str | Path, vocabulary: Vocabulary | None = None) -> Topology:
        """The file's topology; ConfigurationError with all that is wrong in it."""
        from orquestador.topology.load import load  # reading YAML is for those who read a file

        return load(path, vocabulary)

    @property
    def watched(self) -> tuple[Service, ...]:
        return tuple(service for service in self.services.values() if service.watched)

    def of_role(self, role: str) -> tuple[Service, ...]:
        return tuple(service for service in self.services.values() if service.role == role)
