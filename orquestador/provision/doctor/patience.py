"""Each step of the doctor's ends: with its answer, in time, or as soon as the broker blocks us."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

from orquestador.broker.connection import Connection
from orquestador.errors import BrokerError
from orquestador.provision.doctor.check import STEP

T = TypeVar("T")
LONGEST = STEP + 1.0  # seconds: the opening of a connection may take STEP of them


class Alarm(BrokerError):
    """The broker takes nothing more from a connection that has published; the text is its reason.

    RabbitMQ then reads no request of that connection either, until memory or disk space is free:
    https://www.rabbitmq.com/docs/alarms.
    """


class Patience:
    """Watches one connection; `within` is how its steps are waited for."""

    def __init__(self, connection: Connection) -> None:
        self._blocked: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        connection.on_blocked = self._on_blocked

    def _on_blocked(self, reason: str | None) -> None:
        if reason is not None and not self._blocked.done():
            self._blocked.set_result(reason)

    async def within(self, step: Awaitable[T]) -> T:
        """Raises Alarm, TimeoutError, or what the step does."""
        task = asyncio.ensure_future(step)
        try:
            either: list[asyncio.Future[Any]] = [task, self._blocked]
            await asyncio.wait(either, timeout=LONGEST, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise Alarm(self._blocked.result()) if self._blocked.done() else TimeoutError
        finally:
            task.cancel()
        return task.result()
