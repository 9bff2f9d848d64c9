"""A document -> its draft: defaults merged, roles' queues written out for each service.

A draft holds what the file says, right or wrong; values that fit no schema are None in it.  Faults
are `check.py`'s and `options.py`'s to find, the model is `load.py`'s to build.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from orquestador.documents import Document
from orquestador.nodes import Place
from orquestador.schemas import Finding
from orquestador.topology.arguments import CLASSIC, takes
from orquestador.topology.model import ping_queue

SERVICE = "{service}"


@dataclass(frozen=True, slots=True)
class Written:
    """A queue as it stands in the file, `{service}` and `{unique}` in it.

    `own` is what its entry says, `terms` that with the defaults.  `role`: whether it is a role's,
    so that `services` are all of that role; a service's own queue has that one, others none.
    """

    place: Place
    name: str
    own: Mapping[str, Any]
    terms: Mapping[str, Any]
    services: tuple[str, ...] = ()
    role: bool = False

    @property
    def shared(self) -> bool:
        """One queue for all services of the role."""
        return self.role and SERVICE not in self.name


@dataclass(frozen=True, slots=True)
class Concrete:
    """A queue of one name (but for `{unique}`), its placeholders filled, and who owns it."""

    name: str
    written: Written
    terms: Mapping[str, Any]
    owners: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Draft:
    """`absent`, `limits`: the sections as they stand.  `known`: the file's `known_arguments`.

    `unsound`: the places that have a fault already, so that nothing is concluded from them.
    """

    document: Document
    vhost: str | None
    prefix: str
    exchanges: Mapping[str, Mapping[str, Any]]
    roles: Mapping[str, Any]
    services: Mapping[str, Mapping[str, Any]]
    written: tuple[Written, ...]
    queues: tuple[Concrete, ...]
    owned: Mapping[str, tuple[str, ...]]
    absent: Mapping[str, Any]
    limits: Mapping[str, int]
    known: frozenset[str]
    unsound: frozenset[Place]

    def sound(self, place: Place, *keys: str) -> bool:
        """Whether none of these keys at the place (or the place itself) has a fault already."""
        return not any(spot in self.unsound for spot in (place, *((*place, key) for key in keys)))

    def watched(self, service: str) -> bool:
        return ping_queue(service) in self.owned.get(service, ())

    def on_broker(self, exchange: str) -> str:
        """The broker's own exchanges take no prefix."""
        return exchange if predeclared(exchange) else self.prefix + exchange


def predeclared(exchange: str) -> bool:
    return exchange == "" or exchange.startswith("amq.")


def placeholders(text: str) -> list[str]:
    return re.findall(r"\{[^{}]*\}", text)


def fill(value: Any, service: str) -> Any:
    """`{service}` replaced in every string of the value."""
    if isinstance(value, str):
        return value.replace(SERVICE, service)
    if isinstance(value, dict):
        return {key: fill(held, service) for key, held in value.items()}
    if isinstance(value, list):
        return [fill(item, service) for item in value]
    return value


def draft(document: Document, findings: list[Finding]) -> Draft:
    data = _pruned(document, findings)
    defaults = _mapping(data, "defaults")
    roles = _mapping(data, "roles")
    services = {name: entry or {} for name, entry in _mapping(data, "services").items()}
    written = tuple(_written(data, roles, services, _mapping(defaults, "queues")))
    queues = tuple(concrete for queue in written for concrete in _concrete(queue))
    owned: dict[str, list[str]] = defaultdict(list)
    for queue in queues:
        for owner in queue.owners:
            owned[owner].append(queue.name)
    return Draft(
        document,
        data.get("vhost"),
        data.get("prefix") or "",
        _exchanges(data, _mapping(defaults, "exchanges")),
        roles,
        services,
        written,
        queues,
        {owner: tuple(names) for owner, names in owned.items()},
        _mapping(data, "absent"),
        _stated(_mapping(data, "limits")),
        frozenset(name for name in data.get("known_arguments") or () if name is not None),
        frozenset(
            place
            for finding in findings
            for place in (finding.place, finding.meant)
            if place is not None and not (finding.lacks and place == finding.place)
        )
        | document.unsound,
    )


def _pruned(document: Document, findings: list[Finding]) -> dict[str, Any]:
    """The data with None where something does not fit: names stay known, the rest stays usable."""
    data: Any = {"": document.data} if not findings else {"": deepcopy(document.data)}
    for finding in findings:
        if finding.lacks:
            continue
        holder, steps = data, ("", *finding.place)
        for step in steps[:-1]:
            holder = holder[step] if holder is not None else None
        if holder is not None:
            holder[steps[-1]] = None
    return data[""] or {}


def _mapping(data: Mapping[str, Any], key: str) -> dict[str, Any]:
    return data.get(key) or {}


def _exchanges(
    data: Mapping[str, Any], defaults: Mapping[str, Any]
) -> dict[str, Mapping[str, Any]]:
    return {
        name: _stated(defaults) | _stated(entry or {})
        for name, entry in _mapping(data, "exchanges").items()
    }


def _written(
    data: Mapping[str, Any],
    roles: Mapping[str, Any],
    services: Mapping[str, Mapping[str, Any]],
    defaults: Mapping[str, Any],
) -> Iterator[Written]:
    def queues(
        place: Place, holder: Mapping[str, Any], owners: tuple[str, ...] = (), role: bool = False
    ) -> Iterator[Written]:
        for name, entry in _mapping(holder, "queues").items():
            own = _stated(entry or {})
            terms = _with_defaults(own, defaults)
            yield Written((*place, "queues", name), name, own, terms, owners, role)

    members: dict[Any, list[str]] = defaultdict(list)
    for service, entry in services.items():
        members[entry.get("role")].append(service)
    yield from queues((), data)
    for role, entry in roles.items():
        yield from queues(("roles", role), entry or {}, tuple(members[role]), role=True)
    for service, entry in services.items():
        yield from queues(("services", service), entry, (service,))


def _stated(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if value is not None}


def _with_defaults(own: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Only defaults that the queue's type takes: they are meant for those that can have them."""
    usual = defaults.get("type") or CLASSIC
    kind = CLASSIC if own.get("exclusive") else own.get("type") or usual
    fitting = {
        key: value
        for key, value in _stated(defaults).items()
        if takes(kind, key, value) and (key != "arguments" or kind == usual)
    }
    arguments = {**fitting.get("arguments", {}), **own.get("arguments", {})}
    return {**fitting, **own, "type": kind, "arguments": arguments}


def _concrete(queue: Written) -> Iterator[Concrete]:
    if not queue.services:
        if not queue.role:
            yield Concrete(queue.name, queue, queue.terms, ())
    elif queue.shared:
        yield Concrete(queue.name, queue, queue.terms, queue.services)
    else:
        for service in queue.services:
            terms = fill(queue.terms, service)
            yield Concrete(fill(queue.name, service), queue, terms, (service,))
