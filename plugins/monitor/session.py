"""The monitor at work: one session after another, its rounds, and what arrives, told to the watch.

What is due is decided by `watch.py`; what goes over which connection is `wire.py`'s.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime

from orquestador import BrokerError, Delivery, EventError, RoleContext, Unroutable, ended, keep
from orquestador.board import Notice
from orquestador.events import Echo, Ping, Sender, Status, decode, fresh_word, timestamp
from orquestador.topology.model import ALL, EVENTS, HEARTBEAT

from .evidence import Changed, Probe
from .reports import board, changed_status, first_status
from .timing import Timing
from .watch import RoundDue, Said, Watch
from .wire import Wire, connect

BEAT = 0.05  # seconds between two looks at the clock
OTHERS_KEPT = 10
REJECTED_SAID_EVERY = 60.0  # seconds


class Monitor:
    """`run()` watches until `context.stop`; raises Refused and Conflict at start."""

    def __init__(self, context: RoleContext, timing: Timing, *, once: bool = False) -> None:
        """`once`: it sends no rounds, settles nothing, and tells no observer by itself."""
        self.context, self.timing, self.once = context, timing, once
        self.epoch = 0 if once else time.time_ns() // 1_000_000
        self.name = context.service.name
        self.instance = fresh_word()
        self.sequence = 0
        now = time.monotonic()
        settle = 0.0 if once else timing.settle
        self.watch = Watch(timing.rules, within=timing.echo_within, settle=settle, now=now)
        self._wire: Wire | None = None
        self._established: Callable[[], None] | None = None
        self._beat_due = now + BEAT
        self._round_due = now
        self._own_due = now
        self._dirty = True
        self._said_rejected = float("-inf")
        self._others: tuple[str, ...] = ()
        self._asking: set[asyncio.Task[None]] = set()
        self._defect: BaseException | None = None

    async def run(self) -> None:
        now = time.monotonic()
        for service, row in self.watch.rows.items():
            status = first_status(row, self.timing.rules[service], self.name, self.epoch, now)
            self.context.observers.changed(status)

        await keep(self.session, self.context.stop, lost=self._on_lost)

    async def session(self, established: Callable[[], None]) -> None:
        """Connect and work until the stop; raises what was lost."""
        async with AsyncExitStack() as stack:
            wire = await connect(stack, self.context, self._on_delivery, self._on_bad_queue)
            self._wire, self._established = wire, established
            wire.publishing.on_blocked = self._on_blocked
            now = time.monotonic()
            self._beat_due = now + BEAT
            self._round_due = now + self.timing.ping_every
            self.watch.opened(now)
            self._say_missing(wire, now)
            self._send_own(now)
            self._carry_out(now)
            beat = asyncio.create_task(self._beat())
            try:
                await ended(*wire.losses, _failure(beat), until=(self.context.stop,))
            except BrokerError as fault:
                self.watch.lost(str(fault), time.monotonic())
                raise
            finally:
                self._wire = None
                beat.cancel()

    async def _beat(self) -> None:
        """Looks at the clock; a late beat shows that everything in this process was late."""
        while True:
            await asyncio.sleep(max(0.0, self._beat_due - time.monotonic()))
            if self._defect is not None:
                raise self._defect
            now = time.monotonic()
            self._look_at_own_loop(now)
            self._beat_due = now + BEAT
            self.watch.tick(now)
            self._carry_out(now)
            if self.watch.doubt.blocked is None:
                if self.watch.doubt.blind is not None and now >= self._own_due:
                    self._send_own(now)
                if not self.once and now >= self._round_due:
                    self._send_round(now)
            if self._dirty and not self.once:
                self._dirty = False
                self.context.observers.board(board(self.watch, self.name, self.sequence, now))

    @property
    def sees(self) -> bool:
        return self.watch.doubt.blind is None

    def probe_all(self) -> None:
        """One ping to each service alone, and one to ourselves."""
        now = time.monotonic()
        for service in self.watch.rows:
            self._probe(service, 1, now)
        self._send_own(now)

    # -- out

    def _send_round(self, now: float) -> None:
        self.sequence += 1
        every = self.timing.ping_every
        # The next one by the timetable, not by this one's delay; after a long sleep, from now.
        self._round_due = max(self._round_due + every, now + every / 2)
        ping = self._ping(ALL, now)
        if ping is not None:
            self.watch.sent_round(ping.id, self.sequence, now)
            for service, count in self.watch.extras():
                self._probe(service, count, now)
        self._dirty = True

    def _send_own(self, now: float) -> None:
        self._own_due = now + self.timing.probe_every
        ping = self._ping(self.name, now)
        if ping is not None:
            self.watch.sent_own(ping.id, now)

    def _probe(self, service: str, count: int, now: float) -> None:
        for _ in range(count):
            ping = self._ping(service, now, mandatory=True)
            if ping is not None:
                self.watch.sent_probe(service, ping.id, max(self.sequence, 1), now)

    def _ping(self, key: str, now: float, *, mandatory: bool = False) -> Ping | None:
        if self._wire is None:
            return None
        ping = Ping(
            id=fresh_word(),
            sequence=max(self.sequence, 1),
            sender=Sender(service=self.name, instance=self.instance),
            epoch=self.epoch,
            sent_at=timestamp(),
            every=self.timing.ping_every,
        )
        confirmed = self._wire.send(HEARTBEAT, key, ping, mandatory=mandatory)
        if mandatory:
            confirmed.add_done_callback(lambda done: self._on_confirmed(key, done))
        self.context.observers.published(ping)
        return ping

    def _carry_out(self, now: float) -> None:
        probed = False
        if self._established is not None and self.sees:
            # Only now: an account that may listen but not publish has not worked yet.
            self._established()
            self._established = None
        for output in self.watch.drain():
            self._dirty = True
            match output:
                case Changed() if not self.once:
                    self._report(output, now)
                case Probe(service, count):
                    self._probe(service, count, now)
                    probed = True
                case RoundDue(at):
                    self._round_due = at
                case Said() if not self.once:
                    self._say(output)
        if probed:  # what comes back to our own name shows that we see
            self._send_own(now)

    def _report(self, change: Changed, now: float) -> None:
        service = change.row.service
        rules = self.timing.rules[service]
        status = changed_status(change, rules, self.name, self.epoch, now)
        self.context.observers.changed(status)
        if self._wire is not None:
            self._wire.send(EVENTS, f"status.{service}", status)
            self.context.observers.published(status)

    def _say(self, said: Said) -> None:
        if said.kind == "rejected":
            if time.monotonic() - self._said_rejected < REJECTED_SAID_EVERY:
                return
            self._said_rejected = time.monotonic()
        notice = Notice(said.kind, said.text, datetime.now(UTC), said.service)
        self.context.observers.noticed(notice)

    # -- in

    def _on_delivery(self, delivery: Delivery) -> None:
        now = time.monotonic()
        self._look_at_own_loop(now)
        try:
            if delivery.exchange == self.context.topology.exchanges[HEARTBEAT].name:
                self._on_ping(decode(Ping, delivery.body), now)
            elif delivery.routing_key.startswith("echo."):
                echo = decode(Echo, delivery.body)
                if refusal := self.watch.refusal(echo, delivery.user_id):
                    raise EventError(refusal)
                self.context.observers.received(echo)
                self.watch.echo(echo, now)
            else:
                self.context.observers.received(decode(Status, delivery.body))
        except EventError as fault:
            self.context.observers.rejected(fault)
            self.watch.rejects(f"{delivery.routing_key}: {fault}")
        self._carry_out(now)

    def _on_ping(self, ping: Ping, now: float) -> None:
        if ping.sender.instance == self.instance:
            self.watch.own_back(ping.id, ping.sequence, now)
        elif ping.epoch and ping.sender.instance not in self._others:
            self._others = (*self._others, ping.sender.instance)[-OTHERS_KEPT:]
            text = f"another one pings here too ({ping.sender.service}); each judges by itself"
            self._say(Said("warning", text))
        self.context.observers.received(ping)

    def _look_at_own_loop(self, now: float) -> None:
        self.watch.loop_late(now - self._beat_due, now)

    def _on_blocked(self, reason: str | None) -> None:
        now = time.monotonic()
        self.watch.publishers_blocked(reason, now)
        self._carry_out(now)

    def _on_lost(self, fault: BrokerError) -> None:
        now = time.monotonic()
        self.watch.lost(str(fault), now)
        self._say(Said("blind", f"{fault}; trying again"))
        self.context.observers.board(board(self.watch, self.name, self.sequence, now))

    def _on_bad_queue(self, service: str, fault: BrokerError) -> None:
        self._say(Said("warning", f"the queue of {service} is used as it is: {fault}", service))

    def _on_confirmed(self, service: str, done: asyncio.Future[None]) -> None:
        """A probe came back: no verdict yet, the queue is asked for."""
        if not done.cancelled() and isinstance(done.exception(), Unroutable):
            task = asyncio.create_task(self._ask(service))
            self._asking.add(task)
            task.add_done_callback(self._on_asked)

    def _on_asked(self, task: asyncio.Task[None]) -> None:
        """What it raises beside a broker's no is a defect: the beat ends the session for it."""
        self._asking.discard(task)
        if not task.cancelled():
            self._defect = self._defect or task.exception()

    async def _ask(self, service: str) -> None:
        wire = self._wire
        if wire is None or service not in self.watch.rows:
            return
        try:
            if await wire.queue_exists(service):
                if not self.context.arguments.no_provision:
                    await wire.bind_again(service)
                self._say(Said("warning", f"the queue of {service} was not bound", service))
            else:
                self.watch.no_queue(service, time.monotonic())
        except BrokerError as fault:
            self._say(Said("warning", f"the queue of {service} cannot be asked: {fault}", service))
        self._carry_out(time.monotonic())

    def _say_missing(self, wire: Wire, now: float) -> None:
        """Where nothing may be declared: which ping queues are not there."""
        if wire.missing:
            names = ", ".join(wire.missing)
            hint = "provision the topology (python -m orquestador.provision)"
            self._say(Said("warning", f"no ping queue for {names}; {hint}"))
        for service in wire.missing:
            self.watch.no_queue(service, now)


def _failure(task: asyncio.Task[None]) -> asyncio.Future[Exception]:
    """A defect in the beat ends the session as what it is."""
    failed: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()

    def on_done(done: asyncio.Task[None]) -> None:
        if not done.cancelled() and not failed.done():
            fault = done.exception()
            failed.set_result(fault if isinstance(fault, Exception) else RuntimeError("ended"))

    task.add_done_callback(on_done)
    return failed
