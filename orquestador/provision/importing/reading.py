"""RabbitMQ's definitions JSON: of the whole broker or of one vhost, from rabbitmqctl or management.

Its form: https://www.rabbitmq.com/docs/definitions.  Files of one vhost name it nowhere in their
items; older brokers write empty arguments as a list.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from orquestador.errors import ConfigurationError, Fault
from orquestador.wording import did_you_mean, shown

EXCHANGES, QUEUES, BINDINGS = "exchanges", "queues", "bindings"
HELD = (EXCHANGES, QUEUES, BINDINGS)
NAMED = {
    EXCHANGES: ("name", "type"),
    QUEUES: ("name",),
    BINDINGS: ("source", "destination", "destination_type", "routing_key"),
}
FLAGS = ("durable", "auto_delete", "internal")
VHOST, VHOSTS, POLICIES = "vhost", "vhosts", "policies"

Item = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Definitions:
    """What one vhost holds.  `vhost`: None where the file does not name it.

    `counts`: what else the file has for it or for all, by the file's own keys.
    """

    vhost: str | None
    version: str | None
    exchanges: tuple[Item, ...]
    queues: tuple[Item, ...]
    bindings: tuple[Item, ...]
    policies: tuple[Item, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)


def parsed(text: str, file: str) -> Any:
    """The JSON's data.  ConfigurationError with the file and line where it is none."""
    try:
        return json.loads(text, parse_constant=_refused)
    except json.JSONDecodeError as fault:
        line, said = fault.lineno, f"is not JSON: {fault.msg}"
    except RecursionError:
        line, said = 1, "is nested too deep"
    except ValueError as fault:  # a number of thousands of digits, NaN
        line, said = 1, f"is not JSON: {fault}"
    raise ConfigurationError([Fault(file, line, "", said)])


def definitions(data: Any, vhost: str | None, file: str) -> Definitions:
    """Those of the vhost, or of the only one that holds anything.

    Raises ConfigurationError: no definitions, or no such vhost, or several.
    """
    try:
        json.dumps(data, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise _fault(file, "holds half of a surrogate pair, which is no character") from None
    faults = list(_faults(data, file))
    if faults:
        raise ConfigurationError(faults)
    chosen = _chosen(data, vhost, file)

    def of(section: str) -> tuple[Item, ...]:
        return tuple(item for item in _items(data, section) if _of(item, chosen))

    counts = {key: len(of(key)) for key in data if key not in (*HELD, VHOSTS) and of(key)}
    version = data.get("rabbitmq_version") or data.get("rabbit_version")
    return Definitions(
        chosen,
        version if isinstance(version, str) else None,
        of(EXCHANGES),
        of(QUEUES),
        of(BINDINGS),
        tuple(item for item in of(POLICIES) if isinstance(item, Mapping)),
        counts,
    )


def _refused(constant: str) -> None:
    raise ValueError(f"{constant} is no number there")


def _items(data: Mapping[str, Any], section: str) -> list[Any]:
    items = data.get(section)
    return items if isinstance(items, list) else []


def _of(item: Any, vhost: str | None) -> bool:
    """Users and the like are of no vhost."""
    return not isinstance(item, Mapping) or item.get(VHOST, vhost) == vhost


def _chosen(data: Mapping[str, Any], vhost: str | None, file: str) -> str | None:
    holding = _names((item for section in HELD for item in _items(data, section)), VHOST)
    original = _names([data], "original_vhost_name")  # of a file of one vhost, from 3.12 on
    known = holding | _names(_items(data, VHOSTS), "name") | original
    if vhost is not None and (vhost in known or not known):
        return vhost
    if vhost is not None:
        meant = did_you_mean(vhost, known)
        raise _fault(file, f"has no vhost {vhost!r}, but {_listed(known)}{meant}")
    candidates = holding or original or known
    if len(candidates) > 1:
        raise _fault(file, f"holds several vhosts, {_listed(candidates)}: say which one")
    return next(iter(candidates), None)


def _names(items: Iterable[Any], key: str) -> set[str]:
    found = (item.get(key) for item in items if isinstance(item, Mapping))
    return {name for name in found if isinstance(name, str)}


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(repr, sorted(names)))


def _faults(data: Any, file: str) -> Iterator[Fault]:
    if not isinstance(data, Mapping) or not any(section in data for section in HELD):
        text = "is no definitions file of RabbitMQ: it has no exchanges, queues and bindings"
        yield Fault(file, 1, "", text)
        return
    for section in HELD:
        items = data.get(section)
        if items is not None and not isinstance(items, list):
            yield Fault(file, 1, section, f"is {shown(items)} where a list belongs")
            continue
        for position, item in enumerate(items or ()):
            yield from _faults_of(item, section, f"{section}[{position}]", file)


def _faults_of(item: Any, section: str, key: str, file: str) -> Iterator[Fault]:
    if not isinstance(item, Mapping):
        yield Fault(file, 1, key, f"is {shown(item)} where an object belongs")
        return
    for name in NAMED[section]:
        if not isinstance(item.get(name), str):
            yield Fault(file, 1, f"{key}.{name}", f"is {shown(item.get(name))}, not a string")
    for name in FLAGS:
        if not isinstance(item.get(name, False), bool):
            yield Fault(file, 1, f"{key}.{name}", f"is {shown(item[name])}, not true or false")
    arguments = item.get("arguments") or {}
    if not isinstance(arguments, Mapping):
        yield Fault(file, 1, f"{key}.arguments", f"is {shown(arguments)}, not an object")
    if section == BINDINGS and item.get("destination_type") not in ("queue", "exchange"):
        what = shown(item.get("destination_type"))
        yield Fault(file, 1, f"{key}.destination_type", f"is {what}, not queue or exchange")


def _fault(file: str, text: str) -> ConfigurationError:
    return ConfigurationError([Fault(file, 1, "", text)])
