"""What a `Bus` has on its loop: two connections kept for ever, its consumers, its publishing.

What a program calls, from its own threads, is `bus.py`'s.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from contextlib import suppress

from orquestador.broker import faults
from orquestador.broker.channel import Channel
from orquestador.broker.connection import Connection, ended
from orquestador.broker.declaring import declare
from orquestador.broker.keeping import Established, ForAPerson, keep
from orquestador.broker.message import Outgoing
from orquestador.broker.subscriber import Consumer, Subscription, consume
from orquestador.errors import BrokerError, Conflict, Lost, NotConfirmed, NotFound, Refused
from orquestador.events import fresh_word
from orquestador.settings import Settings
from orquestador.topology.model import Queue, Topology

log = logging.getLogger("orquestador.bus")
HEARTBEAT = 10  # seconds, AMQP's own; protocol section 3
CHANGE_AGAIN = 0.5  # seconds between two changes of the publishing channel
LOOK_AGAIN = 1.0  # seconds between looks at a queue that is not there
FINISHING = 0.8  # seconds for handlers in work at the stop; closing has the rest of its second


class BusSession:
    """`live(stop)` is the loop's life; `send` and `on_subscribed` are called on that loop.

    `subscriptions` is the program's list, which grows.
    """

    def __init__(
        self,
        service: str,
        topology: Topology,
        settings: Settings,
        subscriptions: Sequence[Subscription],
        *,
        provision: bool,
    ) -> None:
        self._service, self._topology, self._settings = service, topology, settings
        self._subscriptions, self._provision = subscriptions, provision
        self._publishing: Channel | None = None
        self._connection: Connection | None = None
        self._losses: list[asyncio.Future[Exception]] = []
        self._change_due = 0.0
        # Numbers of subscriptions: told to be missing; consumed at least once.
        self._missing: set[int] = set()
        self._worked: set[int] = set()
        self._subscribed, self._connected = asyncio.Event(), asyncio.Event()

    async def live(self, stop: asyncio.Event) -> None:
        """Until `stop`.  Raises what a person must mend: Refused, Conflict."""

        async def session(established: Established) -> None:
            await self._session(established, stop)

        try:
            await keep(session, stop, lost=lambda fault: log.warning("%s; trying again", fault))
        except Exception as fault:  # whoever neither publishes nor runs reads it here
            log.error("bus %s ends: %s", self._service, fault)
            raise

    def on_subscribed(self) -> None:
        """Who subscribes and then publishes finds the queue there: publishes wait for it."""
        self._connected.clear()
        self._subscribed.set()

    async def send(self, message: Outgoing) -> None:
        """Publish until the broker has confirmed it, over as many connections as that takes."""
        while True:
            await self._connected.wait()
            channel = self._publishing
            if channel is None:
                continue
            try:
                return await channel.publish(message)
            except (Lost, NotFound, Refused) as fault:
                if (own := faults.of_message(fault, message)) is not None:
                    raise own from None
                # Lost, or another publisher's message closed the channel: the next session is due.
                await asyncio.wait([channel.lost])
                if channel is self._publishing:
                    self._connected.clear()
            except NotConfirmed:
                await self._change(channel)
                raise

    async def _change(self, channel: Channel) -> None:
        """Another channel for what is published from now on, after a basic.nack.

        RabbitMQ 3.10 refuses for good on a channel whose first publish met a quorum queue between
        two leaders; a new one is served.  A full queue that rejects looks the same: not too often.
        """
        now = asyncio.get_running_loop().time()
        connection = self._connection
        if connection is None or channel is not self._publishing or now < self._change_due:
            return
        self._change_due = now + CHANGE_AGAIN
        with suppress(BrokerError):
            fresh = await connection.channel(confirms=True)
            if channel is self._publishing:
                self._losses.remove(channel.lost)
                self._losses.append(fresh.lost)
                self._publishing = fresh
                self._subscribed.set()  # the session looks at the new one from now on
                await channel.close()  # what waits for confirms there is published again

    async def _session(self, established: Established, stop: asyncio.Event) -> None:
        """Two connections: an alarm of the broker stops a publishing one whole, acks included."""
        publishing = await self._open("publishing")
        try:
            consuming = await self._open("consuming")
            try:
                channel = await publishing.channel(confirms=True)
                if self._provision:
                    await self._declare(consuming, self._own(), self._topology.exchanges)
                self._publishing, self._connection = channel, publishing
                self._losses = [publishing.lost, consuming.lost, channel.lost]
                await self._serve(consuming, established, stop)
            finally:
                self._publishing = self._connection = None
                self._connected.clear()
                await consuming.close()
        finally:
            await publishing.close()

    async def _serve(
        self,
        connection: Connection,
        established: Established,
        stop: asyncio.Event,
    ) -> None:
        """Consume what is subscribed, and what will be, until a loss or the stop."""
        consumers: dict[int, Consumer] = {}
        while not stop.is_set():
            self._subscribed.clear()
            missing = await self._consume(connection, consumers)
            established()
            self._connected.set()
            lost = (consumer.channel.lost for consumer in consumers.values())
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_AGAIN if missing else None):
                    await ended(*self._losses, *lost, until=(stop, self._subscribed))
        with suppress(BrokerError, TimeoutError):
            async with asyncio.timeout(FINISHING):
                await asyncio.gather(*(consumer.leave() for consumer in consumers.values()))

    async def _consume(self, connection: Connection, consumers: dict[int, Consumer]) -> bool:
        """Start what is subscribed and not consumed yet; whether a queue is missing, said once."""
        missing = False
        for number, subscription in enumerate(tuple(self._subscriptions)):
            if number in consumers:
                continue
            try:
                queue = await self._made_sure(connection, subscription.queue)
                consumers[number] = await consume(connection, queue, subscription)
            except NotFound as fault:
                missing = True
                if number not in self._missing:
                    log.warning("%s; looking again each second", fault)
                self._missing.add(number)
            except (Conflict, Refused) as fault:
                if number in self._worked:
                    raise
                raise ForAPerson(fault) from None
            else:
                self._missing.discard(number)
                self._worked.add(number)
        return missing

    async def _open(self, purpose: str) -> Connection:
        name = f"{self._service} {purpose}"
        return await Connection.open(self._settings, name, heartbeat=HEARTBEAT)

    def _own(self) -> list[Queue]:
        service = self._topology.services.get(self._service)
        owned = (self._topology.queues[name] for name in (service.queues if service else ()))
        return [queue for queue in owned if not queue.unique]

    async def _made_sure(self, connection: Connection, name: str) -> str:
        """The queue's name on the broker; one with `{unique}` is made under a fresh word."""
        queue = self._topology.queues[name]
        if queue.unique:
            queue = queue.fresh(fresh_word())
        if self._provision or queue.exclusive:
            await self._declare(connection, [queue])
        return queue.name

    async def _declare(
        self, connection: Connection, queues: Iterable[Queue], exchanges: Iterable[str] = ()
    ) -> None:
        channel = await connection.channel()
        await declare(
            channel, self._topology, queues, exchanges, exchanges_passively=not self._provision
        )
        await channel.close()
