"""One AMQP channel as awaitables: declare, bind, consume, publish with confirms, acknowledge.

pika never calls back for a reply that a closed channel will not bring: here each wait ends with
the channel, raising the reason.  Opening connections is `connection.py`'s.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from pika import BasicProperties, exceptions
from pika.adapters.asyncio_connection import AsyncioConnection
from pika.channel import Channel as RawChannel

from orquestador.broker import faults
from orquestador.broker.message import Declared, Delivery, Outgoing
from orquestador.broker.properties import delivery, properties
from orquestador.errors import (
    BrokerError,
    ConfigurationError,
    EventError,
    Lost,
    NotConfirmed,
    Unroutable,
)
from orquestador.events import fresh_word
from orquestador.topology.model import Binding, Exchange, Queue

OnDelivery = Callable[[Delivery], None]
OnCancelled = Callable[[], None]
CLOSING = (exceptions.ChannelWrongStateError, exceptions.ConnectionWrongStateError)


class Channel:
    """Made by `Connection.channel()`.  `lost` is done once it is closed, with the reason.

    Every method that waits raises a BrokerError when the channel closes meanwhile: NotFound (404),
    Locked (405), Conflict (406), Refused (403) or Lost.
    """

    def __init__(self, guard: Callable[..., Any]) -> None:
        self.lost: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()
        self._guard = guard
        self._waiting: set[asyncio.Future[Any]] = set()
        self._unconfirmed: dict[int, asyncio.Future[None]] = {}
        self._returnable: dict[str, asyncio.Future[None]] = {}
        self._published = 0
        self._confirms = False
        self._on_cancelled: dict[str, OnCancelled] = {}
        self._raw: RawChannel

    async def open(self, connection: AsyncioConnection, lost: asyncio.Future[Exception]) -> None:
        """`lost`: the connection's; a defect in a callback fails its channels through it."""

        def with_connection(done: asyncio.Future[Exception]) -> None:
            self._close_with(done.result())

        lost.add_done_callback(with_connection)
        self.lost.add_done_callback(lambda _done: lost.remove_done_callback(with_connection))
        opened = self._wait()
        try:
            self._raw = connection.channel(on_open_callback=partial(_settle, opened))
        except exceptions.AMQPError as fault:
            self._close_with(faults.connection_closed(fault))
            raise _copy(self.lost.result()) from None
        self._raw.add_on_close_callback(
            self._guard(lambda _raw, reason: self._close_with(faults.channel_closed(reason)))
        )
        self._raw.add_on_return_callback(self._guard(self._on_return))
        self._raw.add_on_cancel_callback(self._guard(self._on_cancel))
        await opened

    async def select_confirms(self) -> None:
        await self._call(self._raw.confirm_delivery, self._guard(self._on_confirm))
        self._confirms = True

    async def prefetch(self, count: int) -> None:
        await self._call(self._raw.basic_qos, prefetch_count=count)

    async def declare_exchange(self, exchange: Exchange, *, passive: bool = False) -> None:
        await self._call(
            self._raw.exchange_declare,
            exchange=exchange.name,
            exchange_type=exchange.type,
            passive=passive,
            durable=exchange.durable,
            auto_delete=exchange.auto_delete,
            internal=exchange.internal,
            arguments=dict(exchange.arguments),
        )

    async def declare_queue(self, queue: Queue, *, passive: bool = False) -> Declared:
        reply = await self._call(
            self._raw.queue_declare,
            queue=queue.name,
            passive=passive,
            durable=queue.durable,
            exclusive=queue.exclusive,
            auto_delete=queue.auto_delete,
            arguments=dict(queue.arguments),
        )
        return Declared(reply.queue, reply.message_count, reply.consumer_count)

    async def bind(self, queue: str, binding: Binding) -> None:
        await self._call(
            self._raw.queue_bind,
            queue,
            binding.exchange,
            routing_key=binding.key,
            arguments=dict(binding.arguments),
        )

    async def consume(
        self,
        queue: str,
        on_delivery: OnDelivery,
        *,
        on_cancelled: OnCancelled | None = None,
        auto_ack: bool = False,
        arguments: Mapping[str, Any] | None = None,
    ) -> str:
        """Start a consumer; its tag.

        `on_cancelled`: the broker cancelled it (the queue was deleted); without one the channel
        counts as lost then, for a consumer that silently gets nothing is the worse fault.
        """

        def deliver(_raw: object, method: Any, given: BasicProperties, body: bytes) -> None:
            on_delivery(delivery(method, given, body))

        tag = fresh_word()
        # Before the call: the broker's cancel may come together with its consume-ok.
        self._on_cancelled[tag] = on_cancelled or (
            lambda: self._close_with(Lost(f"queue {queue!r} was deleted"))
        )
        try:
            await self._call(
                self._raw.basic_consume,
                queue,
                self._guard(deliver),
                auto_ack=auto_ack,
                consumer_tag=tag,
                arguments=dict(arguments or {}),
            )
        except BaseException:
            self._on_cancelled.pop(tag, None)
            raise
        return tag

    async def cancel(self, tag: str) -> None:
        """Stop a consumer; one that the broker cancelled already is no fault."""
        self._on_cancelled.pop(tag, None)
        if tag in self._raw.consumer_tags:
            await self._call(self._raw.basic_cancel, tag)

    def publish(self, message: Outgoing) -> asyncio.Future[None]:
        """Send now; the future is done when the broker has confirmed (at once without confirms).

        It fails with EventError (AMQP cannot carry it), Unroutable (mandatory, and no queue takes
        it), NotConfirmed (basic.nack) or what closed the channel.  Nobody has to wait for it.
        """
        confirmed = self._wait()
        confirmed.add_done_callback(_looked_at)
        if self.lost.done():
            confirmed.set_exception(_copy(self.lost.result()))
            return confirmed
        try:
            self._raw.basic_publish(
                message.exchange,
                message.routing_key,
                message.body,
                properties(message),
                mandatory=message.mandatory,
            )
        except CLOSING as fault:
            confirmed.set_exception(Lost(f"the channel is closing ({type(fault).__name__})"))
            return confirmed
        except Exception as fault:
            text = f"the message cannot be written in AMQP: {faults.unwritable(fault)}"
            confirmed.set_exception(EventError(text))
            return confirmed
        self._published += 1
        if not self._confirms:
            confirmed.set_result(None)
            return confirmed
        self._unconfirmed[self._published] = confirmed
        if message.mandatory:
            self._returnable[message.message_id] = confirmed
            confirmed.add_done_callback(
                lambda _done: self._returnable.pop(message.message_id, None)
            )
        return confirmed

    def ack(self, tag: int) -> None:
        """Acknowledge; on a closed channel nothing, for the broker has requeued it already."""
        if self._raw.is_open:
            self._raw.basic_ack(tag)

    def reject(self, tag: int, *, requeue: bool) -> None:
        """Give back (`requeue`) or drop, to the dead-letter exchange where the queue has one."""
        if self._raw.is_open:
            self._raw.basic_reject(tag, requeue=requeue)

    async def close(self) -> None:
        if self.lost.done() or not self._raw.is_open:
            return
        self._raw.close()
        await asyncio.wait([self.lost])

    def _wait(self) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        future.add_done_callback(self._waiting.discard)
        return future

    async def _call(self, method: Callable[..., object], *args: Any, **kwargs: Any) -> Any:
        if self.lost.done():
            raise _copy(self.lost.result())
        reply = self._wait()
        try:
            method(*args, callback=partial(_settle, reply), **kwargs)
        except CLOSING as fault:
            reply.cancel()
            raise Lost(f"the channel is closing ({type(fault).__name__})") from None
        except Exception as fault:
            reply.cancel()
            text = f"{method.__name__} cannot be written in AMQP: {faults.unwritable(fault)}"
            raise ConfigurationError(text) from None
        return getattr(await reply, "method", None)

    def _close_with(self, fault: Exception) -> None:
        if not self.lost.done():
            self.lost.set_result(fault)
        for future in tuple(self._waiting):
            if not future.done():
                future.set_exception(_copy(fault))
        self._unconfirmed.clear()

    def _on_confirm(self, frame: Any) -> None:
        method = frame.method
        last = method.delivery_tag
        tags = [t for t in self._unconfirmed if t <= last] if method.multiple else [last]
        for tag in tags:
            confirmed = self._unconfirmed.pop(tag, None)
            if confirmed is None or confirmed.done():
                continue
            if method.NAME == "Basic.Nack":
                confirmed.set_exception(NotConfirmed("the broker refused the message (basic.nack)"))
            else:
                confirmed.set_result(None)

    def _on_return(self, _raw: object, method: Any, given: Any, _body: bytes) -> None:
        """basic.return comes before the confirm of the same message."""
        confirmed = self._returnable.get(given.message_id or "")
        if confirmed is not None and not confirmed.done():
            where = f"exchange {method.exchange!r}, routing key {method.routing_key!r}"
            confirmed.set_exception(Unroutable(f"no queue takes the message: {where}"))

    def _on_cancel(self, frame: Any) -> None:
        on_cancelled = self._on_cancelled.pop(frame.method.consumer_tag, None)
        if on_cancelled is not None:
            on_cancelled()


def _settle(future: asyncio.Future[Any], reply: object) -> None:
    if not future.done():
        future.set_result(reply)


def _looked_at(future: asyncio.Future[Any]) -> None:
    """A publisher may not care for a confirm: then its failure is no warning of asyncio's."""
    if not future.cancelled():
        future.exception()


def _copy(fault: Exception) -> Exception:
    """Several tasks raise the same reason: each its own, so that tracebacks do not grow."""
    return type(fault)(*fault.args) if isinstance(fault, BrokerError) else fault
