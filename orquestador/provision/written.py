"""A property of a queue or exchange as the file writes it: x-message-ttl 60000 is message_ttl: 60s.

The way from the file to AMQP is `topology/arguments.py`'s.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any

import yaml

from orquestador import durations
from orquestador.provision.found import Difference
from orquestador.topology.arguments import (
    ALTERNATE,
    DEAD_LETTER_KEY,
    DURATIONS,
    OURS,
    TERMS,
    queue_arguments,
)
from orquestador.topology.expand import predeclared
from orquestador.topology.model import Exchange, Queue, Topology

TYPE = TERMS["type"].argument
DEAD_LETTER = TERMS["dead_letter"].argument
_NESTED = {DEAD_LETTER: "dead_letter.exchange", DEAD_LETTER_KEY: "dead_letter.key"}


def key_of(property: str) -> str:
    """The file's key for it: message_ttl, dead_letter.key; an argument without one is itself."""
    if property == ALTERNATE:
        return "alternate"
    return _NESTED.get(property) or OURS.get(property, property)


def shown(property: str, value: Any) -> str:
    """The value as the file would say it, names as they are on the broker; "none" for none."""
    if value is None:
        return "classic" if property == TYPE else "none"
    return as_yaml(_in_file(property, value))


def raw(value: Any) -> str:
    """The value as AMQP has it."""
    return "none" if value is None else as_yaml(value)


def as_yaml(value: Any) -> str:
    """On one line, quoted where YAML asks for it; a mapping without its outer braces."""
    text = yaml.safe_dump(
        value, default_flow_style=True, width=inf, sort_keys=False, allow_unicode=True
    )
    line = text.removesuffix("\n").removesuffix("\n...")
    return line[1:-1] if isinstance(value, Mapping) else line


@dataclass(frozen=True, slots=True)
class Entry:
    """What makes a thing's entry in the file say what the broker has.

    `undeclared`: exchanges that it then names and the file does not declare.  `untold`: keys whose
    value the broker has not told.  `beyond`: what no file can say.
    """

    write: Mapping[str, Any] = field(default_factory=dict)
    remove: tuple[str, ...] = ()
    undeclared: tuple[str, ...] = ()
    untold: tuple[str, ...] = ()
    beyond: tuple[str, ...] = ()


def entry(thing: Exchange | Queue, differences: Sequence[Difference], topology: Topology) -> Entry:
    """What to change in its entry so that these are none."""
    write: dict[str, Any] = {}
    arguments: dict[str, Any] = {}
    remove: list[str] = []
    beyond: list[str] = []
    named = (DEAD_LETTER, DEAD_LETTER_KEY, ALTERNATE)
    untold = tuple(key_of(each.property) for each in differences if not each.known)
    told = [each for each in differences if each.known]
    plain = [each for each in told if each.property not in named]
    for each in plain:
        key = key_of(each.property)
        if each.broker is None and each.property != TYPE:
            remove.append(f"{key} from arguments" if key.startswith("x-") else key)
        elif not _can_say(thing, each):
            beyond.append(f"{key}: {raw(each.broker)}")
        elif key.startswith("x-"):
            arguments[key] = each.broker
        else:
            write[key] = _in_file(each.property, each.broker)
    names = _Names(topology)
    if len(plain) < len(told):
        broker = {each.property: each.broker for each in told}
        written = _referring({**thing.arguments, **broker}, names)
        write |= {key: value for key, value in written.items() if value is not None}
        remove += [key for key, value in written.items() if value is None]
    if arguments:
        write["arguments"] = arguments
    beyond += names.beyond
    return Entry(write, tuple(remove), tuple(names.undeclared), untold, tuple(beyond))


def _in_file(property: str, value: Any) -> Any:
    if property == TYPE and value is None:
        return "classic"
    if OURS.get(property) in DURATIONS and isinstance(value, int):
        return durations.render(value / 1000)
    return value


def _can_say(thing: Exchange | Queue, each: Difference) -> bool:
    """Whether an entry can be read as this: a queue that lasts is durable, false is left out."""
    if isinstance(thing, Exchange):
        return True
    if each.property == "durable":
        return bool(each.broker)
    key = OURS.get(each.property)
    if key is None or each.property == TYPE:
        return True
    try:
        arguments = queue_arguments({key: _in_file(each.property, each.broker)})
    except (TypeError, ValueError):
        return False
    return bool(arguments.get(each.property) == each.broker)


class _Names:
    """Names of exchanges in the file, for names on the broker; what cannot be said is kept."""

    def __init__(self, topology: Topology) -> None:
        self._topology = topology
        self.undeclared: list[str] = []
        self.beyond: list[str] = []

    def of_exchange(self, name: str, key: str) -> str | None:
        prefix = self._topology.prefix
        if predeclared(name):
            return name
        if not name.startswith(prefix):
            self.beyond.append(f"{key}: {name}, which lacks the prefix {prefix}")
            return None
        inside = name.removeprefix(prefix)
        if inside not in self._topology.exchanges:
            self.undeclared.append(inside)
        return inside

    def of_key(self, exchange: str, key: str) -> str:
        """Through the default exchange the key is a queue's name, which has the prefix."""
        return key.removeprefix(self._topology.prefix) if exchange == "" else key


def _referring(arguments: Mapping[str, Any], names: _Names) -> dict[str, Any]:
    """`alternate` and `dead_letter`; None: none of them; left out where it cannot be said."""
    if ALTERNATE in arguments:
        alternate = arguments[ALTERNATE]
        if alternate is None:
            return {"alternate": None}
        name = names.of_exchange(alternate, "alternate")
        return {} if name is None else {"alternate": name}
    exchange, key = arguments.get(DEAD_LETTER), arguments.get(DEAD_LETTER_KEY)
    if exchange is None:
        if key is not None:
            names.beyond.append(f"dead_letter.key: {key}, without an exchange")
        return {"dead_letter": None}
    name = names.of_exchange(exchange, "dead_letter.exchange")
    if name is None:
        return {}
    letter = {"exchange": name}
    return {"dead_letter": letter | ({"key": names.of_key(name, key)} if key is not None else {})}
