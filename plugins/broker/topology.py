"""The methods that make, change and remove exchanges, queues and bindings.

Rules and refusals are the virtual host's; here names are completed and answers are sent.
Source: AMQP 0-9-1 specification, classes `exchange` and `queue`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pamqp import base
from pamqp.commands import Exchange, Queue

from .errors import Refused, queue_label
from .exchange import Destination
from .tables import Table
from .wire import arguments_of

if TYPE_CHECKING:
    from .channel import Channel

_LINE_ENDS = str.maketrans("", "", "\r\n")
"""RabbitMQ takes line ends out of the names of declared things."""


def declare_exchange(channel: Channel, method: Exchange.Declare) -> None:
    name = method.exchange.translate(_LINE_ENDS)
    if method.passive:
        channel.vhost.check_exchange(name)
    else:
        channel.vhost.declare_exchange(
            name,
            method.exchange_type,
            durable=method.durable,
            auto_delete=method.auto_delete,
            internal=method.internal,
            arguments=arguments_of(method),
        )
    channel.reply(Exchange.DeclareOk, nowait=method.nowait)


def delete_exchange(channel: Channel, method: Exchange.Delete) -> None:
    name = method.exchange.translate(_LINE_ENDS)
    channel.vhost.delete_exchange(name, if_unused=method.if_unused)
    channel.reply(Exchange.DeleteOk, nowait=method.nowait)


def bind_exchange(channel: Channel, method: Exchange.Bind) -> None:
    destination = ("exchange", method.destination)
    key, arguments = method.routing_key, arguments_of(method)
    channel.vhost.bind(method.source, destination, key, arguments, channel.connection)
    channel.reply(Exchange.BindOk, nowait=method.nowait)


def unbind_exchange(channel: Channel, method: Exchange.Unbind) -> None:
    destination = ("exchange", method.destination)
    key, arguments = method.routing_key, arguments_of(method)
    channel.vhost.unbind(method.source, destination, key, arguments, channel.connection)
    channel.reply(Exchange.UnbindOk, nowait=method.nowait)


def declare_queue(channel: Channel, method: Queue.Declare) -> None:
    name = method.queue.translate(_LINE_ENDS)
    user = channel.connection
    if method.passive:
        queue = channel.vhost.queue(name, user)
        queue.touch()
    else:
        queue = channel.vhost.declare_queue(
            name,
            owner=user,
            durable=method.durable,
            exclusive=method.exclusive,
            auto_delete=method.auto_delete,
            arguments=arguments_of(method),
        )
    channel.last_queue = queue.name
    counts = len(queue), queue.consumer_count
    channel.reply(Queue.DeclareOk, queue.name, *counts, nowait=method.nowait)


def delete_queue(channel: Channel, method: Queue.Delete) -> None:
    name = channel.queue_name(method.queue).translate(_LINE_ENDS)
    if name not in channel.vhost.queues:
        channel.reply(Queue.DeleteOk, 0, nowait=method.nowait)
        return
    queue = channel.vhost.queue(name, channel.connection)
    label = queue_label(name)
    for asked, word, refusal in (
        (method.if_unused, "if-unused", queue.consumer_count and "in use"),
        (method.if_empty, "if-empty", len(queue) and "not empty"),
    ):
        if asked and queue.options.type == "quorum":
            raise Refused(
                "NOT_IMPLEMENTED",
                f"cannot delete {label}. queue.delete operations with {word} flag set are not "
                "supported by quorum queues",
            )
        if asked and refusal:
            raise Refused("PRECONDITION_FAILED", f"{label} {refusal}")
    # The answer first: a consumer of this very channel learns afterwards that its queue is gone.
    channel.reply(Queue.DeleteOk, len(queue), nowait=method.nowait)
    channel.vhost.delete_queue(queue)


def purge_queue(channel: Channel, method: Queue.Purge) -> None:
    queue = channel.vhost.queue(channel.queue_name(method.queue), channel.connection)
    if queue.options.type == "stream":
        raise Refused(
            "NOT_IMPLEMENTED",
            f"queue.purge not supported by stream queues {queue_label(queue.name)}",
        )
    channel.reply(Queue.PurgeOk, queue.purge(), nowait=method.nowait)


def bind_queue(channel: Channel, method: Queue.Bind) -> None:
    channel.vhost.bind(*_ends(channel, method))
    channel.reply(Queue.BindOk, nowait=method.nowait)


def unbind_queue(channel: Channel, method: Queue.Unbind) -> None:
    channel.vhost.unbind(*_ends(channel, method))
    channel.send(Queue.UnbindOk)


def _ends(
    channel: Channel, method: Queue.Bind | Queue.Unbind
) -> tuple[str, Destination, str, Table, object]:
    """What a binding is made of; with neither queue nor key, both are the last queue."""
    name = channel.queue_name(method.queue)
    key = method.routing_key if method.queue or method.routing_key else name
    return method.exchange, ("queue", name), key, arguments_of(method), channel.connection


HANDLERS: dict[type[base.Frame], Callable[[Channel, Any], None]] = {
    Exchange.Declare: declare_exchange,
    Exchange.Delete: delete_exchange,
    Exchange.Bind: bind_exchange,
    Exchange.Unbind: unbind_exchange,
    Queue.Declare: declare_queue,
    Queue.Delete: delete_queue,
    Queue.Purge: purge_queue,
    Queue.Bind: bind_queue,
    Queue.Unbind: unbind_queue,
}
