"""A plan: what apply will do, step by step, as data.  Making it is `planning.py`'s.

Shown by `printing.py`, carried out by `applying.py`; it knows no broker.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from orquestador.provision.found import Difference, Found
from orquestador.topology.model import Exchange, Queue
from orquestador.topology.things import Id, Link


class Action(StrEnum):
    """`symbol` is how a plan shows it."""

    CREATE = "create"
    RECREATE = "recreate"  # delete and declare anew: --recreate
    MIGRATE = "migrate"  # the same, its messages kept: --migrate; or a migration to be ended
    REMOVE = "remove"  # --prune or destroy
    ASSURE = "assure"  # a binding that nobody can list: declared, which changes nothing if there
    CLEAR = "clear"  # a binding under `absent:` that nobody can list: unbound, which does no harm
    KEEP = "keep"  # in step
    CONFLICT = "conflict"  # differs, and no flag says what to do about it
    HELD = "held"  # a removal or replacement that is not done: `reason` says why
    UNKNOWN = "unknown"  # it could not be asked: `reason` says why

    @property
    def symbol(self) -> str:
        return _SYMBOLS[self]


_SYMBOLS = {
    Action.CREATE: "+",
    Action.RECREATE: "~",
    Action.MIGRATE: "~",
    Action.REMOVE: "-",
    Action.ASSURE: "?",
    Action.CLEAR: "?",
    Action.KEEP: " ",
    Action.CONFLICT: "!",
    Action.HELD: "-",
    Action.UNKNOWN: "!",
}
CHANGES = (Action.CREATE, Action.RECREATE, Action.MIGRATE, Action.REMOVE)
"""What makes a broker differ afterwards: these are "changes pending"."""


@dataclass(frozen=True, slots=True)
class Remedy:
    """`name`: adopt, rename, migrate, recreate, prune, wait ...; `text`: what a person can do.

    `now`: nothing has to be done before it.
    """

    name: str
    text: str
    now: bool = True


@dataclass(frozen=True, slots=True)
class Step:
    """`thing`: what the file wants (Exchange, Queue), a Link, or None for what only the broker has.

    A binding's is its Link in any case.

    `found`: what asking showed; None for a link.  `reason`: why held, unknown, or not atomic.
    `links`: bindings that a recreated or migrated thing gets back.

    Of a queue that is removed: with `disposable` its messages are no reason to leave it, with
    `force` neither they nor its consumers are (of an exchange: nor what else is bound to it).
    """

    action: Action
    id: Id
    thing: Exchange | Queue | Link | None = None
    found: Found | None = None
    reason: str = ""
    remedies: tuple[Remedy, ...] = ()
    links: tuple[Link, ...] = ()
    disposable: bool = False
    force: bool = False

    @property
    def differences(self) -> tuple[Difference, ...]:
        return self.found.differences if self.found else ()


@dataclass(frozen=True, slots=True)
class Plan:
    """`steps` in the order of doing; `notes`: sentences about the whole, as on unseen bindings.

    `vanished`: what is recorded, and neither in the file nor on the broker: to be forgotten.
    """

    steps: tuple[Step, ...] = ()
    notes: tuple[str, ...] = ()
    vanished: tuple[Id | Link, ...] = ()
    counts: Mapping[Action, int] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "counts", Counter(step.action for step in self.steps))

    @property
    def pending(self) -> int:
        return sum(self.counts[action] for action in CHANGES)


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the command line allows beyond creating."""

    recreate: bool = False
    migrate: bool = False
    prune: bool = False
