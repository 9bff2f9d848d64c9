"""One AMQP channel as awaitables: declare, bind, consume, publish with confirms, acknowledge.

pika never calls back for a reply that a closed channel will not bring: here each wait ends with
the channel, raising the reason.  Opening connections is `connection.py`'s.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

from pika import BasicProperties, exceptions
from pika.adapters.asyncio_connection import AsyncioConnection
from pika.channel import Channel as RawChannel

from orquestador.broker import faults
from orquestador.broker.confirms import Confirms
from orquestador.broker.message import Declared, Delivery, Outgoing
from orquestador.broker.properties import delivery, properties
from orquestador.broker.verbatim import Parcel, parcel
from orquestador.errors import BrokerError, ConfigurationError, Conflict, EventError, Lost
from orquestador.events import fresh_word
from orquestador.topology.model import Binding, Exchange, Queue

OnDelivery = Callable[[Delivery], None]
OnParcel = Callable[[Parcel], None]
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
        self._confirms = Confirms()
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
        self._raw.add_on_return_callback(self._guard(self._confirms.on_return))
        self._raw.add_on_cancel_callback(self._guard(self._on_cancel))
        await opened

    async def select_confirms(self) -> None:
        await self._call(self._raw.confirm_delivery, self._guard(self._confirms.on_confirm))
        self._confirms.selected = True

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
        await self._call(self._raw.queue_bind, queue, **_ends(binding))

    async def bind_together(self, bindings: Iterable[tuple[str, Binding]]) -> None:
        """Bind queues, each by its name, without waiting for each: one round trip for all.

        A fault of one is raised, says which, and leaves those after it undone.
        """
        if self.lost.done():
            raise _copy(self.lost.result())
        try:
            for queue, binding in bindings:
                self._raw.queue_bind(queue, **_ends(binding))
        except CLOSING as fault:
            raise Lost(f"the channel is closing ({type(fault).__name__})") from None
        except Exception as fault:
            text = f"queue_bind cannot be written in AMQP: {faults.unwritable(fault)}"
            raise ConfigurationError(text) from None
        await self.prefetch(0)  # the channel answers it after the others, or has closed

    async def unbind(self, queue: str, binding: Binding) -> None:
        """No fault where there is no such binding, queue or exchange."""
        await self._call(self._raw.queue_unbind, queue, **_ends(binding))

    async def bind_exchange(self, exchange: str, binding: Binding) -> None:
        """`exchange` gets what `binding.exchange` routes under the binding's key."""
        await self._call(self._raw.exchange_bind, exchange, **_ends(binding, "source"))

    async def unbind_exchange(self, exchange: str, binding: Binding) -> None:
        """No fault where there is no such binding or exchange."""
        await self._call(self._raw.exchange_unbind, exchange, **_ends(binding, "source"))

    async def delete_queue(
        self, queue: str, *, if_empty: bool = False, if_unused: bool = False
    ) -> int:
        """How many messages went with it; 0, too, where there was none.

        A Conflict where a condition does not hold.  Quorum queues know no condition: RabbitMQ
        closes the connection over one (HungUp, 540).  Streams ignore `if_empty`.
        """
        with _conditions():
            reply = await self._call(
                self._raw.queue_delete, queue, if_empty=if_empty, if_unused=if_unused
            )
        return int(reply.message_count)

    async def delete_exchange(self, exchange: str, *, if_unused: bool = False) -> None:
        """No fault where there is none; a Conflict where it is to be unused and has bindings."""
        with _conditions():
            await self._call(self._raw.exchange_delete, exchange, if_unused=if_unused)

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

        gone = on_cancelled or self._lost_queue(queue)
        return await self._consume(queue, deliver, gone, auto_ack, dict(arguments or {}))

    async def consume_verbatim(self, queue: str, on_parcel: OnParcel) -> str:
        """As `consume`, on a connection that was opened `verbatim`; for `forward` and `ack`."""

        def deliver(_raw: object, method: Any, given: BasicProperties, body: bytes) -> None:
            on_parcel(parcel(method, given, body))

        return await self._consume(queue, deliver, self._lost_queue(queue), False, {})

    async def _consume(
        self,
        queue: str,
        deliver: Callable[[object, Any, BasicProperties, bytes], None],
        on_cancelled: OnCancelled,
        auto_ack: bool,
        arguments: dict[str, Any],
    ) -> str:
        tag = fresh_word()
        # Before the call: the broker's cancel may come together with its consume-ok.
        self._on_cancelled[tag] = on_cancelled
        try:
            await self._call(
                self._raw.basic_consume,
                queue,
                self._guard(deliver),
                auto_ack=auto_ack,
                consumer_tag=tag,
                arguments=arguments,
            )
        except BaseException:
            self._on_cancelled.pop(tag, None)
            raise
        return tag

    def _lost_queue(self, queue: str) -> OnCancelled:
        return lambda: self._close_with(Lost(f"queue {queue!r} was deleted"))

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
        confirmed = self._publish(
            message.exchange,
            message.routing_key,
            message.body,
            lambda: properties(message),
            message.mandatory,
        )
        if message.mandatory:
            self._confirms.returnable(confirmed, message.message_id)
        return confirmed

    def forward(self, exchange: str, message: Parcel) -> asyncio.Future[None]:
        """Publish it as it came, under its own routing key, mandatory; for a channel with confirms.

        The future is as that of `publish`.  A return does not tell which one it is of: all that
        are not confirmed yet fail with Unroutable then.
        """
        confirmed = self._publish(
            exchange, message.routing_key, message.body, lambda: message.properties, True
        )
        self._confirms.forwarded(confirmed)
        return confirmed

    def _publish(
        self,
        exchange: str,
        routing_key: str,
        body: bytes,
        given: Callable[[], BasicProperties],
        mandatory: bool,
    ) -> asyncio.Future[None]:
        confirmed = self._wait()
        confirmed.add_done_callback(_looked_at)
        if self.lost.done():
            confirmed.set_exception(_copy(self.lost.result()))
            return confirmed
        try:
            self._raw.basic_publish(exchange, routing_key, body, given(), mandatory=mandatory)
        except CLOSING as fault:
            confirmed.set_exception(Lost(f"the channel is closing ({type(fault).__name__})"))
            return confirmed
        except Exception as fault:
            text = f"the message cannot be written in AMQP: {faults.unwritable(fault)}"
            confirmed.set_exception(EventError(text))
            return confirmed
        self._confirms.sent(confirmed)
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
        self._confirms.forget()

    def _on_cancel(self, frame: Any) -> None:
        on_cancelled = self._on_cancelled.pop(frame.method.consumer_tag, None)
        if on_cancelled is not None:
            on_cancelled()


@contextmanager
def _conditions() -> Iterator[None]:
    """Over a delete, any 406 is of its conditions; under a long name the text does not say so."""
    try:
        yield
    except Lost as fault:
        if str(fault).startswith("PRECONDITION_FAILED"):
            raise Conflict(str(fault)) from None
        raise


def _ends(binding: Binding, source: str = "exchange") -> dict[str, Any]:
    return {
        source: binding.exchange,
        "routing_key": binding.key,
        "arguments": dict(binding.arguments),
    }


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
