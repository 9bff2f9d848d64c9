"""The publishing half of a channel: a whole message to its queues, and what the publisher learns.

Source: rabbitmq.com/docs/confirms, /docs/publishers ("Unroutable Message Handling"),
/docs/validated-user-id.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from pamqp.commands import Basic

from .content import Incoming
from .errors import CODES, Refused, exchange_label
from .message import Message, Properties, carbon_copies, parse_expiration
from .wire import short

if TYPE_CHECKING:
    from .channel import Channel

_RETURN = struct.pack(">IH", Basic.Return.index, CODES["NO_ROUTE"]) + short("NO_ROUTE")


class Publisher:
    """Publishes for one channel; once `confirming`, numbers what it publishes, from 1."""

    def __init__(self, channel: Channel) -> None:
        self.confirming = False
        self._channel = channel
        self._published = 0
        self._confirmed = 0

    def publish(self, incoming: Incoming) -> None:
        """Hand a message to all queues it reaches.  Raises 403, 404, 406; 540 for `immediate`."""
        if incoming.immediate:
            raise Refused("NOT_IMPLEMENTED", "immediate=true")
        channel = self._channel
        exchange = channel.vhost.exchange(incoming.exchange)
        if exchange.internal:
            raise Refused(
                "ACCESS_REFUSED", f"cannot publish to internal {exchange_label(exchange.name)}"
            )
        message = _message(incoming, channel.connection.user)
        self._published += self.confirming
        queues = channel.vhost.route(exchange, message)
        if not queues and incoming.mandatory:
            method = _RETURN + message.routing
            channel.send_content(method, message.properties, message.body)
        taken = [queue.publish(message) for queue in queues]
        if self.confirming:
            if all(taken):
                channel.connection.owe_confirms(self)
            else:
                self._refuse()

    def _refuse(self) -> None:
        """A full queue said no: a nack for this one, after the acks for all before it."""
        number = self._published
        self._published -= 1
        self.send_confirms()
        self._published = self._confirmed = number
        self._channel.send(Basic.Nack, number, False, False)

    def send_confirms(self) -> None:
        """Acknowledge all that was published since the last time, in one method."""
        if self._published > self._confirmed:
            several = self._published - self._confirmed > 1
            self._confirmed = self._published
            self._channel.send(Basic.Ack, self._published, several)


def _message(incoming: Incoming, user: str) -> Message:
    """The message as it travels on.

    Its headers are read even where nobody asks for them: what is malformed must be this publisher's
    fault, not that of whoever comes to read it.
    """
    raw = incoming.properties
    properties = Properties.scan(raw)
    if properties.user_id is not None and properties.user_id != user:
        raise Refused(
            "PRECONDITION_FAILED",
            f"user_id property set to '{properties.user_id}' but authenticated user was '{user}'",
        )
    expiration = parse_expiration(properties.read_expiration())
    keys: tuple[str, ...] = (incoming.key,)
    if properties.headers is not None:
        headers = properties.read_headers()
        keys += carbon_copies(headers)
        if headers.pop("BCC", None) is not None:
            raw = properties.with_headers(headers, keep_expiration=True)
    return Message(incoming.exchange, keys, raw, incoming.body, expiration)
