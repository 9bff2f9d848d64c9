"""Tests that are coroutines, and connections that close themselves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import wraps
from random import Random
from typing import Any

from orquestador.broker.connection import Connection
from orquestador.broker.message import Outgoing
from orquestador.settings import settle

LONGEST = 30.0  # seconds: a test that waits for ever fails here, with a traceback of where


def on_a_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    @wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        asyncio.run(asyncio.wait_for(test(*args, **kwargs), LONGEST))

    return run


class InOrder(Random):
    """Chance that leaves everything in its order."""

    def shuffle(self, x: Any) -> None:
        pass


@asynccontextmanager
async def connected(
    url: str, name: str = "a test", *, heartbeat: int = 10, random: Random | None = None
) -> AsyncIterator[Connection]:
    connection = await Connection.open(settle(url, {}), name, heartbeat=heartbeat, random=random)
    try:
        yield connection
    finally:
        await connection.close()


def message(key: str = "work", exchange: str = "", **more: Any) -> Outgoing:
    more = {"body": b"x", "message_id": "1", **more}
    return Outgoing(exchange=exchange, routing_key=key, **more)
