"""Exchanges and their routing: pure data, no queue, no connection.

An exchange holds the bindings that start from it and says which of them a message follows.  To
follow them through further exchanges is the virtual host's.
Source: AMQP 0-9-1 specification, section 3.1.3; rabbitmq.com/docs/exchanges#headers.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from .errors import Refused
from .tables import Field, Table, identity

TYPES = ("direct", "fanout", "topic", "headers")
PREDECLARED = {
    "": "direct",
    "amq.direct": "direct",
    "amq.fanout": "fanout",
    "amq.topic": "topic",
    "amq.headers": "headers",
    "amq.match": "headers",
}
_REMEMBERED = 1000
"""Routing keys whose matches a topic exchange remembers."""

Destination = tuple[str, str]
"""`queue` or `exchange`, and a name."""


@dataclass(frozen=True, slots=True)
class Binding:
    destination: Destination
    key: str
    arguments: Table = field(compare=False, default_factory=dict)
    identity: bytes = b""

    @classmethod
    def make(cls, destination: Destination, key: str, arguments: Table) -> Binding:
        return cls(destination, key, arguments, identity(arguments) if arguments else b"")


class Exchange:
    """A named exchange of one of TYPES with the bindings that start from it."""

    def __init__(
        self,
        name: str,
        type: str,
        *,
        durable: bool = True,
        auto_delete: bool = False,
        internal: bool = False,
        arguments: Table | None = None,
    ) -> None:
        self.name = name
        self.type = type
        self.durable = durable
        self.auto_delete = auto_delete
        self.internal = internal
        self.arguments: Table = arguments or {}
        self.bindings: dict[Binding, None] = {}
        self._by_key: dict[str, list[Destination]] = {}
        self._remembered: dict[str, list[Destination]] = {}

    @property
    def alternate(self) -> str | None:
        """Where messages go that no binding takes."""
        named = self.arguments.get("alternate-exchange")
        return None if named is None else str(named.value)

    def check(self, binding: Binding) -> None:
        """Raises 406 for a binding that this type does not take."""
        if self.type == "headers":
            check_match(binding.arguments)

    def bind(self, binding: Binding) -> None:
        """Add it; one that is there already changes nothing."""
        if binding in self.bindings:
            return
        self.bindings[binding] = None
        self._by_key.setdefault(binding.key, []).append(binding.destination)
        self._remembered.clear()

    def unbind(self, binding: Binding) -> None:
        """Remove a binding that is there."""
        del self.bindings[binding]
        destinations = self._by_key[binding.key]
        destinations.remove(binding.destination)
        if not destinations:
            del self._by_key[binding.key]
        self._remembered.clear()

    def drop(self, destination: Destination) -> bool:
        """Remove every binding to a destination that is gone; whether there was one."""
        gone = [binding for binding in self.bindings if binding.destination == destination]
        for binding in gone:
            self.unbind(binding)
        return bool(gone)

    def route(self, keys: Iterable[str], headers: Table) -> list[Destination]:
        """The destinations of all bindings that match, possibly with repetitions."""
        if self.type == "fanout":
            return [binding.destination for binding in self.bindings]
        if self.type == "headers":
            return [b.destination for b in self.bindings if headers_match(b.arguments, headers)]
        if self.type == "topic":
            return [found for key in keys for found in self._topics(key)]
        return [found for key in keys for found in self._by_key.get(key, ())]

    def _topics(self, key: str) -> list[Destination]:
        found = self._remembered.get(key)
        if found is None:
            if len(self._remembered) >= _REMEMBERED:
                self._remembered.clear()
            split = words(key)
            found = [b.destination for b in self.bindings if topic_matches(words(b.key), split)]
            self._remembered[key] = found
        return found


def words(key: str) -> list[str]:
    """The words of a routing key; an empty key has none, `a..b` has three."""
    return key.split(".") if key else []


def topic_matches(pattern: list[str], key: list[str]) -> bool:
    """Whether the words fit, with `*` for one word and `#` for any number, none included."""
    reached = {0}
    for word in pattern:
        if word == "#":
            reached = set(range(min(reached), len(key) + 1))
        else:
            reached = {at + 1 for at in reached if at < len(key) and word in ("*", key[at])}
        if not reached:
            return False
    return len(key) in reached


def check_match(arguments: Table) -> None:
    match arguments.get("x-match"):
        case None | Field("longstr", "all" | "any" | "all-with-x" | "any-with-x"):
            return
        case Field("longstr", other):
            fault = f'field value <<"{other}">>; expected all, any, all-with-x, or any-with-x'
        case Field(kind, value):
            fault = f"field type {kind} (value {value}); expected longstr"
    raise Refused("PRECONDITION_FAILED", f"Invalid x-match {fault}")


def headers_match(wanted: Table, headers: Table) -> bool:
    """Whether a headers binding takes a message; without `x-match` all must be there."""
    how = wanted.get("x-match", Field("longstr", "all")).value
    with_x = how in ("all-with-x", "any-with-x")
    names = [key for key in wanted if key != "x-match" and (with_x or not key.startswith("x-"))]
    fits = (name in headers and _same(wanted[name], headers[name]) for name in names)
    return any(fits) if how in ("any", "any-with-x") else all(fits)


def _same(wanted: Field, found: Field) -> bool:
    """No value asks for presence alone; otherwise types may differ, but a truth is not a number."""
    if wanted.kind == "void":
        return True
    if (wanted.kind == "bool") != (found.kind == "bool"):
        return False
    return bool(wanted.value == found.value)
