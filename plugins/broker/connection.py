"""One client's connection: handshake, heartbeats, frames to channels, pressure both ways.

What a channel does with its frames is `channel`'s; what all connections share is the server's.
Source: AMQP 0-9-1 specification, sections 2.2.4 and 4.2; rabbitmq.com/docs/heartbeats,
/docs/connection-blocked, /docs/auth-notification.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from itertools import chain
from typing import TYPE_CHECKING

from pamqp import base, commands
from pamqp.commands import Connection as Method

from .channel import Channel
from .errors import CODES, Malformed, Refused
from .handshake import Handshake
from .publisher import Publisher
from .wire import (
    HEARTBEAT,
    HEARTBEAT_FRAME,
    METHOD,
    OVERHEAD,
    PROTOCOL,
    Frame,
    FrameReader,
    decode_method,
    described,
    encode_method,
)

if TYPE_CHECKING:
    from .server import Broker

_HIGH_WATER = 256 * 1024
"""Bytes written and not yet taken by the socket, above which a connection gets no deliveries."""

_HANDSHAKE_WITHIN = 10.0
_CLOSE_WITHIN = 2.0
"""Seconds that a client has to open its connection, and to answer our close."""


class Connection(asyncio.Protocol):
    """A connection from its first byte to its last.

    `congested` means that the client reads more slowly than it is written to: its consumers then
    take nothing.  `publishes` is whether it has sent a message yet.
    """

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.name = "?"
        self.user = ""
        self.frame_max = broker.limits.frame_max
        self.channels: dict[int, Channel] = {}
        self.confirms: set[Publisher] = set()
        self.congested = False
        self.publishes = False
        self.closing = False
        self._transport: asyncio.Transport
        self._reader = FrameReader(broker.limits.frame_max - OVERHEAD)
        self._frames: Iterator[Frame] = iter(())
        """What has arrived and is not done yet: more than nothing only for a slow reader."""
        self._greeting: bytes | None = b""
        self._handshake: Handshake | None = Handshake(broker.limits)
        self._capabilities: frozenset[str] = frozenset()
        self._channel_max = 0
        self._out: list[bytes] = []
        self._out_size = 0
        self._due = False
        self._paused = False
        self._not_reading: set[str] = set()
        self._heard = self._said = False
        self._silent = 0
        self._timer: asyncio.TimerHandle | None = None

    # The socket

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        host, port = transport.get_extra_info("peername")[:2]
        self.name = f"{host}:{port}"
        transport.set_write_buffer_limits(high=_HIGH_WATER, low=_HIGH_WATER // 4)
        self.broker.connections.add(self)
        self._after(_HANDSHAKE_WITHIN, self._too_slow)

    def _after(self, delay: float, act: Callable[[], None]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.broker.loop.call_later(delay, act)

    def _too_slow(self) -> None:
        self._drop("did not open its connection in time")

    def data_received(self, data: bytes) -> None:
        self._heard = True
        if self._greeting is not None:
            data = self._read_greeting(self._greeting + data)
        self._frames = chain(self._frames, self._reader.feed(data))
        self._work()

    def _work(self) -> None:
        """Do what the frames ask, until the client is too slow to take the answers."""
        try:
            while not self._paused and (frame := next(self._frames, None)) is not None:
                self._receive(*frame)
                if self._out_size > _HIGH_WATER:
                    self.flush()
        except Malformed as fault:
            self._refuse_frame(str(fault))
        except Exception as fault:
            self.broker.log(f"{self.name}: a fault of the broker's own: {fault!r}")
            self.fail(Refused("INTERNAL_ERROR", "internal error"))
        if self.publishes and self.broker.alarm:
            self.block(self.broker.alarm)
        self.broker.settle()

    def _read_greeting(self, data: bytes) -> bytes:
        """The eight bytes every AMQP client says first; what follows them, once they are here."""
        if len(data) < len(PROTOCOL) and PROTOCOL.startswith(data):
            self._greeting = data
            return b""
        self._greeting = None
        if data[: len(PROTOCOL)] != PROTOCOL:
            self._transport.write(PROTOCOL)
            self._drop(f"is no AMQP 0-9-1 client: it says {data[:8]!r}")
            return b""
        assert self._handshake is not None
        self.send(self._handshake.start())
        return data[len(PROTOCOL) :]

    def _refuse_frame(self, text: str) -> None:
        """Step is lost: say so, then hear nothing more."""
        self.fail(Refused("FRAME_ERROR", text))
        self._frames = iter(())
        self.stop_reading("lost step")

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, _: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self.broker.connections.discard(self)
        if self._handshake is not None and not self.closing and self._heard:
            self.broker.log(f"{self.name}: went away during the handshake")
        self._release()
        self.broker.settle()

    def _drop(self, why: str) -> None:
        """End it without a word to the client, and with one line to the person."""
        self.broker.log(f"{self.name}: {why}")
        self._release()
        self.broker.settle()
        self._transport.close()
        self._abort_soon()

    def cut(self) -> None:
        """End it as a broken cable does: nothing that waits is written."""
        self._release()
        self._transport.abort()

    def _release(self) -> None:
        """Everything it held goes back; exclusive queues last, after their consumers."""
        self.closing = self.congested = True
        self.confirms.clear()
        channels, self.channels = list(self.channels.values()), {}
        for channel in channels:
            if not channel.closing:
                channel.release()
        self.broker.vhost.delete_owned(self)

    # Frames in

    def _receive(self, kind: int, number: int, payload: bytes) -> None:
        if self._transport.is_closing():
            return
        try:
            if self.closing:
                self._receive_closing(kind, number, payload)
            elif self._handshake is not None:
                self._shake_hands(self._handshake, kind, number, payload)
            elif number:
                self._receive_for_channel(number, kind, payload)
            elif kind == METHOD:
                self._receive_method(payload)
            elif kind != HEARTBEAT:
                raise Refused("UNEXPECTED_FRAME", described(kind, payload))
        except Refused as refused:
            self.fail(refused, refused.index)

    def _receive_closing(self, kind: int, number: int, payload: bytes) -> None:
        if kind != METHOD or number or len(payload) < 4:
            return
        method = int.from_bytes(payload[:4], "big")
        if method == Method.CloseOk.index:
            self._transport.close()
        elif method == Method.Close.index:
            self.send(encode_method(0, Method.CloseOk))

    def _receive_for_channel(self, number: int, kind: int, payload: bytes) -> None:
        channel = self.channels.get(number)
        if channel is not None:
            channel.receive(kind, payload)
            return
        if kind != METHOD or payload[:4] != commands.Channel.Open.index.to_bytes(4, "big"):
            index = int.from_bytes(payload[:4], "big") if kind == METHOD else 0
            raise Refused("CHANNEL_ERROR", "expected 'channel.open'", index=index)
        if self._channel_max and len(self.channels) >= self._channel_max:
            raise Refused(
                "NOT_ALLOWED",
                f"number of channels opened ({len(self.channels)}) has reached the negotiated "
                f"channel_max ({self._channel_max})",
            )
        self.channels[number] = Channel(number, self)
        self.send(encode_method(number, commands.Channel.OpenOk, b""))

    def _receive_method(self, payload: bytes) -> None:
        method = _decode(payload)
        if isinstance(method, Method.Close):
            self.flush()
            self._release()
            self.send(encode_method(0, Method.CloseOk))
            self.flush()
            self._transport.close()
        elif isinstance(method, Method.UpdateSecret):
            self.send(encode_method(0, Method.UpdateSecretOk))
        else:
            raise Refused("CHANNEL_ERROR", "unexpected method in connection state running")

    def _shake_hands(self, handshake: Handshake, kind: int, number: int, payload: bytes) -> None:
        if kind == HEARTBEAT:
            return
        try:
            if kind != METHOD or number:
                raise Refused("UNEXPECTED_FRAME", described(kind, payload))
            answer = handshake.receive(_decode(payload))
        except Refused as refused:
            self._capabilities = handshake.capabilities
            self._refuse_handshake(refused, handshake)
            return
        self.user, self._capabilities = handshake.user, handshake.capabilities
        if not handshake.done:
            self.send(answer)
            return
        self._handshake = None
        self.name = f"{self.name} {handshake.client}".rstrip()
        self.frame_max = handshake.frame_max
        self._channel_max = handshake.channel_max
        self._reader.limit = handshake.frame_max and handshake.frame_max - OVERHEAD
        self.send(answer)
        if self._timer is not None:
            self._timer.cancel()
        if handshake.heartbeat:
            self._interval = handshake.heartbeat / 2
            self._after(self._interval, self._beat)

    def _refuse_handshake(self, refused: Refused, handshake: Handshake) -> None:
        """Who is not known yet is told why only if that is a login and it can understand it."""
        told = refused.code == CODES["ACCESS_REFUSED"] and self.can("authentication_failure_close")
        if told or handshake.knows_the_client:
            self.fail(refused)
        else:
            self._drop(str(refused))

    # Heartbeats

    def _beat(self) -> None:
        """Twice in each interval: say something if nothing was said, and count the silence."""
        self._silent = 0 if self._heard or self._not_reading else self._silent + 1
        if self._silent > 3:
            self._drop("sent nothing for two heartbeats")
            return
        if not self._said:
            self._transport.write(HEARTBEAT_FRAME)
        self._heard = self._said = False
        self._after(self._interval, self._beat)

    # Frames out

    def can(self, capability: str) -> bool:
        """Whether the client said at the start that it knows this extension."""
        return capability in self._capabilities

    def send(self, data: bytes) -> None:
        """Write with all else that this turn of the loop brings."""
        if not self._due:
            self._due = True
            self.broker.written.append(self)
        self._out.append(data)
        self._out_size += len(data)
        if self._out_size > _HIGH_WATER:
            self.congested = True

    def owe_confirms(self, publisher: Publisher) -> None:
        """It has messages to confirm, which it does once a turn."""
        self.confirms.add(publisher)
        if not self._due:
            self._due = True
            self.broker.written.append(self)

    def deliver(self, queue: str, frames: bytes) -> None:
        """Write a delivery, unless a fault that someone injected has other plans for it."""
        if self.broker.gate is None:
            self.send(frames)
        else:
            self.broker.gate(self, queue, frames)

    def flush(self) -> None:
        for publisher in self.confirms:
            publisher.send_confirms()
        self.confirms.clear()
        self._due = False
        if not self._out:
            return
        data = b"".join(self._out) if len(self._out) > 1 else self._out[0]
        self._out.clear()
        self._out_size = 0
        self._said = True
        self._transport.write(data)
        if self.congested and not self._paused and not self.closing:
            # Not at once: other connections have their turn between two full buffers.
            self.broker.loop.call_soon(self._relieve)

    def _relieve(self) -> None:
        if self._paused or self.closing or self._out_size > _HIGH_WATER:
            return
        self.congested = False
        for channel in list(self.channels.values()):
            channel.resume()
        self.broker.settle()

    def pause_writing(self) -> None:
        """The client reads too slowly: no deliveries, and nothing more of what it asks."""
        self._paused = self.congested = True
        self.stop_reading("slow reader")

    def resume_writing(self) -> None:
        self._paused = False
        self.read_again("slow reader")
        self._work()
        self._relieve()

    # Not reading

    def stop_reading(self, reason: str) -> None:
        if not self._not_reading and not self._transport.is_closing():
            self._transport.pause_reading()
        self._not_reading.add(reason)

    def read_again(self, reason: str) -> None:
        if reason not in self._not_reading:
            return
        self._not_reading.discard(reason)
        if not self._not_reading and not self._transport.is_closing():
            self._heard = True
            self._transport.resume_reading()

    def block(self, reason: str) -> None:
        """Take no more messages from this client; it is told why if it listens."""
        if "alarm" in self._not_reading or self.closing or self._handshake is not None:
            return
        if self.can("connection.blocked"):
            self.send(encode_method(0, Method.Blocked, reason))
        self.stop_reading("alarm")

    def unblock(self) -> None:
        if "alarm" not in self._not_reading:
            return
        if self.can("connection.blocked") and not self.closing:
            self.send(encode_method(0, Method.Unblocked))
        self.read_again("alarm")

    # The end

    def forget_channel(self, channel: Channel) -> None:
        self.channels.pop(channel.number, None)

    def fail(self, refused: Refused, index: int = 0) -> None:
        """Close it for a reason, wait a moment for the client to agree, then end it anyway."""
        if self.closing:
            return
        self.broker.log(f"{self.name}: {refused}")
        for publisher in self.confirms:
            publisher.send_confirms()
        ids = index >> 16, index & 0xFFFF
        self.send(encode_method(0, Method.Close, refused.code, refused.reply_text, *ids))
        self._release()
        self._abort_soon()

    def _abort_soon(self) -> None:
        """A client that does not read keeps a socket open for ever unless it is torn away."""
        self._after(_CLOSE_WITHIN, self._transport.abort)


def _decode(payload: bytes) -> base.Frame:
    try:
        return decode_method(payload)
    except KeyError:
        raise Refused("COMMAND_INVALID", "unimplemented method") from None
