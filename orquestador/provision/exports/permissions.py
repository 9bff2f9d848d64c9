"""Accounts of least privilege: what each service's programs may do on RabbitMQ, and no more.

For programs that declare nothing but their own exclusive queues (`--no-provision`; `Bus` and
`Responder` with `provision=False`).  Whoever provisions is another account, and may do more.

What an operation needs, from RabbitMQ's rabbit_channel and rabbit_access_control (3.10 to 4.x) and
https://www.rabbitmq.com/docs/access-control#authorisation:

| operation | configure | write | read |
|---|---|---|---|
| queue.declare | queue | | |
| ... with x-dead-letter-exchange, where it is new | queue | that exchange | queue |
| exchange.declare | exchange | | |
| ... with alternate-exchange, where it is new | exchange | the alternate | exchange |
| passive declares, to 4.2.5 | | | |
| passive declares, 4.2.6 and 4.3.0 | queue or exchange | | |
| passive declares, later | any one of the three on it | | |
| queue.bind, queue.unbind | | queue | exchange |
| exchange.bind, exchange.unbind | | destination | source |
| basic.publish, mandatory or not | | exchange; amq.default for "" | |
| basic.consume, basic.get, queue.purge | | | queue |
| queue.delete, exchange.delete | queue or exchange | | |

Acknowledging, rejecting and what the broker does by itself (dead-lettering, alternates) need
nothing.  On topic exchanges alone, where an account has topic permissions for one: basic.publish's
routing key must match its write pattern, bind's and unbind's, as it is written, its read pattern.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import reduce

from orquestador.provision.exports import patterns
from orquestador.provision.exports.usage import Accesses, Usage, usages
from orquestador.topology.arguments import TERMS
from orquestador.topology.model import Topology

USER = "user"
DEAD_LETTER = TERMS["dead_letter"].argument
Keys = Mapping[str, frozenset[str] | None]


@dataclass(frozen=True, slots=True)
class Rights:
    """By names on the broker, `{unique}` in one standing for any word; "" the default exchange.

    `published`: exchange -> routing keys, `*` and `#` as in bindings.  `bound`: exchange -> the
    keys of its bindings, as they are written; None for any.
    """

    configure: frozenset[str] = frozenset()
    write: frozenset[str] = frozenset()
    read: frozenset[str] = frozenset()
    published: Mapping[str, frozenset[str]] = field(default_factory=dict)
    bound: Keys = field(default_factory=dict)

    def __or__(self, other: Rights) -> Rights:
        bound: dict[str, frozenset[str] | None] = dict(self.bound)
        for exchange, keys in other.bound.items():
            mine = bound.get(exchange, frozenset())
            bound[exchange] = None if mine is None or keys is None else mine | keys
        published = dict(self.published)
        for exchange, sent in other.published.items():
            published[exchange] = published.get(exchange, frozenset()) | sent
        return Rights(
            self.configure | other.configure,
            self.write | other.write,
            self.read | other.read,
            published,
            bound,
        )


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic permission: patterns of routing keys, for one exchange."""

    exchange: str
    write: str
    read: str


@dataclass(frozen=True, slots=True)
class Account:
    """`configure`, `write` and `read` are patterns, as rabbitmqctl takes them."""

    user: str
    services: tuple[str, ...]
    configure: str
    write: str
    read: str
    topics: tuple[Topic, ...] = ()

    @property
    def patterns(self) -> tuple[str, ...]:
        inner = (pattern for topic in self.topics for pattern in (topic.write, topic.read))
        return (self.configure, self.write, self.read, *inner)


def accounts(topology: Topology, accesses: Accesses) -> tuple[Account, ...]:
    """One a user, in the file's order: its entry's `user`, else the service's own name.

    Raises ConfigurationError where one needs more names than RabbitMQ takes.
    """
    kinds = {exchange.name: exchange.type for exchange in topology.exchanges.values()}
    held: dict[str, list[Usage]] = {}
    for usage in usages(topology, accesses):
        held.setdefault(usage.service.options.get(USER, usage.service.name), []).append(usage)
    return tuple(
        account(
            user,
            (usage.service.name for usage in theirs),
            reduce(Rights.__or__, (rights(topology, usage) for usage in theirs)),
            kinds,
        )
        for user, theirs in held.items()
    )


def rights(topology: Topology, usage: Usage) -> Rights:
    """What the service's process needs for what it does."""
    makes, beyond = usage.makes, usage.beyond
    exchanges = {exchange.name for exchange in topology.exchanges.values()}
    bindings = [binding for queue in makes for binding in queue.bindings]
    letters = {queue.arguments[DEAD_LETTER] for queue in makes if DEAD_LETTER in queue.arguments}
    bound: dict[str, frozenset[str] | None] = {}
    for binding in bindings:
        bound[binding.exchange] = (bound.get(binding.exchange) or frozenset()) | {binding.key}
    bound |= dict.fromkeys(beyond.read & exchanges)
    return Rights(
        frozenset(queue.name for queue in makes) | beyond.configure,
        frozenset(queue.name for queue in makes if queue.bindings)
        | letters
        | frozenset(usage.publishes)
        | beyond.write,
        frozenset(usage.consumes) | frozenset(bound) | beyond.read,
        usage.publishes,
        bound,
    )


def account(user: str, services: Iterable[str], needs: Rights, kinds: Mapping[str, str]) -> Account:
    """`kinds`: the type of each declared exchange, by its name on the broker."""
    return Account(
        user,
        tuple(services),
        patterns.of_names(needs.configure),
        patterns.of_names(needs.write),
        patterns.of_names(needs.read),
        tuple(_topics(needs, kinds)),
    )


def _topics(needs: Rights, kinds: Mapping[str, str]) -> Iterator[Topic]:
    """For each topic exchange that it may use: one that an earlier export left is overwritten."""
    for exchange in sorted(needs.write | needs.read):
        if kinds.get(exchange, "topic" if exchange == "amq.topic" else None) != "topic":
            continue
        bound = needs.bound.get(exchange, frozenset())
        yield Topic(
            exchange,
            patterns.of_keys(needs.published.get(exchange, ())),
            patterns.EVERYTHING if bound is None else patterns.of_literal_keys(bound),
        )
