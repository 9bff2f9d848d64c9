"""`Bus`: publish events and subscribe to queues of a topology, from plain blocking code.

Its connections live on a loop of its own thread and come back by themselves; handlers run on
workers.  What a message means is the program's.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import CancelledError
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import msgspec

from orquestador.broker.channel import Channel
from orquestador.broker.connection import Connection, ended
from orquestador.broker.declaring import declare
from orquestador.broker.keeping import Established, keep
from orquestador.broker.loop_thread import LoopThread
from orquestador.broker.message import Outgoing
from orquestador.broker.subscriber import Consumer, Handler, Subscription, consume
from orquestador.broker.workers import Workers
from orquestador.errors import (
    BrokerError,
    EventError,
    Lost,
    NotConfirmed,
    NotFound,
    Refused,
    UnknownName,
)
from orquestador.events import CONTENT_TYPE, fresh_word
from orquestador.settings import settle
from orquestador.topology.model import Queue, Topology
from orquestador.wording import did_you_mean

log = logging.getLogger("orquestador.bus")
HEARTBEAT = 10  # seconds, AMQP's own; protocol section 3
LOOK_AGAIN = 1.0  # seconds between looks at a queue that is not there
FINISHING = 0.8  # seconds for handlers in work at the stop; closing has the rest of its second

HandlerT = TypeVar("HandlerT", bound=Handler)


class Bus:
    """The connections of one program.  Use it as a context manager.

    `service` names the program in the broker's list and, if the topology has it, whose queues are
    made sure of.  `patience`: seconds that `publish` waits for a broker and its confirm.
    `provision=False`: declare nothing, for accounts that may not configure.
    """

    def __init__(
        self,
        topology: Topology | str | Path,
        service: str = "bus",
        *,
        url: str | None = None,
        patience: float = 30.0,
        provision: bool = True,
    ) -> None:
        self.topology = topology if isinstance(topology, Topology) else Topology.load(topology)
        self.service = service
        self._settings = settle(url, os.environ).in_vhost(self.topology.vhost)
        self._patience, self._provision = patience, provision
        self._subscriptions: list[Subscription] = []
        self._publishing: Channel | None = None
        self._missing: set[int] = set()
        self._subscribed, self._connected = asyncio.Event(), asyncio.Event()
        self._thread: LoopThread | None = None
        self._closed = threading.Event()

    def __enter__(self) -> Self:
        self._thread = LoopThread(f"bus {self.service}", self._live)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def publish(
        self,
        exchange: str,
        routing_key: str,
        data: Any,
        *,
        headers: Mapping[str, Any] | None = None,
        persistent: bool = True,
        mandatory: bool = True,
    ) -> str:
        """Publish and wait for the broker's confirm; the message id.

        `data`: bytes as they are, anything else as JSON.  While the connection is away it waits,
        and publishes again under the same id what was not confirmed (at least once).  Raises
        UnknownName (exchange not declared), Unroutable (no queue takes it; not with
        `mandatory=False`), NotConfirmed (refused, or `patience` is over), Refused.
        """
        message = Outgoing(
            exchange=self._exchange(exchange, routing_key),
            routing_key=routing_key,
            body=data if isinstance(data, bytes) else _json(data),
            content_type=None if isinstance(data, bytes) else CONTENT_TYPE,
            message_id=fresh_word(),
            app_id=self.service,
            headers=headers,
            persistent=persistent,
            mandatory=mandatory,
        )
        try:
            self._running().call(self._send(message), self._patience)
        except TimeoutError:
            text = f"no confirm from {self._settings} in {self._patience:g} s"
            raise NotConfirmed(text) from None
        except CancelledError:
            self._raise_failure()
            raise NotConfirmed("the bus is closed") from None
        return message.message_id

    def subscribe(self, queue: str, *, prefetch: int = 1) -> Callable[[HandlerT], HandlerT]:
        """Decorator: call the function with each message of a declared queue.

        Acknowledged when it returns.  If it raises, the message is requeued once, and rejected the
        second time: dead-lettered where the queue has a `dead_letter`, else dropped, which the log
        says.  `prefetch` messages are in work at once, each on a worker.
        """
        if queue not in self.topology.queues:
            near = did_you_mean(queue, self.topology.queues)
            raise UnknownName(f"queue {queue!r} is not declared in {self.topology.path}{near}")

        def register(handler: HandlerT) -> HandlerT:
            workers = Workers(prefetch, f"{self.service} {queue}")
            subscription = Subscription(queue, handler, prefetch, workers)
            self._subscriptions.append(subscription)
            if self._thread is not None:
                self._thread.post(self._on_subscribed)
            return handler

        return register

    def run(self) -> None:
        """Serve until `close()` (from a handler or another thread) or Ctrl+C."""
        thread = self._running()
        try:
            while not (thread.done.wait(0.2) or self._closed.is_set()):
                pass
        except KeyboardInterrupt:
            self.close()
        self._raise_failure()

    def close(self) -> None:
        """Stop consuming, let handlers in work end (0.8 s), close: within about three seconds.

        What is not acknowledged by then goes back to the queue.  From a handler it returns at once,
        so that the handler can end; `run()` then returns.
        """
        self._closed.set()
        if self._thread is not None:
            within = any(subscription.workers.here for subscription in self._subscriptions)
            self._thread.stop(timeout=0.0 if within else 3.0)
        for subscription in self._subscriptions:
            subscription.workers.close()

    def _on_subscribed(self) -> None:
        """Who subscribes and then publishes finds the queue there: publishes wait for it."""
        self._connected.clear()
        self._subscribed.set()

    def _running(self) -> LoopThread:
        if self._thread is None:
            raise RuntimeError("use it as a context manager: with Bus(...) as bus")
        self._raise_failure()
        return self._thread

    def _raise_failure(self) -> None:
        if self._thread is not None and self._thread.failed is not None:
            raise self._thread.failed

    def _exchange(self, exchange: str, routing_key: str) -> str:
        if exchange == "":
            if routing_key not in {queue.name for queue in self.topology.queues.values()}:
                near = did_you_mean(routing_key, self.topology.queues)
                raise UnknownName(f"queue {routing_key!r} is not declared{near}")
            return ""
        try:
            return self.topology.exchanges[exchange].name
        except KeyError:
            near = did_you_mean(exchange, self.topology.exchanges)
            text = f"exchange {exchange!r} is not declared in {self.topology.path}{near}"
            raise UnknownName(text) from None

    async def _live(self, stop: asyncio.Event) -> None:
        async def session(established: Established) -> None:
            await self._session(established, stop)

        await keep(session, stop, lost=lambda fault: log.warning("%s; trying again", fault))

    async def _session(self, established: Established, stop: asyncio.Event) -> None:
        """Two connections: an alarm of the broker stops a publishing one whole, acks included."""
        publishing = await self._open("publishing")
        try:
            consuming = await self._open("consuming")
            try:
                channel = await publishing.channel(confirms=True)
                if self._provision:
                    await self._declare(consuming, self._own(), self.topology.exchanges)
                self._publishing = channel
                losses = [publishing.lost, consuming.lost, channel.lost]
                await self._serve(consuming, losses, established, stop)
            finally:
                self._publishing = None
                self._connected.clear()
                await consuming.close()
        finally:
            await publishing.close()

    async def _serve(
        self,
        connection: Connection,
        losses: list[asyncio.Future[Exception]],
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
                    await ended(*losses, *lost, until=(stop, self._subscribed))
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
                self._missing.discard(number)
            except NotFound as fault:
                missing = True
                if number not in self._missing:
                    log.warning("%s; looking again each second", fault)
                self._missing.add(number)
        return missing

    async def _open(self, purpose: str) -> Connection:
        name = f"{self.service} {purpose}"
        return await Connection.open(self._settings, name, heartbeat=HEARTBEAT)

    def _own(self) -> list[Queue]:
        service = self.topology.services.get(self.service)
        owned = (self.topology.queues[name] for name in (service.queues if service else ()))
        return [queue for queue in owned if not queue.unique]

    async def _made_sure(self, connection: Connection, name: str) -> str:
        """The queue's name on the broker; one with `{unique}` is made under a fresh word."""
        queue = self.topology.queues[name]
        if queue.unique:
            queue = queue.fresh(fresh_word())
        if self._provision or queue.exclusive:
            await self._declare(connection, [queue])
        return queue.name

    async def _declare(
        self, connection: Connection, queues: Iterable[Queue], exchanges: Iterable[str] = ()
    ) -> None:
        channel = await connection.channel()
        await declare(channel, self.topology, queues, exchanges)
        await channel.close()

    async def _send(self, message: Outgoing) -> None:
        while True:
            await self._connected.wait()
            if self._publishing is None:
                continue
            try:
                return await self._publishing.publish(message)
            except Lost:
                self._connected.clear()
            except (NotFound, Refused) as fault:
                if f"'{message.exchange}'" in str(fault):
                    raise
                self._connected.clear()  # another publisher's message closed the channel


def _json(data: Any) -> bytes:
    try:
        return msgspec.json.encode(data)
    except (TypeError, ValueError, RecursionError) as fault:
        raise EventError(f"the event cannot be written as JSON: {fault}") from None
