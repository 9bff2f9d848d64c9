"""The monitor's connections of one session, and its pings, statuses and questions on them.

Three connections, so that an alarm of the broker, which stops the publishing one whole, leaves the
listening and the asking at work; protocol, section 6.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

from orquestador import (
    Channel,
    Conflict,
    Connection,
    Delivery,
    Locked,
    NotFound,
    Outgoing,
    Queue,
    RoleContext,
    Topology,
    declare,
)
from orquestador.events import CONTENT_TYPE, Event, fresh_word, kind_of
from orquestador.events import encode as body
from orquestador.topology.model import EVENTS, HEARTBEAT, ping_queue

AMQP_HEARTBEAT = 5  # seconds; protocol, section 3
TRIES_FOR_A_NAME = 3


@dataclass(frozen=True, slots=True)
class Wire:
    """One session's connections; all of them are needed, the loss of any ends the session."""

    publishing: Connection
    listening: Connection
    asking: Connection
    channel: Channel
    echoes: Channel
    context: RoleContext
    missing: tuple[str, ...] = ()
    """Watched services without a ping queue, where this process may not declare one."""

    @property
    def losses(self) -> tuple[asyncio.Future[Exception], ...]:
        return (
            self.publishing.lost,
            self.listening.lost,
            self.asking.lost,
            self.channel.lost,
            self.echoes.lost,
        )

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
                persistent=exchange == EVENTS,
                mandatory=mandatory,
            )
        )

    async def queue_exists(self, service: str) -> bool:
        """Ask passively, on a scratch channel: a 404 kills the channel that asked."""
        channel = await self.asking.channel()
        try:
            await channel.declare_queue(self.topology.queues[ping_queue(service)], passive=True)
        except NotFound as fault:
            if "no queue" not in str(fault):
                raise  # its home node is down: nobody can know
            return False
        await channel.close()
        return True

    async def bind_again(self, service: str) -> None:
        """Its queue is there but a ping came back: nothing bound it to the heartbeat."""
        channel = await self.asking.channel()
        await declare(channel, self.topology, [self.topology.queues[ping_queue(service)]])
        await channel.close()


async def connect(
    stack: AsyncExitStack,
    context: RoleContext,
    on_delivery: Callable[[Delivery], None],
    on_bad_queue: Callable[[str, Conflict], None],
) -> Wire:
    """Open, declare, listen.  Raises a BrokerError; what was opened is closed by `stack`."""
    name = context.service.name

    async def opened(purpose: str) -> Connection:
        connection = await Connection.open(
            context.settings, f"{name} {purpose}", heartbeat=AMQP_HEARTBEAT
        )
        connections.append(connection)
        return connection

    async def close() -> None:
        await asyncio.gather(*(connection.close() for connection in connections))

    connections: list[Connection] = []
    stack.push_async_callback(close)

    publishing = await opened("publishing")
    listening = await opened("listening")
    asking = await opened("asking")
    missing: tuple[str, ...] = ()
    if context.arguments.no_provision:
        missing = await _missing(asking, context)
    else:
        await _make_sure(asking, context, on_bad_queue)
    echoes = await _listen(listening, context, on_delivery)
    channel = await publishing.channel(confirms=True)
    return Wire(publishing, listening, asking, channel, echoes, context, missing)


async def _make_sure(
    asking: Connection, context: RoleContext, on_bad_queue: Callable[[str, Conflict], None]
) -> None:
    """Its own queues, and the ping queue of each watched service: either may start first.

    A conflict on its own ends the process; on another's it is said, and that queue used as it is.
    """
    topology, service = context.topology, context.service
    channel = await asking.channel()
    own = (topology.queues[name] for name in service.queues)
    queues = [queue for queue in own if not queue.unique]
    await declare(channel, topology, queues, (HEARTBEAT, EVENTS))
    for watched in topology.watched:
        queue = topology.queues[ping_queue(watched.name)]
        try:
            await declare(channel, topology, [queue])
        except Conflict as fault:
            on_bad_queue(watched.name, fault)
            channel = await asking.channel()
            for binding in queue.bindings:
                await channel.bind(queue.name, binding)
    await channel.close()


async def _missing(asking: Connection, context: RoleContext) -> tuple[str, ...]:
    """The watched services whose ping queue is not there; nothing is declared."""
    missing, channel = [], await asking.channel()
    for watched in context.topology.watched:
        try:
            queue = context.topology.queues[ping_queue(watched.name)]
            await channel.declare_queue(queue, passive=True)
        except NotFound:
            missing.append(watched.name)
            channel = await asking.channel()
    await channel.close()
    return tuple(missing)


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
