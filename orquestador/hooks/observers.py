"""Observer hooks called on a thread of their own, in order, isolated from one another.

What the hooks are is `hookspecs.py`'s; who calls them are the roles.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from queue import Full, Queue
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orquestador.board import Board, Notice
    from orquestador.errors import EventError
    from orquestador.events import Event, Status

log = logging.getLogger("orquestador.hooks")
WAITING_MAX = 50_000  # calls; a slow observer must not fill the memory


class Observer:
    """One plugin's implementation of one hook, and how often it failed."""

    def __init__(self, plugin: str, function: Callable[..., object], wants: Sequence[str]) -> None:
        self.plugin, self._function, self._wants = plugin, function, tuple(wants)

    def __call__(self, arguments: Mapping[str, Any]) -> None:
        self._function(*(arguments[name] for name in self._wants))


class Observers:
    """Tells every plugin what happens.  `failures` counts, by plugin, the calls that raised."""

    def __init__(self, by_hook: Mapping[str, Sequence[Observer]] | None = None) -> None:
        self._by_hook = {hook: tuple(found) for hook, found in (by_hook or {}).items() if found}
        self._calls: Queue[tuple[str, Mapping[str, Any]] | None] = Queue(WAITING_MAX)
        self._newest_board: Board | None = None
        self.failures: Counter[str] = Counter()
        self.dropped = 0
        self._thread = threading.Thread(target=self._serve, name="observers", daemon=True)
        self._thread.start()

    def started(self, context: object) -> None:
        self._tell("service_started", context=context)

    def stopping(self, context: object) -> None:
        self._tell("service_stopping", context=context)

    def published(self, event: Event) -> None:
        self._tell("event_published", event=event)

    def received(self, event: Event) -> None:
        self._tell("event_received", event=event)

    def rejected(self, fault: EventError) -> None:
        self._tell("event_rejected", fault=fault)

    def changed(self, change: Status) -> None:
        self._tell("state_changed", change=change)

    def noticed(self, notice: Notice) -> None:
        self._tell("noticed", notice=notice)

    def board(self, board: Board) -> None:
        """Only the newest waiting board is shown: a slow observer skips the others."""
        self._newest_board = board
        self._tell("round_finished", board=board)

    def close(self, timeout: float = 2.0) -> None:
        """Let what waits be told, at most `timeout` seconds."""
        try:
            self._calls.put(None, timeout=timeout)
        except Full:
            return
        self._thread.join(timeout)

    def _tell(self, hook: str, **arguments: Any) -> None:
        if hook not in self._by_hook:
            return
        try:
            self._calls.put_nowait((hook, arguments))
        except Full:
            self.dropped += 1
            if self.dropped == 1:
                log.warning("an observer is too slow: calls of hooks are dropped")

    def _serve(self) -> None:
        while (call := self._calls.get()) is not None:
            hook, arguments = call
            if hook == "round_finished" and arguments["board"] is not self._newest_board:
                continue
            for observer in self._by_hook[hook]:
                self._call(hook, observer, arguments)

    def _call(self, hook: str, observer: Observer, arguments: Mapping[str, Any]) -> None:
        try:
            observer(arguments)
        except (Exception, SystemExit):  # one that calls sys.exit() would end the thread of all
            self.failures[observer.plugin] += 1
            if self.failures[observer.plugin] == 1:
                log.exception("plugin %r failed in %s; counted from now on", observer.plugin, hook)
