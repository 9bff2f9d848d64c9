"""Reply codes and the one exception that carries them.  Knows no frame and no socket.

Source: the reply codes of the AMQP 0-9-1 specification (section 1.2), and which of them close the
connection in RabbitMQ (rabbitmq.com/docs/channels#error-handling).
"""

from __future__ import annotations

_LONGEST = 255
"""Bytes that a short string holds; longer texts end in three dots there."""

CODES = {
    "NO_ROUTE": 312,
    "CONNECTION_FORCED": 320,
    "ACCESS_REFUSED": 403,
    "NOT_FOUND": 404,
    "RESOURCE_LOCKED": 405,
    "PRECONDITION_FAILED": 406,
    "FRAME_ERROR": 501,
    "SYNTAX_ERROR": 502,
    "COMMAND_INVALID": 503,
    "CHANNEL_ERROR": 504,
    "UNEXPECTED_FRAME": 505,
    "NOT_ALLOWED": 530,
    "NOT_IMPLEMENTED": 540,
    "INTERNAL_ERROR": 541,
}

_CHANNEL_ONLY = frozenset({403, 404, 405, 406})


class Refused(Exception):
    """The broker says no to a method.  `name` is one of CODES; the text is what the client reads.

    Codes 403 to 406 close the channel they happened on, all others the connection.  `index` is the
    number of the method that failed, where whoever raises it knows better than whoever catches it.
    """

    def __init__(self, name: str, explanation: str, *, index: int = 0) -> None:
        super().__init__(f"{name} - {explanation}")
        self.index = index
        self.code = CODES[name]
        self.text = str(self)

    @property
    def closes_connection(self) -> bool:
        return self.code not in _CHANNEL_ONLY

    @property
    def reply_text(self) -> bytes:
        """The text as a short string takes it: at most 255 bytes."""
        text = self.text.encode("utf-8", "surrogateescape")
        return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + b"..."


class Malformed(Exception):
    """Bytes that are no frame, or no table: the peer and we have lost step."""


def queue_label(name: str) -> str:
    """How error texts name a queue; the only virtual host is `/`."""
    return f"queue '{name}' in vhost '/'"


def exchange_label(name: str) -> str:
    return f"exchange '{name}' in vhost '/'"


def no_queue(name: str) -> Refused:
    return Refused("NOT_FOUND", f"no {queue_label(name)}")


def no_exchange(name: str) -> Refused:
    return Refused("NOT_FOUND", f"no {exchange_label(name)}")


def locked(name: str) -> Refused:
    return Refused(
        "RESOURCE_LOCKED",
        f"cannot obtain exclusive access to locked {queue_label(name)}. It could be originally "
        "declared on another connection or the exclusive property value does not match that of "
        "the original declaration.",
    )


def inequivalent(argument: str, label: str, received: str, current: str) -> Refused:
    """406 for a declare that differs from what exists; both values as RabbitMQ prints them."""
    return Refused(
        "PRECONDITION_FAILED",
        f"inequivalent arg '{argument}' for {label}: received {received} but current is {current}",
    )
