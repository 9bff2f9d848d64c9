"""AMQP over bare sockets, for whoever must be light beside what is measured: connect, call, read.

pamqp encodes what is sent once; deliveries, which come by the thousand, are cut out by hand.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from struct import Struct
from typing import Any
from urllib.parse import unquote, urlsplit

from pamqp import commands, frame
from pamqp.base import Frame

HEAD = Struct(">BHI")
CLASS_METHOD = Struct(">HH")
TAG_FLAG = Struct(">QB")
METHOD, HEADER, BODY = 1, 2, 3
DELIVER, ACK = (60, 60), (60, 80)
CHANNEL = 1
READ = 1 << 18
WITHIN = 30.0  # seconds for any answer of the broker

Delivered = tuple[bytes, int, bool, bytes]
"""Consumer tag, delivery tag, redelivered, body."""

_ack = Struct(">BHIHHQBB").pack


class Bare:
    """One connection with one channel.  `channel` is open; AMQP heartbeats are off."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        address = parts.hostname or "localhost", parts.port or 5672
        user, password = unquote(parts.username or "guest"), unquote(parts.password or "guest")
        self.socket = socket.create_connection(address, WITHIN)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._rest = b""
        self._pending: tuple[bytes, int, bool] | None = None
        self.socket.sendall(b"AMQP\x00\x00\x09\x01")
        self._answer("Connection.Start")
        self._send(commands.Connection.StartOk({}, "PLAIN", f"\0{user}\0{password}", "en_US"), 0)
        self._answer("Connection.Tune")
        self._send(commands.Connection.TuneOk(2047, 131_072, 0), 0)
        self._send(commands.Connection.Open(unquote(parts.path[1:]) or "/"), 0)
        self._answer("Connection.OpenOk")
        self.call(commands.Channel.Open())

    def call(self, method: Frame) -> Any:
        """A synchronous method, before anything is consumed: its answer."""
        self._send(method, CHANNEL)
        return self._answer()

    def send(self, *methods: Frame) -> None:
        """Methods that nobody answers, in one write."""
        self.socket.sendall(b"".join(frame.marshal(method, CHANNEL) for method in methods))

    def _send(self, method: Frame, channel: int) -> None:
        self.socket.sendall(frame.marshal(method, channel))

    def _answer(self, name: str | None = None) -> Any:
        head = self._exactly(HEAD.size)
        size = HEAD.unpack(head)[2]
        method = frame.unmarshal(head + self._exactly(size + 1))[2]
        if isinstance(method, commands.Connection.Close | commands.Channel.Close):
            raise ConnectionError(method.reply_text)
        if name is not None and method.name != name:
            raise ConnectionError(f"{method.name} came, not {name}")
        return method

    def _exactly(self, size: int) -> bytes:
        got = b""
        while len(got) < size:
            part = self.socket.recv(size - len(got))
            if not part:
                raise ConnectionError("the broker closed the connection")
            got += part
        return got

    def deliveries(self) -> Iterator[Delivered]:
        """Read once, waiting for it if need be; what has arrived whole, and answers left out.

        Raises ConnectionError if the broker has closed channel or connection.
        """
        read = self.socket.recv(READ)
        if not read:
            raise ConnectionError("the broker closed the connection")
        data, at = self._rest + read, 0
        end = len(data)
        while end - at >= HEAD.size:
            kind, _, size = HEAD.unpack_from(data, at)
            start, after = at + HEAD.size, at + HEAD.size + size + 1
            if after > end:
                break
            if kind == METHOD:
                self._on_method(data, start, at, after)
            elif kind == BODY and self._pending is not None:
                yield (*self._pending, data[start : after - 1])
                self._pending = None
            at = after
        self._rest = data[at:]

    def _on_method(self, data: bytes, start: int, at: int, after: int) -> None:
        which = CLASS_METHOD.unpack_from(data, start)
        if which == DELIVER:
            length = data[start + 4]
            tag_end = start + 5 + length
            tag, redelivered = TAG_FLAG.unpack_from(data, tag_end)
            self._pending = data[start + 5 : tag_end], tag, bool(redelivered)
            return
        method = frame.unmarshal(data[at:after])[2]
        if isinstance(method, commands.Connection.Close | commands.Channel.Close):
            raise ConnectionError(method.reply_text)

    def close(self) -> None:
        """At once and without a word, as a process that is killed."""
        self.socket.close()


def ack(tag: int) -> bytes:
    """The frame that acknowledges one delivery."""
    return _ack(METHOD, CHANNEL, 13, *ACK, tag, 0, 0xCE)
