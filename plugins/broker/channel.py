"""A channel: its frames to those who act on them, its consumers, and how it ends.

Messages are put together by `content` and published by `publisher`; the methods of the classes
`exchange` and `queue` are in `topology`; frames and heartbeats are the connection's.  All is done
before the next frame is read.
Source: AMQP 0-9-1 specification, section 2.1.2; rabbitmq.com/docs/confirms, /docs/channels.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from secrets import token_urlsafe
from typing import TYPE_CHECKING, Any

from pamqp import base, commands
from pamqp.commands import Basic

from . import topology
from .arguments import check_consumer
from .content import Incoming, unexpected
from .delivery import ChannelConsumer, get_ok, properties_of
from .errors import Refused, queue_label
from .ledger import Ledger, Unacked, groups
from .message import check_size
from .publisher import Publisher
from .queue import Entry, Queue
from .wire import (
    HEADER,
    HEARTBEAT,
    METHOD,
    arguments_of,
    decode_method,
    described,
    encode_content,
    encode_method,
)

if TYPE_CHECKING:
    from .connection import Connection

_INDEX = struct.Struct(">I")
_ACK = struct.Struct(">QB")
_PUBLISH, _ACK_INDEX = (_INDEX.pack(m.index) for m in (Basic.Publish, Basic.Ack))


class Channel:
    """One channel of a connection, open from its channel.open on.

    `prefetch` is what new consumers get, `prefetch_total` the limit for all of them together;
    0 is no limit.
    """

    def __init__(self, number: int, connection: Connection) -> None:
        self.number = number
        self.connection = connection
        self.vhost = connection.broker.vhost
        self.last_queue = ""
        """The queue that this channel declared last: what an empty queue name means."""
        self.prefetch = 0
        self.prefetch_total = 0
        self.consumers: dict[str, ChannelConsumer] = {}
        self.ledger = Ledger()
        self.closing = False
        self._publisher = Publisher(self)
        self._incoming: Incoming | None = None

    # Frames in

    def receive(self, kind: int, payload: bytes) -> None:
        """One frame for this channel.  Raises Refused where the connection must end for it."""
        if self.closing:
            self._receive_closing(kind, payload)
        elif kind == METHOD:
            self._receive_method(payload)
        elif kind == HEARTBEAT:
            raise Refused("UNEXPECTED_FRAME", described(kind, payload))
        else:
            self._receive_content(kind, payload)

    def _receive_closing(self, kind: int, payload: bytes) -> None:
        """After our channel.close all is thrown away, but for the close that ends it."""
        if kind != METHOD:
            return
        if payload[:4] == _INDEX.pack(commands.Channel.CloseOk.index):
            self.connection.forget_channel(self)
        elif payload[:4] == _INDEX.pack(commands.Channel.Close.index):
            self.reply(commands.Channel.CloseOk)

    def _receive_method(self, payload: bytes) -> None:
        if self._incoming is not None:
            raise unexpected(self._incoming)
        if payload[:4] == _PUBLISH:
            self._incoming = Incoming(payload)
            return
        if payload[:4] == _ACK_INDEX and len(payload) == 13:
            tag, multiple = _ACK.unpack_from(payload, 4)
            self._attempt(Basic.Ack, lambda: self._ack(tag, bool(multiple)))
            return
        try:
            method = decode_method(payload)
        except KeyError:
            raise Refused("COMMAND_INVALID", "unimplemented method") from None
        handler = HANDLERS.get(type(method))
        if handler is None:
            raise Refused("NOT_IMPLEMENTED", f"{method.name} is not supported by this broker")
        self._attempt(type(method), lambda: handler(self, method))

    def _attempt(self, method: type[base.Frame], act: Callable[[], None]) -> None:
        try:
            act()
        except Refused as refused:
            if refused.closes_connection:
                self.connection.fail(refused, method.index)
            else:
                self._fail(refused, method.index)

    def _receive_content(self, kind: int, payload: bytes) -> None:
        incoming = self._incoming
        if incoming is None:
            raise unexpected(None)
        whole = incoming.add_header(payload) if kind == HEADER else incoming.add_body(payload)
        if kind == HEADER:
            largest = self.connection.broker.limits.message_max
            self._attempt(Basic.Publish, lambda: check_size(incoming.size or 0, largest))
        if whole and not self.closing:
            self._complete(incoming)

    def _complete(self, incoming: Incoming) -> None:
        self._incoming = None
        self.connection.publishes = True
        self._attempt(Basic.Publish, lambda: self._publisher.publish(incoming))

    # Frames out

    def send(self, method: type[base.Frame], *values: Any) -> None:
        self.connection.send(encode_method(self.number, method, *values))

    def reply(self, method: type[base.Frame], *values: Any, nowait: bool = False) -> None:
        if not nowait:
            self.send(method, *values)

    def send_content(self, method: bytes, properties: bytes, body: bytes) -> None:
        largest = self.connection.frame_max
        self.connection.send(encode_content(self.number, method, properties, body, largest))

    def deliver(self, consumer: ChannelConsumer, queue: Queue, entry: Entry) -> None:
        if consumer.no_ack:
            queue.ack(entry)
            tag = self.ledger.tag()
        else:
            tag = self.ledger.hold(queue, entry, consumer)
        frames = encode_content(
            self.number,
            consumer.method(tag, entry),
            properties_of(queue, entry),
            entry.message.body,
            self.connection.frame_max,
        )
        self.connection.deliver(queue.name, frames)

    def consumer_lost(self, consumer: ChannelConsumer) -> None:
        """Its queue is gone; the client is told if it said that it listens."""
        if self.consumers.pop(consumer.tag, None) and self.connection.can("consumer_cancel_notify"):
            self.send(Basic.Cancel, consumer.tag, True)

    # Consuming

    def get(self, method: Basic.Get) -> None:
        queue = self.vhost.queue(self.queue_name(method.queue), self.connection)
        _check_gettable(queue)
        entry = queue.get()
        if entry is None:
            self.send(Basic.GetEmpty, "")
            return
        if method.no_ack:
            queue.ack(entry)
            tag = self.ledger.tag()
        else:
            tag = self.ledger.hold(queue, entry, None)
        properties = properties_of(queue, entry, got=True)
        self.send_content(get_ok(tag, entry, len(queue)), properties, entry.message.body)

    def consume(self, method: Basic.Consume) -> None:
        name = self.queue_name(method.queue)
        if method.consumer_tag in self.consumers:
            raise Refused("NOT_ALLOWED", f"attempt to reuse consumer tag '{method.consumer_tag}'")
        queue = self.vhost.queue(name, self.connection)
        arguments = arguments_of(method)
        check_consumer(name, queue.options.type, arguments)
        taken = queue.round.all if method.exclusive else queue.round.exclusive
        if taken or (method.exclusive and queue.options.single_active):
            raise Refused("ACCESS_REFUSED", f"{queue_label(name)} in exclusive use")
        priority = arguments.get("x-priority")
        consumer = ChannelConsumer(
            self,
            queue,
            method.consumer_tag or f"amq.ctag-{token_urlsafe(16)}",
            no_ack=method.no_ack,
            exclusive=method.exclusive,
            priority=priority.value if priority else 0,
        )
        self.consumers[consumer.tag] = consumer
        self.reply(Basic.ConsumeOk, consumer.tag, nowait=method.nowait)
        queue.add_consumer(consumer)
        queue.pump()

    def cancel(self, method: Basic.Cancel) -> None:
        consumer = self.consumers.pop(method.consumer_tag or "", None)
        self.reply(Basic.CancelOk, method.consumer_tag, nowait=method.nowait)
        if consumer is not None:
            consumer.queue.remove_consumers([consumer])
            # RabbitMQ hands on to the next single active consumer at the next event, not at once.
            self.vhost.drop_if_unused(consumer.queue)

    def qos(self, method: Basic.Qos) -> None:
        if method.prefetch_size:
            raise Refused("NOT_IMPLEMENTED", f"prefetch_size!=0 ({method.prefetch_size})")
        if method.global_:
            self.prefetch_total = method.prefetch_count
        else:
            self.prefetch, self.prefetch_total = method.prefetch_count, 0
        self.send(Basic.QosOk)
        self.resume()

    def resume(self) -> None:
        """The connection drained, or a limit rose: consumers that waited may take again."""
        for consumer in list(self.consumers.values()):
            if consumer.waiting and consumer.queue.rejoin(consumer):
                consumer.queue.pump()

    # Acknowledgements

    def _ack(self, tag: int, multiple: bool) -> None:
        self._finish(self.ledger.settle(tag, multiple=multiple), Queue.ack_all)

    def _reject(self, tag: int, multiple: bool, requeue: bool) -> None:
        how = Queue.requeue if requeue else Queue.discard
        self._finish(self.ledger.settle(tag, multiple=multiple), how)

    def _recover(self, requeue: bool) -> None:
        if not requeue:
            raise Refused("NOT_IMPLEMENTED", "requeue=false")
        self._finish(self.ledger.settle_all(), Queue.requeue)

    def _finish(self, settled: list[Unacked], how: Callable[[Queue, list[Entry]], None]) -> None:
        """Settle group by group, as RabbitMQ does: what one frees is handed on before the next."""
        for group in groups(settled):
            queue = group[0].queue
            # Who held a message may take again before it goes back: a consumer of high priority
            # gets its own message once more rather than one of low priority.
            awake = self._rejoin(group)
            how(queue, [unacked.entry for unacked in group])
            for pumped in awake:
                pumped.pump()

    def _rejoin(self, settled: list[Unacked]) -> list[Queue]:
        """Consumers that can take again join their rounds; the queues whose rounds grew."""
        if self.prefetch_total:
            freed = list(self.consumers.values())
        else:
            freed = [one.consumer for one in settled[:1] if one.consumer is not None]
        return [one.queue for one in freed if one.waiting and one.queue.rejoin(one)]

    # Names

    def queue_name(self, name: str) -> str:
        """A queue name as a method has it; an empty one is the last declared on this channel."""
        if not name and not self.last_queue:
            raise Refused("NOT_FOUND", "no previously declared queue")
        return name or self.last_queue

    # The end

    def select_confirms(self, method: commands.Confirm.Select) -> None:
        self._publisher.confirming = True
        self.reply(commands.Confirm.SelectOk, nowait=method.nowait)

    def flow(self, method: commands.Channel.Flow) -> None:
        if not method.active:
            raise Refused("NOT_IMPLEMENTED", "active=false")
        self.send(commands.Channel.FlowOk, True)

    def close(self, _: commands.Channel.Close) -> None:
        self.release()
        self._publisher.send_confirms()
        self.connection.forget_channel(self)
        self.reply(commands.Channel.CloseOk)

    def _fail(self, refused: Refused, index: int) -> None:
        """End this channel, and only this one; what it held goes back at once.

        No word in the log: to be refused is how a client asks what a queue is like.
        """
        self._publisher.send_confirms()
        self.send(
            commands.Channel.Close, refused.code, refused.reply_text, index >> 16, index & 0xFFFF
        )
        self.closing = True
        self._incoming = None
        self.release()

    def release(self) -> None:
        """Consumers out first, then messages back, then on to whoever is left."""
        consumers, self.consumers = list(self.consumers.values()), {}
        entries: dict[Queue, list[Entry]] = {consumer.queue: [] for consumer in consumers}
        for unacked in self.ledger.settle_all():
            entries.setdefault(unacked.queue, []).append(unacked.entry)
        for queue, back in entries.items():
            mine = [consumer for consumer in consumers if consumer.queue is queue]
            queue.remove_consumers(mine)
            if not mine or not self.vhost.drop_if_unused(queue):
                queue.requeue(back)
                queue.pump()
            else:
                queue.ack_all(back)


def _check_gettable(queue: Queue) -> None:
    if queue.options.type == "stream":
        raise Refused(
            "NOT_IMPLEMENTED", f"basic.get not supported by stream queues {queue_label(queue.name)}"
        )
    if queue.options.type == "quorum" and queue.options.single_active:
        raise Refused(
            "RESOURCE_LOCKED",
            f"cannot obtain access to locked {queue_label(queue.name)}. basic.get operations are "
            "not supported by quorum queues with single active consumer",
        )


def _second_open(channel: Channel, _: commands.Channel.Open) -> None:
    raise Refused("CHANNEL_ERROR", "second 'channel.open' seen")


def _recover_and_say(channel: Channel, method: Basic.Recover) -> None:
    channel._recover(method.requeue)
    channel.send(Basic.RecoverOk)


HANDLERS: dict[type[base.Frame], Callable[[Channel, Any], None]] = {
    commands.Channel.Open: _second_open,
    commands.Channel.Close: Channel.close,
    commands.Channel.Flow: Channel.flow,
    commands.Confirm.Select: Channel.select_confirms,
    Basic.Get: Channel.get,
    Basic.Consume: Channel.consume,
    Basic.Cancel: Channel.cancel,
    Basic.Qos: Channel.qos,
    Basic.Ack: lambda channel, m: channel._ack(m.delivery_tag, m.multiple),
    Basic.Nack: lambda channel, m: channel._reject(m.delivery_tag, m.multiple, m.requeue),
    Basic.Reject: lambda channel, m: channel._reject(m.delivery_tag, False, m.requeue),
    Basic.RecoverAsync: lambda channel, m: channel._recover(m.requeue),
    Basic.Recover: _recover_and_say,
    **topology.HANDLERS,
}
