"""The monitor at work: one session after another; who leads; what arrives, told to the watch.

What is due is decided by `watch.py`; pings, statuses, queues and the baton have files of their own.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import TextIO

from orquestador import BrokerError, Delivery, Lost, RoleContext, ended, keep
from orquestador.events import Echo, Health, State, timestamp
from orquestador.topology.model import EVENTS

from .baton import Baton
from .evidence import Changed, Count, Probe
from .incoming import Incoming
from .outputs import Greeted, Output, RoundDue, Said, Told
from .parts import Parts
from .ping_queues import PingQueues
from .pinging import Pinger, next_epoch
from .recording import Header, recorder, watch_of
from .telling import Teller
from .timing import Timing
from .wire import Wire, connect

AT_ONCE = 100  # pings, statuses and the like, before others have their turn
BEAT = 0.05  # seconds between two looks at the clock
PERIODS_UNLED = 3  # without a leader's ping: the baton may be lost
BLIND_AT_LEAST = 5.0  # seconds that a blind leader has


class Monitor:
    """`run()` watches until `context.stop`; raises Refused and Conflict at start."""

    def __init__(
        self,
        context: RoleContext,
        timing: Timing,
        *,
        once: bool = False,
        out: TextIO | None = None,
    ) -> None:
        """`once`: it sends no rounds, settles nothing, and tells no observer by itself.

        `out`: where the watch's inputs are recorded.
        """
        self.context, self.timing, self.once = context, timing, once
        now = time.monotonic()
        made = Header(
            monitor=context.service.name,
            within=timing.echo_within,
            settle=0.0 if once else timing.settle,
            now=now,
            at=datetime.now(UTC),
            monitors=tuple(s.name for s in context.topology.of_role(context.service.role)),
            rules=dict(timing.rules),
        )
        self.watch = watch_of(made, recorder(out, made) if out is not None else None)
        self.pinger = Pinger(
            context, self.watch, timing.ping_every, self._on_returned, self._on_refused
        )
        self.teller = Teller(context, self.watch, timing)
        self.incoming = Incoming(
            context, self.pinger.sender.instance, self.watch, self.teller, self._deposed
        )
        self._started_at = timestamp()
        self._barred: set[str] = set()
        self._wire: Wire | None = None
        self._queues: PingQueues | None = None
        self._baton: Baton | None = None
        self._over: asyncio.Future[Exception]
        self._established: Callable[[], None] | None = None
        self._blocked = asyncio.Event()
        self._beat_due = self._round_due = self._own_due = now
        self._parts = Parts(self._fail)
        self._todo: deque[Output] = deque()
        self._busy = self._probed = False
        self._dirty = True

    @property
    def sees(self) -> bool:
        return self.watch.doubt.blind is None

    async def run(self) -> None:
        self.teller.start(time.monotonic())
        await keep(self.session, self.context.stop, lost=self._on_lost)

    def probe_all(self) -> None:
        """A ping to each replica of each service, and one to ourselves."""
        now = time.monotonic()
        self.watch.next_round(now)
        for service, rules in self.timing.rules.items():
            self.pinger.probe(service, rules.replicas, now)
        self.pinger.own(now)

    # -- one session

    async def session(self, established: Callable[[], None]) -> None:
        """Connect and work until the stop; raises what was lost."""
        async with AsyncExitStack() as stack:
            self._over = asyncio.get_running_loop().create_future()
            self._parts = Parts(self._fail)
            self._blocked.clear()
            wire = await connect(stack, self.context, self._on_delivery)
            wire.publishing.on_blocked = self._on_blocked
            self._queues = queues = PingQueues(
                wire.watching,
                self.context,
                self.watch,
                self._carry_out,
                self._warn,
                self._barred,
            )
            await queues.make_sure()
            self._wire = self.pinger.wire = self.teller.wire = wire
            self._established = established
            self._begin(time.monotonic())
            try:
                await ended(wire.lost, queues.lost, self._over, until=(self.context.stop,))
            except BrokerError as fault:
                self.watch.lost(str(fault), time.monotonic())
                raise
            finally:
                self._end()

    def _begin(self, now: float) -> None:
        self._beat_due = now + BEAT
        self._round_due = now + self.timing.ping_every
        self.incoming.begin(now)
        self.watch.opened(now)
        self._parts.start(self._beat())
        self.pinger.own(now)
        if self.once:
            self.watch.lead(0, now)
        else:
            self._hello()
            self._parts.start(self._stand())
        self._carry_out(now)

    def _end(self) -> None:
        """The channels close with the baton held, so that the broker passes it on."""
        self._wire = self.pinger.wire = self.teller.wire = self._baton = None
        if self._queues is not None:
            self._queues.close()
        while self._todo:  # observers are told all the same
            self._do(self._todo.popleft(), time.monotonic())
        self._busy = False
        self._parts.close()

    async def _stand(self) -> None:
        """Wait in line for the lead, then keep it."""
        assert self._wire is not None
        queue = self.context.topology.queues[self.timing.leader]
        renew = self.timing.renew_every
        self._baton = Baton(self._wire, queue, renew_every=renew, taken=self._lead)
        await self._baton.stand(self._blocked)
        await self._baton.keep()

    def _lead(self) -> None:
        """Ping first, then take what bounces."""
        assert self._queues is not None
        now = time.monotonic()
        self._look_at_own_loop(now)
        self.incoming.highest = next_epoch(self.incoming.highest)
        self.watch.lead(self.incoming.highest, now)
        self._round_due = now
        if not self._blocked.is_set():
            self._send_round(now)
        self.teller.say(Said("leader", f"{self.context.service.name} leads"))
        self._parts.start(self._queues.consume())
        self._parts.start(self.teller.repeat())
        self._carry_out(now)

    def _deposed(self, by: str) -> None:
        """The end of the session is the only way to stand down."""
        self._fail(Lost(by))

    # -- the clock

    async def _beat(self) -> None:
        """Looks at the clock; a late beat shows that everything in this process was late."""
        late = False
        while True:
            await asyncio.sleep(max(0.0, self._beat_due - time.monotonic()))
            now = time.monotonic()
            self._look_at_own_loop(now)
            late, before = now - self._beat_due > BEAT, late
            self._beat_due = now + BEAT
            self.watch.tick(now)
            self._carry_out(now)
            # After a sleep what has arrived is read first: another one may lead since.
            if not self._blocked.is_set() and (before or not late):
                self._send_what_is_due(now)
            self._doubt_the_lead(now)
            if self._dirty and not self.once and self.teller.board(now):
                self._dirty = False

    def _send_what_is_due(self, now: float) -> None:
        if not self.sees and now >= self._own_due:
            self._own_due = now + self.timing.probe_every
            self.pinger.own(now)
        if self.once or now < self._round_due:
            return
        if self.watch.leading:
            self._send_round(now)
        else:
            self._round_due = now + self.timing.ping_every
            self.pinger.own(now)  # a standby looks after its own eyes, too
            self._dirty = True

    def _send_round(self, now: float) -> None:
        every = self.timing.ping_every
        # The next one by the timetable, not by this one's delay; after a long sleep, from now.
        self._round_due = max(self._round_due + every, now + every / 2)
        self.pinger.round(now)
        self._dirty = True

    def _doubt_the_lead(self, now: float) -> None:
        """Nobody leads: the baton may be lost.  We lead and are blind: another may see."""
        if self.once or self._blocked.is_set():  # an alarm makes every monitor as blind
            return
        unled = PERIODS_UNLED * self.timing.ping_every
        blind_since = self.watch.blind_since
        if not self.watch.leading:
            if self._baton is not None and now - self.incoming.led_at > unled:
                self.watch.nobody_leads(self.incoming.led_at, now)
                self._carry_out(now)
                self.incoming.led_at = now
                self._baton.put_again()
        elif blind_since is not None and now - blind_since > max(unled, BLIND_AT_LEAST):
            self._deposed(f"blind for too long to lead: {self.watch.doubt.blind}")

    def _look_at_own_loop(self, now: float) -> None:
        self.watch.loop_late(now - self._beat_due, now)

    # -- out

    def _carry_out(self, now: float) -> None:
        if self._established is not None and self.sees:
            # Only now: an account that may listen but not publish has not worked yet.
            self._established()
            self._established = None
        self._todo.extend(self.watch.drain())
        if self._todo and not self._busy:
            self._busy = True
            self._do_some(now)

    def _do_some(self, now: float) -> None:
        """Some at a time: what thousands of services ask for at once must not hold the loop."""
        for _ in range(min(len(self._todo), AT_ONCE)):
            self._do(self._todo.popleft(), now)
            self._todo.extend(self.watch.drain())
        if self._probed:  # what comes back to our own name shows that we see
            self._probed = False
            self.pinger.own(now)
        self._busy = bool(self._todo)
        if self._busy:
            loop = asyncio.get_running_loop()
            loop.call_soon(lambda: self._guarded(lambda: self._do_some(time.monotonic())))

    def _do(self, output: Output, now: float) -> None:
        self._dirty = True
        match output:
            case Changed() if not self.once:
                self.teller.change(output, now)
                if output.row.state is State.SUSPECT and self._queues is not None:
                    self._queues.suspected(output.row.service)
            case Probe(service, count):
                self.pinger.probe(service, count, now)
                self._probed = True
            case Count(service) if self._queues is not None and self.watch.epoch:
                self._queues.count(service)
            case RoundDue(at):
                self._round_due = at
            case Told():
                self.teller.told(output)
            case Greeted() if self.watch.leading and not self.once:
                self._parts.start(self.teller.repeat())
            case Said() if not self.once:
                self.teller.say(output)

    def _guarded(self, work: Callable[[], None]) -> None:
        """A defect on the loop itself ends the session as what it is."""
        try:
            work()
        except Exception as defect:
            self._fail(defect)

    def _hello(self) -> None:
        """As a service says it: whoever leads repeats every status for us."""
        assert self._wire is not None
        name = self.context.service.name
        hello = Echo(
            phase="hello",
            ping=None,
            sequence=None,
            service=name,
            instance=self.pinger.sender.instance,
            started_at=self._started_at,
            redelivered=False,
            health=Health.OK,
        )
        self._wire.send(EVENTS, f"echo.{name}", hello)

    def _warn(self, service: str | None, text: str) -> None:
        self.teller.say(Said("warning", text, service))

    # -- in

    def _on_delivery(self, delivery: Delivery) -> None:
        now = time.monotonic()
        self._look_at_own_loop(now)
        self.incoming.take(delivery, now)
        self._carry_out(now)

    # -- the session's parts

    def _fail(self, fault: Exception) -> None:
        """A defect, or a loss that a part met first, ends the session as what it is."""
        if not self._over.done():
            self._over.set_result(fault)

    def _on_blocked(self, reason: str | None) -> None:
        now = time.monotonic()
        if reason is None:
            self._blocked.clear()
        else:
            self._blocked.set()
        self.watch.publishers_blocked(reason, now)
        self._carry_out(now)

    def _on_returned(self, service: str) -> None:
        if self._queues is not None:
            self._queues.returned(service)

    def _on_refused(self) -> None:
        """Blind until a ping to ourselves is back on another channel."""
        now = time.monotonic()
        if self._wire is not None and self.sees:
            self.watch.refused(now)
            self._own_due = now + self.timing.probe_every
            self._parts.start(self._wire.change_channel())
            self._carry_out(now)

    def _on_lost(self, fault: BrokerError) -> None:
        now = time.monotonic()
        self.watch.lost(str(fault), now)
        self.teller.say(Said("blind", f"{fault}; trying again"))
        self.teller.board(now, at_once=True)
