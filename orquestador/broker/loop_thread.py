"""An event loop on a thread of its own, for the blocking APIs (`Bus`, `Responder`).

One coroutine is the thread's life; others are handed over from any thread.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from typing import Any, TypeVar

T = TypeVar("T")
Life = Callable[[asyncio.Event], Awaitable[None]]


class LoopThread:
    """Runs `life(stop)` until it ends; `stop()` asks it to.  `failed` is why it ended early."""

    def __init__(self, name: str, life: Life) -> None:
        self._life = life
        self._loop: asyncio.AbstractEventLoop
        self._stop: asyncio.Event
        self._started = threading.Event()
        self._calls: set[Future[Any]] = set()
        self.done = threading.Event()
        self.failed: BaseException | None = None
        # A daemon: a program that ends without closing must not hang.
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()
        self._started.wait()

    def call(self, coroutine: Coroutine[Any, Any, T], timeout: float | None) -> T:
        """Run it on the loop, wait for its result.  Raises what it raises, or TimeoutError.

        CancelledError (of concurrent.futures): the loop has ended, before or meanwhile.
        """
        if threading.current_thread() is self._thread:
            coroutine.close()
            raise RuntimeError("called from the loop's own thread; it would wait for itself")
        try:
            future: Future[T] = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        except RuntimeError:
            coroutine.close()
            raise CancelledError from None
        self._calls.add(future)
        if self.done.is_set():
            future.cancel()
        try:
            return future.result(timeout)
        except TimeoutError:
            future.cancel()
            raise
        finally:
            self._calls.discard(future)

    def post(self, callback: Callable[..., object], *args: object) -> None:
        """Call it on the loop soon, without waiting; nothing once the loop has ended."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(callback, *args)

    def stop(self, timeout: float) -> bool:
        """Ask for the end and wait; whether it came in time."""
        self.post(self._stop.set)
        return self.done.wait(timeout)

    def _run(self) -> None:
        try:
            with suppress(BaseException):  # `failed` has it
                asyncio.run(self._main())
        finally:
            self._started.set()
            self.done.set()
            for future in tuple(self._calls):  # handed over too late to run
                future.cancel()

    async def _main(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self._started.set()
        try:
            await self._life(self._stop)
        except BaseException as fault:
            # Before asyncio.run cancels the calls under way, so that they can say why.
            self.failed = fault
            raise
