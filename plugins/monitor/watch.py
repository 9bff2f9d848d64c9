"""All watched services and the monitor's doubt of itself: told what happens, in its order.

No socket, thread or clock: every method takes the moment, and what is to be done is drained from
`outputs`.  Judging one service is `detector.py`'s, carrying outputs out is `session.py`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from orquestador.events import Echo

from .detector import judge
from .doubt import Doubt
from .evidence import Changed, Evidence, Goodbye, Heard, Hello, NoQueue, Pinged, Probe, Tick
from .load import Load
from .pings import Pings
from .row import Row, Rules
from .undeclared import Undeclared

HELD_MAX = 50_000  # pieces of evidence
NEVER_SEEN = 2.0  # seconds of a session without its own ping, before it says so
SEEING_AGAIN = 0.1  # seconds until the next round: sooner, it meets the stuck one in a full window


@dataclass(frozen=True, slots=True)
class RoundDue:
    """A round is wanted at this moment, before the next regular one."""

    at: float


@dataclass(frozen=True, slots=True)
class Said:
    """Something about the watching itself: blind, seeing, undeclared or rejected."""

    kind: str
    text: str
    service: str | None = None


Held = tuple[str, type[Evidence], str]
Output = Changed | Probe | RoundDue | Said


class Watch:
    """`rows` is the present; `doubt.blind` says why it may be stale."""

    def __init__(
        self, rules: Mapping[str, Rules], *, within: float, settle: float, now: float
    ) -> None:
        self.rules = rules
        self.rows = {service: Row(service, now) for service in rules}
        self.doubt = Doubt(within=within)
        self.pings = Pings(len(rules))
        self.load = Load(len(rules), within)
        self.undeclared = Undeclared()
        self.rejected = 0
        self._settle = settle
        self._settles: float | None = None
        self._own = 0
        self._check_at = float("inf")
        self._held: dict[Held, tuple[Evidence, float]] = {}
        self._unseen: float | None = None
        self._outputs: list[Output] = []

    def drain(self) -> list[Output]:
        """What is to be done since the last call, oldest first."""
        outputs, self._outputs = self._outputs, []
        return outputs

    # -- the session and the monitor's own sight

    def opened(self, now: float) -> None:
        """A session has begun; nobody is judged before it settles or answers in it."""
        self._doubts(self.doubt.opened(), now)
        self._unseen = now
        self._settles = now + self._settle
        self._each(Row.unsettled)
        if not self._settle:
            self._end_settling()

    def lost(self, why: str, now: float) -> None:
        """The session has ended; what was held is worth nothing, for nobody knows what was lost.

        Who runs the sessions says so, once an outage.
        """
        self._held.clear()
        self._settles = self._unseen = None
        self.doubt = self.doubt.lost(why)
        self._each(Row.fresh)

    def publishers_blocked(self, reason: str | None, now: float) -> None:
        self._doubts(self.doubt.publishers_blocked(reason), now)

    def loop_late(self, by: float, now: float) -> None:
        self._doubts(self.doubt.loop_late(by), now)

    def own_back(self, ping: str, sequence: int, now: float) -> None:
        self._own = max(self._own, sequence)
        self._doubts(self.doubt.own_back(ping), now)

    # -- pings on their way out

    def sent_round(self, ping: str, sequence: int, now: float) -> None:
        """One ping to all went out, our own name included."""
        self.pings.sent(ping, sequence, now, trusted=self.doubt.blind is None)
        self.doubt = self.doubt.own_sent(ping, now)
        self.load, warning = self.load.next_round(now)
        if warning:
            self._outputs.append(Said("warning", warning))
        pinged = Pinged(ping, sequence)
        for service in self.rows:
            self._judge(service, pinged, now)

    def sent_probe(self, service: str, ping: str, sequence: int, now: float) -> None:
        self.pings.sent(ping, sequence, now, trusted=self.doubt.blind is None)
        self._judge(service, Pinged(ping, sequence), now)

    def sent_own(self, ping: str, now: float) -> None:
        """A ping to our own name alone."""
        self.doubt = self.doubt.own_sent(ping, now)

    def extras(self) -> list[tuple[str, int]]:
        """Services with n > 1 live instances, which compete for one queue: n - 1 pings more."""
        counts = ((name, len(row.live(self.rules[name]))) for name, row in self.rows.items())
        return [(name, live - 1) for name, live in counts if live > 1]

    # -- evidence

    def refusal(self, echo: Echo, user: str | None) -> str | None:
        """Why an echo with this user_id property is rejected, or None."""
        rules = self.rules.get(echo.service)
        if rules is None or rules.user is None or user == rules.user:
            return None
        return f"an echo claims {echo.service} under user {user!r}"

    def echo(self, echo: Echo, now: float) -> None:
        """An echo, hello or goodbye arrived and was not refused."""
        if echo.service not in self.rules:
            if self.undeclared.heard(echo.service, now):
                text = f"{echo.service} answers, but the file that was read has no such service"
                self._outputs.append(Said("undeclared", text, echo.service))
            return
        self._weigh(echo.service, self._evidence(echo, now), now)

    def no_queue(self, service: str, now: float) -> None:
        """A passive declare of its ping queue said 404."""
        self._weigh(service, NoQueue(), now)

    def rejects(self, text: str) -> None:
        """One message was bad; it is counted and said, nothing else."""
        self.rejected += 1
        self._outputs.append(Said("rejected", text))

    def tick(self, now: float) -> None:
        """Own deadlines first, then the services': silence of others counts only while we see."""
        self._doubts(self.doubt.overdue(now), now)
        if self._unseen is not None and now - self._unseen > NEVER_SEEN:
            self._unseen = None
            text = "its own ping does not come back; is its queue bound to its pings?"
            self._outputs.append(Said("blind", text))
        self.undeclared.forget(now)
        if self._settles is not None and now >= self._settles and self.doubt.blind is None:
            self._end_settling()
            self._outputs.append(RoundDue(now))
        if self.doubt.blind is None and now >= self._check_at:
            self._check_at = float("inf")
            tick = Tick(self._own)
            for service, row in self.rows.items():
                if row.deadline(self.rules[service]) <= now:
                    self._judge(service, tick, now)
                else:
                    self._look_at(row)

    def _evidence(self, echo: Echo, now: float) -> Evidence:
        if echo.phase == "hello":
            return Hello(echo.instance)
        if echo.phase == "goodbye":
            return Goodbye(echo.instance)
        sent = self.pings.find(echo.ping)
        timed = sent is not None and sent.trusted and not echo.redelivered
        if sent and timed:
            self.load = self.load.heard(now - sent.at)
        return Heard(
            instance=echo.instance,
            health=echo.health,
            ping=echo.ping,
            sequence=sent.sequence if sent else None,
            round_trip=now - sent.at if sent and timed else None,
            details=echo.details,
        )

    def _weigh(self, service: str, seen: Evidence, now: float) -> None:
        if self.doubt.blind is not None:
            # The newest of a kind says what the older ones said, and keeps the memory bounded.
            key = (service, type(seen), getattr(seen, "instance", ""))
            self._held.pop(key, None)
            self._held[key] = (seen, now)
            if len(self._held) > HELD_MAX:
                del self._held[next(iter(self._held))]
        else:
            self._judge(service, seen, now)

    def _judge(self, service: str, seen: Evidence, now: float) -> None:
        row, effects = judge(self.rows[service], seen, now, self.rules[service])
        self.rows[service] = row
        self._outputs.extend(effects)
        self._look_at(row)

    def _look_at(self, row: Row) -> None:
        self._check_at = min(self._check_at, row.deadline(self.rules[row.service]))

    def _doubts(self, after: Doubt, now: float) -> None:
        before, self.doubt = self.doubt.blind, after
        if after.blind is not None:
            if before is None:
                self._outputs.append(Said("blind", after.blind))
        elif before is not None:
            self._see_again(now)

    def _see_again(self, now: float) -> None:
        """Weigh what was held, forget all earlier pings, and ask anew."""
        self._outputs.append(Said("seeing", "its own ping is back"))
        self._unseen = None
        held, self._held = self._held, {}
        for (service, _, _), (seen, at) in held.items():
            self._judge(service, seen, at)
        self._each(Row.fresh)
        self._outputs.append(RoundDue(now + SEEING_AGAIN))

    def _end_settling(self) -> None:
        self._settles = None
        self._each(lambda row: row if row.judged else row.settled())

    def _each(self, change: Callable[[Row], Row]) -> None:
        self.rows = {service: change(row) for service, row in self.rows.items()}
