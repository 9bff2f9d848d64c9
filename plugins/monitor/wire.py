"""The monitor's connections of one session, and its pings, echoes and statuses on them.

Three connections, so that an alarm of the broker, which stops the publishing one whole, leaves the
listening and the watching at work; protocol, section 6.  What is consumed on the watching one is
`ping_queues.py`'s, the baton on the listening one `baton.py`'s.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

from orquestador import (
    Channel,
    Connection,
    Delivery,
    Locked,
    Outgoing,
    Queue,
    RoleContext,
    Topology,
    declare,
)
from orquestador.events import CONTENT_TYPE, Event, Status, fresh_word, kind_of
from orquestador.events import encode as body
from orquestador.topology.model import EVENTS, HEARTBEAT

AMQP_HEARTBEAT = 5  # seconds; protocol, section 3
TRIES_FOR_A_NAME = 3
BATON = "baton"


@dataclass(slots=True)
class Wire:
    """One session's connections; all of them are needed: `lost` is done when the first one is."""

    publishing: Connection
    listening: Connection
    watching: Connection
    channel: Channel
    context: RoleContext
    lost: asyncio.Future[Exception]

    def needs(self, part: asyncio.Future[Exception]) -> None:
        """The session ends when this part of it is lost."""
        part.add_done_callback(self._on_lost)

    async def change_channel(self) -> None:
        """Another one to publish on.

        RabbitMQ 3.10 refuses for good on a channel whose first publish met a quorum queue between
        two leaders; a new one is served.
        """
        old, fresh = self.channel, await self.publishing.channel(confirms=True)
        self.channel = fresh
        self.needs(fresh.lost)
        old.lost.remove_done_callback(self._on_lost)
        await old.close()

    def _on_lost(self, part: asyncio.Future[Exception]) -> None:
        if not self.lost.done():
            self.lost.set_result(part.result())

    @property
    def topology(self) -> Topology:
        return self.context.topology

    def send(
        self, exchange: str, key: str, event: Event, *, mandatory: bool = False
    ) -> asyncio.Future[None]:
        """Publish an event; see `Channel.publish` for the future."""
        return self.channel.publish(
            Outgoing(
                exchange=self.topology.exchanges[exchange].name,
                routing_key=key,
                body=body(event),
                message_id=getattr(event, "id", None) or fresh_word(),
                type=kind_of(event),
                app_id=self.context.service.name,
                content_type=CONTENT_TYPE,
                timestamp=int(time.time()),
                persistent=isinstance(event, Status),
                mandatory=mandatory,
            )
        )

    def send_baton(self, queue: Queue) -> asyncio.Future[None]:
        """An empty message straight into the queue; Unroutable where that is gone."""
        return self.channel.publish(
            Outgoing(
                exchange="",
                routing_key=queue.name,
                body=b"",
                message_id=fresh_word(),
                type=BATON,
                app_id=self.context.service.name,
                timestamp=int(time.time()),
                mandatory=True,
            )
        )


async def connect(
    stack: AsyncExitStack, context: RoleContext, on_delivery: Callable[[Delivery], None]
) -> Wire:
    """Open and listen.  Raises a BrokerError; what was opened is closed by `stack`."""
    name = context.service.name

    async def opened(purpose: str) -> Connection:
        beside = connections[0] if connections else None
        connection = await Connection.open(
            context.settings, f"{name} {purpose}", heartbeat=AMQP_HEARTBEAT, beside=beside
        )
        connections.append(connection)
        return connection

    async def close() -> None:
        await asyncio.gather(*(connection.close() for connection in connections))

    connections: list[Connection] = []
    stack.push_async_callback(close)

    publishing = await opened("publishing")
    listening = await opened("listening")
    watching = await opened("watching")
    if not context.arguments.no_provision:
        await _make_sure(watching, context)
    echoes = await _listen(listening, context, on_delivery)
    channel = await publishing.channel(confirms=True)
    lost: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()
    wire = Wire(publishing, listening, watching, channel, context, lost)
    for part in (*(each.lost for each in connections), channel.lost, echoes.lost):
        wire.needs(part)
    return wire


async def _make_sure(watching: Connection, context: RoleContext) -> None:
    """Its own queues and the two exchanges; a conflict there is for the person."""
    topology, service = context.topology, context.service
    channel = await watching.channel()
    own = (topology.queues[name] for name in service.queues)
    queues = [queue for queue in own if not queue.unique]
    await declare(channel, topology, queues, (HEARTBEAT, EVENTS))
    await channel.close()


async def _listen(
    listening: Connection, context: RoleContext, on_delivery: Callable[[Delivery], None]
) -> Channel:
    """Its exclusive queues, each under a fresh word: a half-open old connection locks the old."""
    topology, service = context.topology, context.service
    silent = context.arguments.no_provision  # its own exclusive queues it makes all the same
    templates = [topology.queues[name] for name in service.queues if topology.queues[name].unique]
    for attempt in range(1, TRIES_FOR_A_NAME + 1):
        channel = await listening.channel()
        queues: list[Queue] = [template.fresh(fresh_word()) for template in templates]
        try:
            await declare(channel, topology, queues, exchanges_passively=silent)
        except Locked:
            if attempt == TRIES_FOR_A_NAME:
                raise
            continue
        for queue in queues:
            await channel.consume(queue.name, on_delivery, auto_ack=True)
        break
    return channel
