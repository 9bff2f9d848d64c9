"""A TCP proxy before the broker that counts what AMQP passes: messages by kind, and all bytes.

Bytes are those of AMQP's frames: TCP, IP and TLS come on top.
"""

from __future__ import annotations

import selectors
import socket
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Lock, Thread

from pamqp import commands, frame

from benchmarks.bare import HEAD, METHOD

GREETING = 8  # bytes before a client's first frame
READ = 1 << 16
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


class Tap:
    """Listens on a free loopback port and passes bytes on to `port`.  A context manager.

    `last_ping`: the moment at which a ping to all passed; `connections`: how many were made.
    """

    def __init__(self, port: int) -> None:
        self._target = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.last_ping = 0.0
        self.connections = 0
        self._counts = Counts()
        self._lock = Lock()
        self._peers: dict[socket.socket, tuple[socket.socket, Stream]] = {}
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._wake, self._woken = socket.socketpair()
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._thread = Thread(target=self._serve, daemon=True)
        self._thread.start()

    def __enter__(self) -> Tap:
        return self

    def __exit__(self, *_: object) -> None:
        self._wake.send(b"x")
        self._thread.join(5)
        for each in (*self._peers, self._listener, self._wake, self._woken):
            each.close()
        self._selector.close()

    def counts(self) -> Counts:
        """A copy of this moment's."""
        with self._lock:
            return self._counts.copy()

    def _serve(self) -> None:
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._woken:
                    return
                if key.fileobj is self._listener:
                    self._accept()
                elif isinstance(key.fileobj, socket.socket) and key.fileobj in self._peers:
                    self._pass_on(key.fileobj)

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        try:
            broker = socket.create_connection(self._target, 5)
        except OSError:
            client.close()
            return
        self.connections += 1
        self._peers[client] = broker, Stream(skip=GREETING)
        self._peers[broker] = client, Stream()
        for each in (client, broker):
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._selector.register(each, selectors.EVENT_READ)

    def _pass_on(self, source: socket.socket) -> None:
        peer, stream = self._peers[source]
        data = b""
        with suppress(OSError):
            data = source.recv(READ)
            peer.sendall(data)
        if not data:
            for each in (source, peer):
                self._selector.unregister(each)
                del self._peers[each]
                each.close()
            return
        with self._lock:
            if self._counts.feed(stream, data):
                self.last_ping = time.monotonic()
