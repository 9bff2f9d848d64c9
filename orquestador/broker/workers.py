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
        self._threads: list[threading.Thread] = []

    async def call(self, function: Callable[[], T]) -> T:
        """Run it on a thread; its result, or what it raised."""
        if len(self._threads) < self._count:
            self._threads.append(threading.Thread(target=self._serve, name=self._name, daemon=True))
            self._threads[-1].start()
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._work.put((function, future))
        return await future

    def close(self) -> None:
        """Let idle threads end; one that hangs ends with the process."""
        for _ in self._threads:
            self._work.put(None)

    @property
    def here(self) -> bool:
        """Whether the caller is one of these threads."""
        return threading.current_thread() in self._threads

    def _serve(self) -> None:
        while (item := self._work.get()) is not None:
            function, future = item
            try:
                result, fault = function(), None
            except BaseException as raised:
                result, fault = None, _bearable(raised)
            # RuntimeError: the loop has ended meanwhile, and nobody waits any more.
            with suppress(RuntimeError):
                future.get_loop().call_soon_threadsafe(_finish, future, result, fault)


def _bearable(raised: BaseException) -> Exception:
    """A future takes no StopIteration, and SystemExit in one ends the loop: told as faults."""
    if isinstance(raised, Exception) and not isinstance(raised, StopIteration):
        return raised
    fault = RuntimeError(f"{type(raised).__name__}: {raised}")
    fault.__cause__ = raised
    return fault


def _finish(future: asyncio.Future[Any], result: object, fault: Exception | None) -> None:
    if future.done():
        return
    if fault is None:
        future.set_result(result)
    else:
        future.set_exception(fault)
