"""What each service does on the broker: where it publishes and what it consumes.

From the file and from what its role says (`Role.access`).  Permissions, drawings and documents are
made of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from orquestador.topology.access import Access
from orquestador.topology.expand import predeclared
from orquestador.topology.model import EVENTS, Queue, Service, Topology

ANY = "#"
"""The routing key, as in a binding, that stands for every one."""

Accesses = Mapping[str, Callable[[Topology, Service], Access]]
"""Role -> its `access`, of those roles that have one."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Names are those on the broker; exchange "" is the default one.

    `queues`: its own ones.  `consumes`: these and the ones that its role reads.  `publishes`:
    exchange -> routing keys, `*` and `#` as in bindings.  `beyond`: what its role adds.
    """

    service: Service
    queues: tuple[Queue, ...]
    consumes: tuple[str, ...]
    publishes: Mapping[str, frozenset[str]]
    beyond: Access

    @property
    def makes(self) -> tuple[Queue, ...]:
        """The queues that its process declares itself, under a fresh word for each connection."""
        return tuple(queue for queue in self.queues if queue.unique)


def usages(topology: Topology, accesses: Accesses) -> tuple[Usage, ...]:
    """One a service, in the file's order."""
    return tuple(usage(topology, service, accesses) for service in topology.services.values())


def usage(topology: Topology, service: Service, accesses: Accesses) -> Usage:
    access = accesses.get(service.role)
    beyond = access(topology, service) if access else Access()
    queues = tuple(topology.queues[name] for name in service.queues)
    known = {queue.name for queue in topology.queues.values()}
    own = [queue.name for queue in queues]
    publishes: dict[str, set[str]] = {}
    for exchange, key in _published(topology, service, beyond):
        publishes.setdefault(exchange, set()).add(key)
    return Usage(
        service,
        queues,
        tuple(dict.fromkeys((*own, *sorted(beyond.read & known)))),
        {
            exchange: frozenset({ANY} if ANY in keys else keys)
            for exchange, keys in sorted(publishes.items())
        },
        beyond,
    )


def _published(topology: Topology, service: Service, beyond: Access) -> Iterator[tuple[str, str]]:
    if service.watched:
        # Hellos, echoes and goodbyes: protocol, section "On the broker".
        yield topology.exchanges[EVENTS].name, f"echo.{service.name}"
    for exchange in service.publishes:
        yield exchange, ANY
    yield from beyond.topics
    exchanges = {exchange.name for exchange in topology.exchanges.values()}
    said = {exchange for exchange, _ in beyond.topics}
    for name in beyond.write - said:
        if name in exchanges or predeclared(name):
            yield name, ANY
