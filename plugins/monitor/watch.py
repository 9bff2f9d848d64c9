"""All watched services and the monitor's doubt of itself: told what happens, in its order.

No socket, thread or clock: every method takes the moment, and what is to be done is drained from
`outputs`.  Judging one service is `detector.py`'s, carrying outputs out is `session.py`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec.structs import replace

from orquestador.events import Echo, State, Status

from .doubt import Doubt
from .evidence import (
    Bounced,
    Counted,
    Effect,
    Evidence,
    Heard,
    NoQueue,
    Pinged,
    Sight,
    Tick,
    Unseen,
)
from .hearing import evidence_of
from .held import Held
from .load import Load
from .outputs import Greeted, Output, RoundDue, Said, Told
from .pings import Pings
from .row import Row, Rules
from .rows import Rows
from .standby import told
from .undeclared import Undeclared

NEVER_SEEN = 2.0  # seconds of a session without its own ping, before it says so
SEEING_AGAIN = 0.1  # seconds until the next round: sooner, it meets the stuck one in a full window


Record = Callable[[str, float, tuple[Any, ...]], None]


class Watch:
    """`rows` is the present; `doubt.blind` says why it may be stale.

    `leading`: this monitor pings and judges, under `epoch`; else it follows what the leader says.
    `round`: rounds seen so far, its own and other leaders'.  `unled`: that nobody leads, while it
    stands by.  `monitors`: names whose hello is a monitor's.  `record` is told each input, for a
    replay.
    """

    def __init__(
        self,
        rules: Mapping[str, Rules],
        *,
        within: float,
        settle: float,
        now: float,
        monitors: tuple[str, ...] = (),
        record: Record | None = None,
    ) -> None:
        self.rules = rules
        self._rows = Rows(rules, now, self._emit)
        self.doubt = Doubt(within=within)
        self.pings = Pings(len(rules))
        self.load = Load(len(rules), within)
        self.undeclared = Undeclared()
        self.rejected = 0
        self.epoch = 0
        self.round = 0
        self.blind_since: float | None = now
        self.unled: str | None = None
        self._monitors = frozenset(monitors)
        self._record = record
        self._settle = settle
        self._settles: float | None = None
        self._opened = self._saw_at = now
        self._first_sight = True
        self._own, self._own_at = 0, 0.0
        self._held = Held()
        self._unseen: float | None = None
        self._outputs: list[Output] = []

    @property
    def rows(self) -> Mapping[str, Row]:
        return self._rows.by_name

    @property
    def leading(self) -> bool:
        return self._rows.leading

    def known(self, row: Row) -> bool:
        """Whether it stands so by what this session brought, not as an earlier one knew."""
        if row.state is State.UNKNOWN or not row.judged:
            return False
        return not row.active or (row.last_echo or float("-inf")) >= self._opened

    def drain(self) -> list[Output]:
        """What is to be done since the last call, oldest first."""
        outputs, self._outputs = self._outputs, []
        return outputs

    # -- the session and the monitor's own sight

    def opened(self, now: float) -> None:
        """A session has begun; nobody is judged before it settles or answers in it."""
        self._note("opened", now)
        self._doubts(self.doubt.opened(), now)
        self._unseen = self._opened = now
        self._first_sight = True
        self._settles = now + self._settle
        self._rows.each(Row.unsettled)
        if not self._settle:
            self._end_settling()

    def lost(self, why: str, now: float) -> None:
        """The session has ended; what was held is worth nothing, for nobody knows what was lost.

        Who runs the sessions says so, once an outage.
        """
        if not self.doubt.connected and self.doubt.blind == why:
            return  # said already
        self._note("lost", now, why)
        self._held.clear()
        self._settles = self._unseen = None
        self._rows.leading, self.epoch = False, 0
        if self.doubt.blind is None:
            self.blind_since = now
        self.doubt = self.doubt.lost(why)
        self._rows.each(Row.fresh)

    def lead(self, epoch: int, now: float) -> None:
        """From now on it pings and judges; clocks start with its first round."""
        self._note("lead", now, epoch)
        self._rows.leading, self.epoch, self.unled = True, epoch, None
        self._rows.each(Row.fresh)

    def publishers_blocked(self, reason: str | None, now: float) -> None:
        self._note("publishers_blocked", now, reason)
        before = self.doubt.blind
        self._doubts(self.doubt.publishers_blocked(reason), now)
        if before is not None and self.doubt.blind not in (None, before):
            self._unseen = None
            self._outputs.append(Said("blind", self.doubt.blind))

    def refused(self, now: float) -> None:
        """The broker would not take a ping (basic.nack): who has got it is not known."""
        self._note("refused", now)
        self._doubts(self.doubt.doubting("the broker refused a ping (basic.nack)"), now)

    def loop_late(self, by: float, now: float) -> None:
        after = self.doubt.loop_late(by)
        if after is not self.doubt:
            self._note("loop_late", now, by)
            self._doubts(after, now)

    def own_back(self, ping: str, now: float) -> None:
        self._note("own_back", now, ping)
        sent = self.pings.find(ping)
        if sent is not None:
            self._own = max(self._own, sent.sequence)
            self._own_at = max(self._own_at, sent.at)
        self._doubts(self.doubt.own_back(ping), now)

    # -- pings on their way out

    def sent_round(self, ping: str, now: float) -> None:
        """One ping to all went out, our own name included."""
        self._note("sent_round", now, ping)
        self.round += 1
        self.pings.sent(ping, self.round, now, trusted=self.doubt.blind is None)
        self.doubt = self.doubt.own_sent(ping, now)
        self.load, warning = self.load.next_round(now)
        if warning:
            self._outputs.append(Said("warning", warning))
        self._rows.judge_all(Pinged(ping, self.round), now)

    def next_round(self, now: float) -> None:
        """What is sent from now on belongs to the next round."""
        self._note("next_round", now)
        self.round += 1

    def sent_probe(self, service: str, ping: str, now: float) -> None:
        self._note("sent_probe", now, service, ping)
        self.pings.sent(ping, self.round, now, trusted=self.doubt.blind is None)
        self._rows.judge(service, Pinged(ping, self.round), now)

    def sent_own(self, ping: str, now: float) -> None:
        """A ping to our own name alone."""
        self._note("sent_own", now, ping)
        self.pings.sent(ping, self.round, now, trusted=False)
        self.doubt = self.doubt.own_sent(ping, now)

    def other_round(self, ping: str, now: float) -> None:
        """Another leader's ping to all: its echoes tell a standby which instances live."""
        if self.leading:
            return
        self._note("other_round", now, ping)
        if self.unled is not None:
            self.unled = None
            self._outputs.append(Said("seeing", "a leader pings again"))
        self.round += 1
        self.pings.sent(ping, self.round, now, trusted=False)
        self._rows.judge_all(Pinged(ping, self.round), now)

    def nobody_leads(self, since: float, now: float) -> None:
        """A standby has seen no leader's ping since then: what it shows may be old."""
        if self.leading or self.unled is not None:
            return
        self._note("nobody_leads", now, since)
        self.unled = f"nobody has led for {now - since:.0f} s"
        if self.doubt.blind is None:
            self._outputs.append(Said("blind", self.unled))

    def extras(self) -> list[tuple[str, int]]:
        """Services with n > 1 live instances, which compete for one queue: n - 1 pings more."""
        return [(name, live - 1) for name, live in self._rows.several()]

    # -- evidence

    def refusal(self, echo: Echo, user: str | None) -> str | None:
        """Why an echo with this user_id property is rejected, or None."""
        rules = self.rules.get(echo.service)
        if rules is None or rules.user is None or user == rules.user:
            return None
        return f"an echo claims {echo.service} under user {user!r}"

    def echo(self, echo: Echo, now: float) -> None:
        """An echo, hello or goodbye arrived and was not refused."""
        self._note("echo", now, echo)
        if echo.service in self._monitors:
            if echo.phase == "hello":
                self._outputs.append(Greeted())
            if echo.service not in self.rules:
                return
        if echo.service not in self.rules:
            if self.undeclared.heard(echo.service, now):
                text = f"{echo.service} answers, but the file that was read has no such service"
                self._outputs.append(Said("undeclared", text, echo.service))
            return
        # What was sent before we saw, or is read while we don't, is late for our own sake.
        seen_since = None if self.doubt.blind is not None else self._saw_at
        seen = evidence_of(echo, self.pings.find(echo.ping), now, seen_since)
        if isinstance(seen, Heard) and seen.round_trip is not None:
            self.load = self.load.heard(seen.round_trip)
        self._weigh(echo.service, seen, now)

    def bounced(self, service: str, now: float) -> None:
        """A ping of its queue was handed to us.  While blind it is not kept: a round will ask."""
        self._note("bounced", now, service)
        if self.doubt.blind is None:
            self._rows.judge(service, Bounced(), now)

    def counted(self, service: str, consumers: int, now: float) -> None:
        """Its queue has so many consumers, ours among them.  While blind it is not kept."""
        self._note("counted", now, service, consumers)
        self._answered(service, Counted(consumers), now)

    def no_queue(self, service: str, now: float) -> None:
        """A passive declare of its ping queue said 404."""
        self._note("no_queue", now, service)
        self._answered(service, NoQueue(), now)

    def unseen(self, service: str, why: str, now: float) -> None:
        """Nobody can know how this one is: its queue's node is down, say."""
        self._note("unseen", now, service, why)
        self._rows.judge(service, Unseen(why), now)

    def status(self, status: Status, since: float, now: float) -> None:
        """What the leader says.  `since`: the status' own, as a moment of our clock."""
        row = self.rows.get(status.service)
        if row is None or self.leading:
            return
        self._note("status", now, status, since)
        self._rows.by_name[status.service] = told(row, status, since)
        if (row.state, row.reason) != (status.state, status.reason):
            self._outputs.append(Told(replace(status, previous=row.state)))

    def rejects(self, text: str, now: float) -> None:
        """One message was bad; it is counted and said, nothing else."""
        self._note("rejects", now, text)
        self.rejected += 1
        self._outputs.append(Said("rejected", text))

    def tick(self, now: float) -> None:
        """Own deadlines first, then the services': silence of others counts only while we see."""
        self.undeclared.forget(now)  # for who looks; a record does without
        if not self._due(now):
            return
        self._note("tick", now)
        self._doubts(self.doubt.overdue(now), now)
        if self._unseen is not None and now - self._unseen > NEVER_SEEN:
            self._unseen = None
            text = "its own ping does not come back; is its queue bound to its pings?"
            self._outputs.append(Said("blind", text))
        if self._settles is not None and now >= self._settles and self.doubt.blind is None:
            self._end_settling()
            self._outputs += (RoundDue(now), Greeted())  # now every row can be repeated
        if self.doubt.blind is None and self._rows.due(now):
            self._rows.tick(Tick(self._own, self._own_at), now)

    def _due(self, now: float) -> bool:
        """Whether a tick at this moment has anything to do, so that a record holds no others."""
        return (
            (self.doubt.blind is None and self._rows.due(now))
            or self.doubt.overdue(now) is not self.doubt
            or (self._settles is not None and now >= self._settles and self.doubt.blind is None)
            or (self._unseen is not None and now - self._unseen > NEVER_SEEN)
        )

    def _note(self, kind: str, now: float, *said: Any) -> None:
        if self._record is not None:
            self._record(kind, now, said)

    def _weigh(self, service: str, seen: Evidence, now: float) -> None:
        if self.leading and self.doubt.blind is not None:
            self._held.add(service, seen, now)
        else:
            self._rows.judge(service, seen, now)

    def _answered(self, service: str, seen: Counted | NoQueue, now: float) -> None:
        """What a queue said when asked; while blind it is as old as that, and asked again."""
        if self.doubt.blind is None:
            self._rows.judge(service, seen, now)
        else:
            row = self.rows[service]
            self._rows.by_name[service] = replace(row, counting=None, next_count=now)

    def _emit(self, effect: Effect) -> None:
        self._outputs.append(Said.of(effect) if isinstance(effect, Sight) else effect)

    def _doubts(self, after: Doubt, now: float) -> None:
        before, self.doubt = self.doubt.blind, after
        if after.blind is not None:
            if before is None:
                self.blind_since = now
                self._outputs.append(Said("blind", after.blind))
        elif before is not None:
            self.blind_since = None
            self._see_again(now)

    def _see_again(self, now: float) -> None:
        """Weigh what was held, forget all earlier pings, and ask anew."""
        self._outputs.append(Said("seeing", "its own ping is back"))
        self._unseen = None
        self._saw_at = now
        if self._first_sight and self._settles is not None:
            self._settles = now + self._settle  # services settle while they are seen to
        self._first_sight = False
        for service, seen, at in self._held.take():
            self._rows.judge(service, seen, at)
        self._rows.each(Row.fresh)
        self._outputs.append(RoundDue(now + SEEING_AGAIN))

    def _end_settling(self) -> None:
        self._settles = None
        self._rows.each(lambda row: row if row.judged else row.settled())
