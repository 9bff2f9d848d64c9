"""Roles played in this process, on the test's own loop: no program starts, all they say is heard.

What a role would tell its observers is kept in `Ears`.
"""

from __future__ import annotations

import asyncio
import io
from argparse import Namespace
from collections.abc import Awaitable, Callable
from typing import Any

from orquestador.broker.connection import Connection
from orquestador.broker.message import Delivery
from orquestador.hooks.registry import Registry, RoleContext
from orquestador.settings import settle
from orquestador.topology.model import Binding, Queue, Topology

Run = Callable[[RoleContext], Awaitable[Any]]
EVERY = 0.005  # seconds between two looks


class Ears:
    """In the observers' place."""

    def __init__(self) -> None:
        self.notices: list[str] = []

    def noticed(self, notice: Any) -> None:
        self.notices.append(f"{notice.kind} {notice.service or ''}: {notice.text}")

    def __getattr__(self, _hook: str) -> Callable[..., None]:
        return lambda *_event: None


class Part:
    """One service at work.  `said`: its lines, and its notices."""

    def __init__(
        self, topology: Topology, registry: Registry, service: str, url: str, run: Run | None = None
    ) -> None:
        """`run`: in place of its role's own."""
        self._ears, self._out = Ears(), io.StringIO()
        entry = topology.services[service]
        self._context = RoleContext(
            topology=topology,
            service=entry,
            settings=settle(url, {}),
            arguments=Namespace(no_provision=True),
            stop=asyncio.Event(),
            observers=self._ears,  # type: ignore[arg-type]
            registry=registry,
            loop=asyncio.get_running_loop(),
            out=self._out,
        )
        run = run or registry.roles[entry.role].run
        self._running = asyncio.ensure_future(run(self._context))

    @property
    def said(self) -> list[str]:
        return [*self._out.getvalue().splitlines(), *self._ears.notices]

    @property
    def refused(self) -> str | None:
        """The broker's refusal, whether it ended the service or it goes on without."""
        if self._running.done() and (fault := self._running.exception()):
            return str(fault)
        return next((text for text in self.said if "ACCESS_REFUSED" in text), None)

    async def end(self) -> None:
        self._context.stop.set()
        await asyncio.wait([self._running], timeout=5)
        self._running.cancel()


class Listener:
    """Everything published to some exchanges, as (exchange, routing key); and who consumes."""

    def __init__(self, connection: Connection) -> None:
        self.heard: set[tuple[str, str]] = set()
        self._connection = connection

    async def listen(self, *exchanges: str) -> None:
        channel = await self._connection.channel()
        queue = await channel.declare_queue(Queue("", exclusive=True, durable=False))
        for exchange in exchanges:
            await channel.bind(queue.name, Binding(exchange, "#"))
        await channel.consume(queue.name, self._on_delivery, auto_ack=True)
        self._channel = channel

    async def consumers(self, queue: str) -> int:
        return (await self._channel.declare_queue(Queue(queue), passive=True)).consumers

    def _on_delivery(self, delivery: Delivery) -> None:
        self.heard.add((delivery.exchange, delivery.routing_key))


async def until(what: Callable[[], Any], within: float = 8.0) -> Any:
    """The first truthy value of `what()`, which may be a coroutine function."""
    deadline = asyncio.get_running_loop().time() + within
    while True:
        value = what()
        if asyncio.iscoroutine(value):
            value = await value
        if value:
            return value
        if asyncio.get_running_loop().time() > deadline:
            raise AssertionError(f"not within {within} s")
        await asyncio.sleep(EVERY)
