"""The monitor's pings: rounds to all, probes of one service, pings to its own name.

Each is told to the watch before its answer can come.  When one is due is `session.py`'s.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from functools import partial

from orquestador import NotConfirmed, RoleContext, Unroutable
from orquestador.events import Ping, Sender, fresh_word, timestamp
from orquestador.topology.model import ALL, HEARTBEAT

from .watch import Watch
from .wire import Wire


class Pinger:
    """Pings carry the epoch of the watch's lead.  `sequence`: rounds so far.

    `returned(service)`: a probe found no queue.  `refused()`: the broker would not take a ping.
    """

    def __init__(
        self,
        context: RoleContext,
        watch: Watch,
        every: float,
        returned: Callable[[str], None],
        refused: Callable[[], None],
    ) -> None:
        self.wire: Wire | None = None
        self.sequence = 0
        self.sender = Sender(service=context.service.name, instance=fresh_word())
        self._observers, self._watch, self._every = context.observers, watch, every
        self._returned, self._refused = returned, refused

    def round(self, now: float) -> None:
        """One ping to all; for a service of n live instances n - 1 more, so that each holds one."""
        if self.wire is None:
            return
        self.sequence += 1
        ping = self._ping()
        self._watch.sent_round(ping.id, now)
        self._send(ALL, ping)
        for service, count in self._watch.extras():
            self.probe(service, count, now)

    def probe(self, service: str, count: int, now: float) -> None:
        for _ in range(count):
            if self.wire is None:
                return
            ping = self._ping()
            self._watch.sent_probe(service, ping.id, now)
            # Where no queue takes it, it comes back.
            self._send(service, ping, mandatory=True)

    def own(self, now: float) -> None:
        if self.wire is not None:
            ping = self._ping()
            self._watch.sent_own(ping.id, now)
            self._send(self.sender.service, ping)

    def _ping(self) -> Ping:
        return Ping(
            id=fresh_word(),
            sequence=max(self.sequence, 1),
            sender=self.sender,
            epoch=self._watch.epoch,
            sent_at=timestamp(),
            every=self._every,
        )

    def _send(self, key: str, ping: Ping, *, mandatory: bool = False) -> None:
        assert self.wire is not None
        confirmed = self.wire.send(HEARTBEAT, key, ping, mandatory=mandatory)
        confirmed.add_done_callback(partial(self._on_confirmed, key))
        self._observers.published(ping)

    def _on_confirmed(self, key: str, done: asyncio.Future[None]) -> None:
        fault = None if done.cancelled() else done.exception()
        if isinstance(fault, Unroutable):
            self._returned(key)
        elif isinstance(fault, NotConfirmed):
            self._refused()


def next_epoch(highest: int) -> int:
    """Of a new lead: above every epoch seen, and of this moment where clocks agree."""
    return max(highest + 1, time.time_ns() // 1_000_000)
