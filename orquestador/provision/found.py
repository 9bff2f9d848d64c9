"""What asking a broker about one thing has shown.  How it is asked is `asking.py`'s."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from orquestador.topology.things import Id, Link


class Status(StrEnum):
    ABSENT = "absent"
    SAME = "same"
    DIFFERS = "differs"
    PRESENT = "present"  # is there; no more was asked
    REFUSED = "refused"  # 403, even where it may be identical
    LOCKED = "locked"  # 405: another connection's exclusive queue
    UNSUPPORTED = "unsupported"  # 540, 541, 503, a 406 'invalid arg': no such thing there
    UNKNOWN = "unknown"  # its home node is down, or the answer says nothing that we know


UNASKED = (Status.REFUSED, Status.LOCKED, Status.UNSUPPORTED, Status.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Difference:
    """One property; None: has none.  `property` is AMQP's name (x-message-ttl, durable, type).

    `known`: whether `broker` is the broker's value; else it is None, or words for one that no
    declare can have.
    """

    property: str
    broker: Any
    file: Any
    known: bool = True


@dataclass(frozen=True, slots=True)
class Found:
    """One exchange or queue on the broker.

    `type`: the queue's (classic, quorum, stream) where known.  `messages` are ready ones.
    `complete`: whether all differences are known; other brokers than RabbitMQ say less.
    `text`: the broker's own words, where they matter; of what is absent: why it can't be made.
    """

    status: Status
    differences: tuple[Difference, ...] = ()
    type: str | None = None
    messages: int = 0
    consumers: int = 0
    complete: bool = True
    text: str = ""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A broker at one look.

    `things`: what was asked, the topology's own and leftovers.  `links`: all bindings that a
    management API listed, or None where nobody can list them.  `migrating`: queues, by name, with a
    migration begun and not ended.
    """

    things: Mapping[Id, Found] = field(default_factory=dict)
    links: frozenset[Link] | None = None
    migrating: frozenset[str] = frozenset()
