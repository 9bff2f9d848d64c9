"""What the monitor tells: changes as status events and to observers, notices, boards.

What a status says is `reports.py`'s; what happened is `watch.py`'s.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime

from orquestador import RoleContext
from orquestador.board import Notice
from orquestador.events import Status
from orquestador.topology.model import EVENTS

from .evidence import Changed
from .outputs import Said, Told
from .reports import By, board, changed_status, first_status, repeated_status
from .timing import Timing
from .watch import Watch
from .wire import Wire

REJECTED_SAID_EVERY = 60.0  # seconds
BOARD_PAUSE = 500  # times as long as a board took to make
BOARD_PAUSE_MAX = 10.0  # seconds
REPEATED_AT_ONCE = 100  # statuses, before other work has its turn


class Teller:
    """Statuses carry the epoch of the watch's lead."""

    def __init__(self, context: RoleContext, watch: Watch, timing: Timing) -> None:
        self.wire: Wire | None = None
        self._observers, self._name = context.observers, context.service.name
        self._watch, self._rules = watch, timing.rules
        self._said_rejected = float("-inf")
        self._board_due = float("-inf")
        self._again = False
        self._repeating = False

    def start(self, now: float) -> None:
        """How each service stands before anything is known."""
        for service, row in self._watch.rows.items():
            self._observers.changed(first_status(row, self._rules[service], self._by(now)))

    def change(self, change: Changed, now: float) -> None:
        rules = self._rules[change.row.service]
        status = changed_status(change, rules, self._by(now))
        self._observers.changed(status)
        self._publish(status)

    def told(self, told: Told) -> None:
        """The leader's word, for our own observers."""
        self._observers.changed(told.status)

    def say(self, said: Said) -> None:
        if said.kind == "rejected":
            if time.monotonic() - self._said_rejected < REJECTED_SAID_EVERY:
                return
            self._said_rejected = time.monotonic()
        self._observers.noticed(Notice(said.kind, said.text, datetime.now(UTC), said.service))

    def board(self, now: float, *, at_once: bool = False) -> bool:
        """A snapshot for the observers; False where the last one is too young for its cost."""
        if now < self._board_due and not at_once:
            return False
        began = time.monotonic()
        self._observers.board(board(self._watch, self._by(now)))
        done = time.monotonic()
        # Of thousands of rows one takes long: all of them together may take a fifth of a percent.
        self._board_due = done + min((done - began) * BOARD_PAUSE, BOARD_PAUSE_MAX)
        return True

    async def repeat(self) -> None:
        """Every current status once more, for programs that have started since; one at a time."""
        if self._repeating:
            self._again = True
            return
        self._repeating = True
        try:
            self._again = True
            while self._again:
                self._again = False
                await self._repeat_all()
        finally:
            self._repeating = False

    async def _repeat_all(self) -> None:
        for number, service in enumerate(tuple(self._watch.rows)):
            row, rules = self._watch.rows[service], self._rules[service]
            if self._watch.known(row):
                self._publish(repeated_status(row, rules, self._by(time.monotonic())))
            if number % REPEATED_AT_ONCE == REPEATED_AT_ONCE - 1:
                await asyncio.sleep(0)

    def _by(self, now: float) -> By:
        return By.at_present(self._name, self._watch.epoch, now)

    def _publish(self, status: Status) -> None:
        if self.wire is not None:
            self.wire.send(EVENTS, f"status.{status.service}", status)
            self._observers.published(status)
