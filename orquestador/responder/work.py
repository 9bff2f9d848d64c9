"""Pings in work: at most two on workers; of those that wait beside them, only the newest is kept.

An echo answers all earlier pings of its service too (docs/decisions/0007).  What an answer says is
`answer.py`'s, sending it `serving.py`'s.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from functools import partial

from orquestador.broker.workers import Workers
from orquestador.events import Ping
from orquestador.responder.answer import Answer, Respond, answer

IN_WORK = 2

Send = Callable[[Answer], None]


class Work:
    """Kept over reconnects: what hangs on a worker hangs there still.

    Counts pings answered, silent (nothing was said) and dropped (another came while they waited).
    """

    def __init__(self, service: str, respond: Respond, counts: Counter[str]) -> None:
        self._service, self._respond, self._counts = service, respond, counts
        self._workers = Workers(IN_WORK, f"{service} responder")
        self._in_work = 0
        self._next: Callable[[], None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopped = False

    def ask(self, ping: Ping, send: Send) -> None:
        """Ask the responder, and send what it says; nothing once stopped."""
        if self._stopped:
            return
        start = partial(self._start, ping, send)
        if self._in_work < IN_WORK:
            start()
            return
        if self._next is not None:
            self._counts["dropped"] += 1
        self._next = start

    def stop(self) -> None:
        """From now on nothing is sent."""
        self._stopped, self._next = True, None
        for task in tuple(self._tasks):
            task.cancel()

    def close(self) -> None:
        self._workers.close()

    def _start(self, ping: Ping, send: Send) -> None:
        self._in_work += 1
        task = asyncio.create_task(self._answer(ping, send))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, ping: Ping, send: Send) -> None:
        try:
            said = await self._workers.call(partial(answer, self._respond, ping, self._service))
        finally:
            self._in_work -= 1
            waiting, self._next = self._next, None
            if waiting is not None:
                waiting()
        if said is None:
            self._counts["silent"] += 1
            return
        self._counts["answered"] += 1
        send(said)
