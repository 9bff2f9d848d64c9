"""What one service may do on the broker, as least privilege; and what it costs there.

Plain data: roles say theirs (`Role.access`, `Role.costs`), `provision/` adds them up and writes
them out.  RabbitMQ's meaning of configure, write and read:
https://www.rabbitmq.com/docs/access-control#authorisation.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf


@dataclass(frozen=True, slots=True)
class Access:
    """Names on the broker; `{unique}` in one stands for any word, "" is the default exchange.

    `topics`: (exchange, routing key) pairs that it publishes, for topic permissions; `*` and `#`
    in a key as in bindings.
    """

    configure: frozenset[str] = frozenset()
    write: frozenset[str] = frozenset()
    read: frozenset[str] = frozenset()
    topics: frozenset[tuple[str, str]] = frozenset()

    def __or__(self, other: Access) -> Access:
        return Access(
            self.configure | other.configure,
            self.write | other.write,
            self.read | other.read,
            self.topics | other.topics,
        )


@dataclass(frozen=True, slots=True)
class Rate:
    """Messages of one sort in a second, and the arithmetic in words: "2 echoes each 1 s".

    A message counts once when it is published, and once for each queue's consumer that it is
    delivered to.  `setting`: the place in the file of a duration that this rate is inversely
    proportional to (services.watch.every), `now`: its seconds, `longest`: the most it may be.
    """

    per_second: float
    because: str
    setting: str = ""
    now: float = 0.0
    longest: float = inf


@dataclass(frozen=True, slots=True)
class Costs:
    """Of one process of a service, beside what the file declares."""

    connections: int = 1
    rates: tuple[Rate, ...] = ()
