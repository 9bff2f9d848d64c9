"""The negotiation that opens a connection: who, which vhost, which limits.  No socket.

Source: AMQP 0-9-1 specification, section 2.2.4; rabbitmq.com/docs/access-control and
/docs/auth-notification.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from pamqp import base
from pamqp.commands import Connection as Method

from .errors import Malformed, Refused
from .tables import Field, Table, longstr
from .wire import encode_method

if TYPE_CHECKING:
    from .server import Limits

USER = PASSWORD = "guest"
_SMALLEST_FRAME_MAX = 4096
_CAPABILITIES = (
    "publisher_confirms",
    "exchange_exchange_bindings",
    "basic.nack",
    "consumer_cancel_notify",
    "connection.blocked",
    "consumer_priorities",
    "authentication_failure_close",
    "per_consumer_qos",
)
"""What RabbitMQ says and is true here too; `direct_reply_to` is not."""

_PROPERTIES: Table = {
    "capabilities": Field("table", {name: Field("bool", True) for name in _CAPABILITIES}),
    "product": longstr("orquestador embedded broker"),
    "version": longstr("1"),
    "platform": longstr("Python"),
    "information": longstr("in memory, for trying out and for tests"),
}


class Handshake:
    """From the client's first method to the answer that opens its connection.

    After `done` the agreed figures are set: `frame_max` in bytes and `heartbeat` in seconds, 0 for
    none.
    """

    def __init__(self, limits: Limits) -> None:
        self.user = ""
        self.client = ""
        self.capabilities: frozenset[str] = frozenset()
        self.frame_max = self.channel_max = self.heartbeat = 0
        self.done = False
        self._limits = limits
        self._expected: type[base.Frame] = Method.StartOk

    def start(self) -> bytes:
        return encode_method(0, Method.Start, 0, 9, _PROPERTIES, b"PLAIN", b"en_US")

    @property
    def knows_the_client(self) -> bool:
        """Whether login and limits are settled, so that only the vhost is still open."""
        return self._expected is Method.Open

    def receive(self, method: base.Frame) -> bytes:
        """What to answer.  Raises Refused."""
        if type(method) is not self._expected:
            raise Refused("CHANNEL_ERROR", "unexpected method in this connection state")
        if isinstance(method, Method.StartOk):
            return self._login(method)
        if isinstance(method, Method.TuneOk):
            return self._tune(method)
        assert isinstance(method, Method.Open)
        return self._open(method)

    def _login(self, method: Method.StartOk) -> bytes:
        properties = cast(Table, method.client_properties)
        known = properties.get("capabilities")
        if known is not None and known.kind == "table":
            said = known.value.items()
            self.capabilities = frozenset(name for name, field in said if field.value is True)
        name = properties.get("connection_name")
        self.client = str(name.value) if name else ""
        if method.mechanism != "PLAIN":
            raise Refused(
                "COMMAND_INVALID", f"unknown authentication mechanism '{method.mechanism}'"
            )
        self.user, password = _plain(method.response)
        if (self.user, password) != (USER, PASSWORD):
            raise Refused(
                "ACCESS_REFUSED",
                "Login was refused using authentication mechanism PLAIN. "
                "For details see the broker logfile.",
            )
        self._expected = Method.TuneOk
        limits = self._limits
        return encode_method(0, Method.Tune, limits.channel_max, limits.frame_max, limits.heartbeat)

    def _tune(self, method: Method.TuneOk) -> bytes:
        limits = self._limits
        _check("frame_max", method.frame_max, _SMALLEST_FRAME_MAX, limits.frame_max)
        _check("channel_max", method.channel_max, 1, limits.channel_max)
        self.frame_max = method.frame_max
        self.channel_max = method.channel_max
        self.heartbeat = method.heartbeat
        self._expected = Method.Open
        return b""

    def _open(self, method: Method.Open) -> bytes:
        if method.virtual_host != "/":
            raise Refused("NOT_ALLOWED", f"vhost {method.virtual_host} not found")
        self.done = True
        return encode_method(0, Method.OpenOk, b"")


def _plain(response: bytes | str) -> tuple[str, str]:
    """User and password of a PLAIN response.  Raises 502 where it is none."""
    raw = response if isinstance(response, bytes) else response.encode()
    parts = raw.split(b"\0")
    if len(parts) != 3:
        raise Refused("SYNTAX_ERROR", "response invalid")
    try:
        return parts[1].decode(), parts[2].decode()
    except UnicodeDecodeError:
        raise Malformed("a PLAIN response is not UTF-8") from None


def _check(what: str, asked: int, lowest: int, highest: int) -> None:
    """Raises 530 where a client's figure is outside ours; 0 asks for no limit, which we have."""
    if asked and asked < lowest:
        side, word, bound = "lower", "minimum", lowest
    elif not asked or asked > highest:
        side, word, bound = "higher", "maximum", highest
    else:
        return
    value = f"{asked} (no limit)" if not asked else str(asked)
    raise Refused(
        "NOT_ALLOWED",
        f"negotiated {what} = {value} is {side} than the {word} allowed value ({bound})",
    )
