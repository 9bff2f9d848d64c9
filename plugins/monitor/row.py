"""How one watched service stands: what the detector knows of it, and what follows from that alone.

Moving from one row to the next is `detector.py`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID, uuid5

from orquestador.events import Health, State

INCIDENTS = UUID("5f0c6a0e-7f0b-5d0c-9a3e-0f6d3f0b7a11")
WORDS_KEPT = 100
INSTANCES_KEPT = 100
ASKED_KEPT = 32
GREETINGS = 8  # probes after a hello at most


@dataclass(frozen=True, slots=True)
class Rules:
    """Seconds and counts by which one service is judged; protocol, section 4."""

    echo_within: float = 0.5
    down_after: int = 3
    probe_every: float = 0.25
    up_after: int = 2
    replicas: int = 1
    user: str | None = None

    @property
    def bound(self) -> float:
        """Silence of so many seconds is DOWN.

        At most the period of the rounds passes from a fault to the clock's start: detection takes
        the period and the bound at most (NFD-S of Chen, Toueg and Aguilera, "On the quality of
        service of failure detectors", 2002, with the probes of SWIM, Das et al., 2002).
        """
        return self.echo_within + (self.down_after - 1) * self.probe_every


@dataclass(frozen=True, slots=True)
class Instance:
    """One start of the service.  `sequence`: the latest round that it answered."""

    word: str
    heard: float
    sequence: int
    health: Health = Health.OK
    details: Mapping[str, Any] | None = None
    late: int = 0
    timely: int = 0
    slow: bool = False

    def timed(self, round_trip: float, rules: Rules) -> Instance:
        """After an echo whose lateness may be judged: `down_after` in a row turn `slow`."""
        late = round_trip > rules.echo_within
        in_row = (self.late if late else self.timely) + 1
        return replace(
            self,
            late=in_row if late else 0,
            timely=0 if late else in_row,
            slow=late if in_row >= rules.down_after else self.slow,
        )


@dataclass(frozen=True, slots=True)
class Asked:
    """The first unanswered ping of a round."""

    sequence: int
    at: float
    ping: str


@dataclass(frozen=True, slots=True)
class Row:
    """`since`: when the state was entered.  `judged`: whether its silence counts yet (settled).

    `words`: instances ever heard in time; `parted`: those that said goodbye.  `probed`: when this
    silence was first probed.  `greetings`: probes that a hello still asks for.  `returned`: timed
    echoes since DOWN.  `waited`: since when an UNKNOWN one answers without being whole.
    `greeted`: the moment of its last hello.
    """

    service: str
    since: float
    state: State = State.UNKNOWN
    reason: str = "not heard"
    text: str = "nothing heard yet"
    instances: Mapping[str, Instance] = field(default_factory=dict)
    words: tuple[str, ...] = ()
    parted: tuple[str, ...] = ()
    asked: tuple[Asked, ...] = ()
    round: int = 0
    judged: bool = False
    probed: float | None = None
    next_probe: float | None = None
    greetings: int = 0
    next_greeting: float | None = None
    returned: int = 0
    waited: float | None = None
    greeted: float | None = None
    last_echo: float | None = None
    last_ping: str | None = None
    round_trip: float | None = None
    incident: str | None = None

    @property
    def silent_since(self) -> float | None:
        """When the clock of silence started: the later of first unanswered ping and last echo."""
        if not self.asked:
            return None
        return self.asked[0].at if self.last_echo is None else max(self.asked[0].at, self.last_echo)

    @property
    def active(self) -> bool:
        return self.state not in (State.DOWN, State.STOPPED)

    def slow(self, rules: Rules) -> bool:
        """Whether a live instance answers late: then the service is not suspected for it."""
        return any(instance.slow for instance in self.live(rules))

    def live(self, rules: Rules) -> tuple[Instance, ...]:
        """The instances that answered one of the last `down_after` rounds; the others are hung."""
        return tuple(
            instance
            for instance in self.instances.values()
            if self.round - instance.sequence <= rules.down_after
        )

    def deadline(self, rules: Rules) -> float:
        """When a Tick can next change something; infinity if only other evidence can."""
        due = [float("inf")]
        if self.next_greeting is not None:
            due.append(self.next_greeting)
        since = self.silent_since
        if since is not None and self.judged and self.active:
            if self.probed is None:
                due.append(since + rules.echo_within)
            else:
                due.append(self.down_at(since, self.probed, rules))
                due.append(self.next_probe if self.next_probe is not None else float("inf"))
        return min(due)

    @staticmethod
    def down_at(since: float, probed: float, rules: Rules) -> float:
        """The bound, and not before one probe has had its `echo_within`."""
        return max(since + rules.bound, probed + rules.echo_within)

    def greeting_again(self, left: int, at: float) -> Row:
        """So many probes are left of a greeting, the next one at `at`."""
        return replace(self, greetings=left, next_greeting=at if left else None)

    def incident_now(self) -> str:
        """The same from two monitors: of the last echoed ping, or the first unanswered one."""
        ping = self.last_ping or (self.asked[0].ping if self.asked else "")
        return str(uuid5(INCIDENTS, f"{self.service} {ping}"))

    def settled(self) -> Row:
        """From now on its silence counts; what was sent before does not."""
        return replace(self.fresh(), judged=True)

    def unsettled(self) -> Row:
        """A new session: not judged before it settles or answers in it."""
        return replace(self.fresh(), judged=False)

    def fresh(self) -> Row:
        """Earlier pings are forgotten, and what their silence had begun."""
        return replace(
            self,
            asked=(),
            probed=None,
            next_probe=None,
            greetings=0,
            next_greeting=None,
        )
