"""A TCP proxy before the broker that counts what AMQP passes: messages by kind, and all bytes.

Bytes are those of AMQP's frames: TCP, IP and TLS come on top.
"""

from __future__ import annotations

import socket
import time
from collections import Counter
from dataclasses import dataclass, field
from threading import Lock

from pamqp import commands, frame

from benchmarks.bare import HEAD, METHOD
from tests.support.proxy import Proxy

GREETING = 8  # bytes before a client's first frame
FRAME_HEARTBEAT = 8
ALL = "bytes"
"""The key of everything in `sizes`."""


@dataclass(slots=True)
class Stream:
    """One direction of one connection: the bytes so far that are no whole frame, and what a frame
    of content belongs to."""

    skip: int = 0
    rest: bytes = b""
    kind: str = "other"


@dataclass(slots=True)
class Counts:
    """`messages` and `sizes`, in bytes, by kind: `ping published`, `echo delivered`, `heartbeat`.

    `ack` is both a client's acknowledgement and the broker's confirm.
    """

    messages: Counter[str] = field(default_factory=Counter)
    sizes: Counter[str] = field(default_factory=Counter)

    def __sub__(self, earlier: Counts) -> Counts:
        return Counts(self.messages - earlier.messages, self.sizes - earlier.sizes)

    def copy(self) -> Counts:
        return Counts(self.messages.copy(), self.sizes.copy())

    def feed(self, stream: Stream, data: bytes) -> bool:
        """Count what these bytes complete; whether a ping to all was among it."""
        self.sizes[ALL] += len(data)
        skipped = min(stream.skip, len(data))
        stream.skip -= skipped
        data, at, pinged = stream.rest + data[skipped:], 0, False
        while len(data) - at >= HEAD.size:
            kind, _, size = HEAD.unpack_from(data, at)
            after = at + HEAD.size + size + 1
            if after > len(data):
                break
            if kind == METHOD:
                method = frame.unmarshal(data[at:after])[2]
                stream.kind = _kind(method)
                self.messages[stream.kind] += 1
                pinged |= isinstance(method, commands.Basic.Publish) and method.routing_key == "all"
            elif kind == FRAME_HEARTBEAT:
                stream.kind = "heartbeat"
                self.messages[stream.kind] += 1
            self.sizes[stream.kind] += after - at
            at = after
        stream.rest = data[at:]
        return pinged


def _kind(method: object) -> str:
    if isinstance(method, commands.Basic.Publish):
        return f"{_event(method.exchange, method.routing_key)} published"
    if isinstance(method, commands.Basic.Deliver):
        return f"{_event(method.exchange, method.routing_key)} delivered"
    if isinstance(method, commands.Basic.Ack):
        return "ack"
    return "other"


def _event(exchange: str | None, key: str | None) -> str:
    """ping, echo or status, by where it is published; a baton goes straight to its queue."""
    if exchange == "heartbeat":
        return "ping"
    return (key or "").partition(".")[0] if exchange == "events" else "baton"


class Tap(Proxy):
    """A proxy before the broker that counts what passes.

    `last_ping`: the moment at which a ping to all passed.
    """

    def __init__(self, port: int) -> None:
        self.last_ping = 0.0
        self._counts = Counts()
        self._counting = Lock()
        self._streams: dict[socket.socket, Stream] = {}
        super().__init__(port, passed=self._count)

    def __enter__(self) -> Tap:
        return self

    def counts(self) -> Counts:
        """A copy of this moment's."""
        with self._counting:
            return self._counts.copy()

    def _count(self, source: socket.socket, from_client: bool, data: bytes) -> None:
        if source not in self._streams:
            self._streams[source] = Stream(skip=GREETING) if from_client else Stream()
        with self._counting:
            if self._counts.feed(self._streams[source], data):
                self.last_ping = time.monotonic()
