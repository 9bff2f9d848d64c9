"""What a broker holds, thing by thing: exchanges, queues, and bindings as things of their own.

Names here are names on the broker.  What should be there is the model's; what is, `provision/`'s.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    EXCHANGE = "exchange"
    QUEUE = "queue"
    BINDING = "binding"


@dataclass(frozen=True, slots=True, order=True)
class Id:
    """Which thing is meant.  A binding's name is its text: Link.__str__."""

    kind: Kind
    name: str


@dataclass(frozen=True, slots=True, order=True)
class Link:
    """A binding with both its ends.  `kind` is the destination's, a queue or an exchange.

    `terms`: its arguments as canonical JSON, so that two links compare and hash; `link()` makes it.
    """

    source: str
    kind: Kind
    destination: str
    key: str = ""
    terms: str = "{}"

    @property
    def arguments(self) -> dict[str, Any]:
        """Ready for queue.bind or exchange.bind."""
        arguments: dict[str, Any] = json.loads(self.terms)
        return arguments

    @property
    def id(self) -> Id:
        return Id(Kind.BINDING, str(self))

    def __str__(self) -> str:
        to = f"exchange {self.destination}" if self.kind is Kind.EXCHANGE else self.destination
        terms = "" if self.terms == "{}" else f" {self.terms}"
        return f"{self.source} -> {to} ({self.key or 'no key'}{terms})"


def link(source: str, kind: Kind, destination: str, key: str, arguments: Mapping[str, Any]) -> Link:
    return Link(source, kind, destination, key, json.dumps(dict(arguments), sort_keys=True))
