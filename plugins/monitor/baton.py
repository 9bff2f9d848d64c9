"""Who leads: of all monitors the one that holds the baton, the one message of the queue `leader`.

Source: Klishin and others, "Distributed Semaphores with RabbitMQ" (RabbitMQ blog, 2014), with a
single active consumer.  It is a mutex over a broker, which breaks under partition: epochs, which
are `session.py`'s, make two leaders harmless.  Protocol, section 3.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from orquestador import Channel, Delivery, Lost, NotConfirmed, NotFound, Queue, Unroutable

from .wire import Wire


class Baton:
    """One session's.  `taken` is called once, when this monitor begins to lead.

    A baton is acknowledged only when the next one is confirmed; the channel that holds it closes
    with it held, so that the broker passes it on.
    """

    def __init__(
        self, wire: Wire, queue: Queue, *, renew_every: float, taken: Callable[[], None]
    ) -> None:
        self._wire, self._queue = wire, queue
        self._renew_every, self._taken = renew_every, taken
        self._channel: Channel
        self._held: int | None = None
        self._leads = False

    async def stand(self, blocked: asyncio.Event) -> None:
        """Put a baton in, and wait in line for it.

        While publishers are `blocked` no confirm comes: then it stands in line without one.
        """
        confirmed = self._wire.send_baton(self._queue)
        waiting = asyncio.create_task(blocked.wait())
        either: list[asyncio.Future[Any]] = [confirmed, waiting]
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
        if confirmed.done():
            try:
                await confirmed
            except NotConfirmed:
                pass  # what stood in the queue before will do, or a later one
            except Unroutable:
                hint = "provision the topology first (python -m orquestador.provision)"
                raise NotFound(f"queue {self._queue.name!r} is missing; {hint}") from None
        self._channel = await self._wire.listening.channel(prefetch=1)
        await self._channel.consume(self._queue.name, self._on_baton)

    async def keep(self) -> None:
        """Renew it for ever, so that the broker's consumer timeout never strikes; raises a loss."""
        while True:
            lost = await asyncio.wait([self._channel.lost], timeout=self._renew_every)
            if lost[0]:
                raise self._channel.lost.result()
            if self._held is not None:
                await self._renew(self._held)

    async def _renew(self, held: int) -> None:
        try:
            await self._wire.send_baton(self._queue)
        except (NotConfirmed, Lost):
            return  # the old one is held on; the channel may have been changed: the next time
        self._channel.ack(held)
        self._held = None  # until the new one is here

    def put_again(self) -> None:
        """Nobody seems to lead: a purge or a restart may have eaten the baton."""
        self._wire.send_baton(self._queue)

    def _on_baton(self, baton: Delivery) -> None:
        self._held = baton.tag
        if not self._leads:
            self._leads = True
            self._taken()
