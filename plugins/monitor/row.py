"""How one watched service stands: what the detector knows of it, and what follows from that alone.

Moving from one row to the next is `detector.py`'s.  Rows are msgspec's frozen structs, not
dataclasses: a row is replaced at every echo, and theirs is done in C.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid5

from msgspec import Struct
from msgspec.structs import replace

from orquestador.events import Health, State

INCIDENTS = UUID("5f0c6a0e-7f0b-5d0c-9a3e-0f6d3f0b7a11")
WORDS_KEPT = 100
INSTANCES_KEPT = 100
ASKED_KEPT = 32
HELD_KEPT = 3  # pings: a service holds the one before the newest, and two may be in work
GREETINGS = 8  # probes after a hello at most
FORGOTTEN_AFTER = 10  # rounds after an instance hung
NOT_PROVISIONED = "not provisioned"


class Rules(Struct, frozen=True):
    """Seconds and counts by which one service is judged; protocol, section 4."""

    echo_within: float = 0.5
    down_after: int = 3
    probe_every: float = 0.25
    up_after: int = 2
    replicas: int = 1
    grace: float = 0.0
    user: str | None = None
    every: float = 1.0
    settle: float = 7.0

    @property
    def bound(self) -> float:
        """Silence of so many seconds is DOWN.

        At most the period of the rounds passes from a fault to the clock's start: detection takes
        the period and the bound at most (NFD-S of Chen, Toueg and Aguilera, "On the quality of
        service of failure detectors", 2002, with the probes of SWIM, Das et al., 2002).
        """
        return self.echo_within + (self.down_after - 1) * self.probe_every

    @property
    def hung_after(self) -> int:
        """Rounds without an echo that make an instance hung; those on their way don't count."""
        return self.down_after + int(self.echo_within / self.every)


class Instance(Struct, frozen=True, gc=False):
    """One start of the service.

    `sequence`: the round in which it was heard last.  `held`: the pings that it echoed last, newest
    last; the one before the newest is its lease.
    """

    word: str
    heard: float
    sequence: int
    health: Health = Health.OK
    details: Mapping[str, Any] | None = None
    held: tuple[str, ...] = ()
    late: int = 0
    timely: int = 0
    slow: bool = False

    @property
    def well(self) -> bool:
        """Whether its last echo was ok, and it is not slow."""
        return self.health is Health.OK and not self.slow

    def timed(self, round_trip: float, rules: Rules) -> Instance:
        """After an echo whose lateness may be judged: `down_after` in a row turn `slow`."""
        late = round_trip > rules.echo_within
        if not late and not self.late and not self.slow:
            return self  # the usual case: nothing to count towards
        in_row = (self.late if late else self.timely) + 1
        return replace(
            self,
            late=in_row if late else 0,
            timely=0 if late else in_row,
            slow=late if in_row >= rules.down_after else self.slow,
        )

    def hung(self, round_: int, rules: Rules) -> bool:
        """Whether nothing was heard of it in the last rounds."""
        return round_ - self.sequence > rules.hung_after

    def forgotten(self, round_: int, rules: Rules) -> bool:
        return round_ - self.sequence > rules.hung_after + FORGOTTEN_AFTER


class Asked(Struct, frozen=True, gc=False):
    """The first unanswered ping of a round."""

    sequence: int
    at: float
    ping: str


class Row(Struct, frozen=True, gc=False):
    """`since`: when the state was entered.  `judged`: whether it may be judged yet (settled).

    `words`: instances ever heard in time; `parted`: those that said goodbye.  `probed`: when this
    silence was first probed.  `awaited`: instances that said hello and have not echoed;
    `greetings`: probes that a hello still asks for.  `returned`: timed echoes since DOWN.
    `not_before`: its last echo when it went DOWN.  `waited`: since when an UNKNOWN one answers
    without being whole.  `greeted`: the moment of its last hello.  `counting`: when its consumers
    were asked for, while no answer is here.  `gone`: since when nobody consumes its queue, while
    `grace` runs.  `unseen`: why the monitor is blind for this one alone; `next_count`: when to ask
    for its consumers again.  `settles`: when it may be judged again after that blindness.
    """

    service: str
    since: float
    state: State = State.UNKNOWN
    reason: str = "not heard"
    text: str = "nothing heard yet"
    instances: Mapping[str, Instance] = {}
    words: tuple[str, ...] = ()
    parted: tuple[str, ...] = ()
    asked: tuple[Asked, ...] = ()
    round: int = 0
    judged: bool = False
    probed: float | None = None
    next_probe: float | None = None
    awaited: tuple[str, ...] = ()
    greetings: int = 0
    next_greeting: float | None = None
    returned: int = 0
    waited: float | None = None
    greeted: float | None = None
    last_echo: float | None = None
    not_before: float | None = None
    last_ping: str | None = None
    round_trip: float | None = None
    incident: str | None = None
    counting: float | None = None
    gone: float | None = None
    unseen: str | None = None
    next_count: float | None = None
    count_tries: int = 0
    settles: float | None = None

    @property
    def silent_since(self) -> float | None:
        """When the clock of silence started: the later of first unanswered ping and last echo."""
        if not self.asked:
            return None
        return self.asked[0].at if self.last_echo is None else max(self.asked[0].at, self.last_echo)

    @property
    def active(self) -> bool:
        return self.state is not State.DOWN and self.state is not State.STOPPED

    @property
    def clocked(self) -> bool:
        """Whether its silence runs against it."""
        return self.judged and self.active and self.unseen is None and self.gone is None

    def slow(self, rules: Rules) -> bool:
        """Whether a live instance answers late: then the service is not suspected for it."""
        return any(instance.slow for instance in self.live(rules))

    def live(self, rules: Rules) -> tuple[Instance, ...]:
        """The instances that were heard in the last rounds; the others are hung."""
        round_ = self.round
        return tuple([i for i in self.instances.values() if not i.hung(round_, rules)])

    def deadline(self, rules: Rules) -> float:
        """When a Tick can next change something; infinity if only other evidence can."""
        due = float("inf")
        if self.next_greeting is not None:
            due = self.next_greeting
        if self.next_count is not None:
            due = min(due, self.next_count)
        if self.settles is not None:
            due = min(due, self.settles)
        if self.waited is not None:
            due = min(due, self.waited + rules.bound)
        if self.asked and self.clocked:
            since = self.silent_since or 0.0
            if self.probed is None:
                return min(due, since + rules.echo_within)
            due = min(due, self.down_at(since, self.probed, rules))
            if self.next_probe is not None:
                due = min(due, self.next_probe)
        return due

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
        """From now on its silence counts; what was sent before does not.

        A question under way stays so: asked again, the first answer would pass for the second's.
        """
        return replace(self.fresh(), judged=True, counting=self.counting)

    def unsettled(self) -> Row:
        """A new session: not judged before it settles or answers in it."""
        return replace(
            self.fresh(), judged=False, unseen=None, count_tries=0, waited=None, settles=None
        )

    def fresh(self) -> Row:
        """Earlier pings and questions are forgotten, and what their silence had begun.

        A queue that has to be asked for again is asked at once: an answer may have been lost.
        """
        asks = self.unseen is not None or self.reason == NOT_PROVISIONED
        later = self.next_count if self.gone is None else None
        return replace(
            self,
            asked=(),
            probed=None,
            next_probe=None,
            awaited=(),
            greetings=0,
            next_greeting=None,
            counting=None,
            gone=None,
            next_count=0.0 if asks and later is None else later,
        )
