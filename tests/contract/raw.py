"""A client of single frames, for what no client library would send.  Notes what comes back."""

from __future__ import annotations

import socket
import struct
import time
from typing import Any

from pamqp import base, body, commands, frame, header

from .player import WITHIN, Player

GREETING = b"AMQP\x00\x00\x09\x01"
_CAPABILITIES = {
    "authentication_failure_close": True,
    "consumer_cancel_notify": True,
    "basic.nack": True,
    "publisher_confirms": True,
    "connection.blocked": True,
}


class RawClient:
    """One socket.  With `opened` the handshake is done, as the player's own user in its vhost."""

    def __init__(self, player: Player, *, opened: bool = True, heartbeat: int = 0) -> None:
        self._player = player
        parameters = player.parameters({})
        address = parameters.host, parameters.port
        self._socket = socket.create_connection(address, WITHIN)
        if parameters.ssl_options is not None:
            context = parameters.ssl_options.context
            self._socket = context.wrap_socket(self._socket, server_hostname=parameters.host)
        self._credentials: Any = parameters.credentials
        self._data = b""
        if opened:
            self.send_bytes(GREETING)
            self._await(commands.Connection.Start)
            self.log_in()
            tune = self._await(commands.Connection.Tune)
            self.send(commands.Connection.TuneOk(tune.channel_max, tune.frame_max, heartbeat))
            self.send(commands.Connection.Open(parameters.virtual_host))
            self._await(commands.Connection.OpenOk)

    def send_bytes(self, data: bytes) -> None:
        self._socket.sendall(data)

    def send(self, method: base.Frame, channel: int = 0) -> None:
        self.send_bytes(frame.marshal(method, channel))

    def log_in(self) -> None:
        self.send(start_ok(self._credentials.username, self._credentials.password))

    def open_channel(self, number: int = 1) -> None:
        self.send(commands.Channel.Open(), number)
        self._await(commands.Channel.OpenOk)

    def call(self, method: base.Frame, channel: int = 1) -> None:
        """Send a method and write down the next one that comes."""
        self.send(method, channel)
        self._player.note(f"call {method.name}", self._show(self._next()))

    def call_for_content(self, method: base.Frame, channel: int = 1) -> None:
        """Send a method and write down the method, the header and the body that come, as bytes."""
        self.send(method, channel)
        while self._data.count(b"\xce") < 3 and (chunk := self._receive()):
            self._data += chunk
        self._player.note(f"call {method.name}", self._player.plain(self._data[7:]))
        self._data = b""

    def publish(
        self,
        method: commands.Basic.Publish,
        content: bytes,
        channel: int = 1,
        properties: commands.Basic.Properties | None = None,
    ) -> None:
        self.send(method, channel)
        head = header.ContentHeader(body_size=len(content), properties=properties)
        self.send_bytes(frame.marshal(head, channel))
        if content:
            self.send_bytes(frame.marshal(body.ContentBody(content), channel))

    def confirms(self, upto: int) -> None:
        """Read until a message is confirmed; write down all methods on the way."""
        seen = []
        while (method := self._next()) is not None:
            seen.append(self._show(method))
            tag = getattr(method, "delivery_tag", None)
            if tag is not None and tag >= upto:
                break
        self._player.note(f"confirms {upto}", seen)

    def next(self) -> None:
        """Write down the next method, or the end."""
        self._player.note("next", self._show(self._next()))

    def until_closed(self) -> None:
        """Write down what comes until the broker closes."""
        seen = []
        while (method := self._next()) is not None:
            seen.append(self._show(method))
        self._player.note("until closed", seen)
        self.close()

    def hears(self, expected: bytes) -> bool:
        """Whether these bytes come, before any others."""
        while len(self._data) < len(expected) and (chunk := self._receive()):
            self._data += chunk
        return self._data.startswith(expected)

    def read_bytes(self) -> None:
        """Write down the bytes that come until the broker closes."""
        seen = b""
        while chunk := self._receive():
            seen += chunk
        self._player.note("bytes", seen)

    def close(self) -> None:
        self._socket.close()

    def reset(self) -> None:
        """Close with a reset, as a killed process with unread data does."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()

    def _await(self, expected: type[base.Frame]) -> Any:
        method = self._next()
        assert isinstance(method, expected), f"{expected.name} expected, {method!r} came"
        return method

    def _receive(self) -> bytes:
        try:
            return self._socket.recv(65536)
        except (ConnectionError, TimeoutError):
            return b""

    def _next(self) -> Any:
        """The next method; None at the end.  A close of the connection is agreed to."""
        deadline = time.monotonic() + WITHIN
        while time.monotonic() < deadline:
            while len(self._data) < 7 or len(self._data) < 8 + self._length():
                chunk = self._receive()
                if not chunk:
                    return None
                self._data += chunk
            size, _, found = frame.unmarshal(self._data)
            self._data = self._data[size:]
            if isinstance(found, commands.Connection.Close):
                self.send(commands.Connection.CloseOk())
            if isinstance(found, base.Frame):
                return found
        return None

    def _length(self) -> int:
        return int(struct.unpack_from(">BHI", self._data)[2])

    def _show(self, method: Any) -> Any:
        if method is None:
            return "closed"
        fields = {name: self._player.plain(value) for name, value in method}
        if isinstance(method, commands.Connection.Start):
            fields = {"mechanisms": "PLAIN" in fields["mechanisms"]}
        return (method.name, fields)


def start_ok(
    user: str, password: str, *, mechanism: str = "PLAIN", known: bool = True
) -> commands.Connection.StartOk:
    properties: dict[str, Any] = {"capabilities": _CAPABILITIES} if known else {}
    response = f"\0{user}\0{password}"
    return commands.Connection.StartOk(properties, mechanism, response, "en_US")
