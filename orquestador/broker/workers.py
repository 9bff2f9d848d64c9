"""Threads for people's code (handlers, checks, responders), so that none of it holds the loop.

Daemon threads, not concurrent.futures: that one joins its threads at exit, and a handler that
hangs would keep the process from ending.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")


class Workers:
    """At most `count` calls at once; started with the first ones, ended by `close()`."""

    def __init__(self, count: int, name: str) -> None:
        self._count, self._name = count, name
        self._work: SimpleQueue[tuple[Callable[[], Any], asyncio.Future[Any]] | None] = (
            SimpleQueue()
        )
        self._threads = 0

    async def call(self, function: Callable[[], T]) -> T:
        """Run it on a thread; its result, or what it raised."""
        if self._threads < self._count:
            self._threads += 1
            threading.Thread(target=self._serve, name=self._name, daemon=True).start()
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._work.put((function, future))
        return await future

    def close(self) -> None:
        """Let idle threads end; one that hangs ends with the process."""
        for _ in range(self._threads):
            self._work.put(None)

    def _serve(self) -> None:
        while (item := self._work.get()) is not None:
            function, future = item
            try:
                result, fault = function(), None
            except Exception as raised:
                result, fault = None, raised
            # RuntimeError: the loop has ended meanwhile, and nobody waits any more.
            with suppress(RuntimeError):
                future.get_loop().call_soon_threadsafe(_finish, future, result, fault)


def _finish(future: asyncio.Future[Any], result: object, fault: Exception | None) -> None:
    if future.done():
        return
    if fault is None:
        future.set_result(result)
    else:
        future.set_exception(fault)
