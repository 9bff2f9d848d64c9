"""A published message put together from its frames.  What is done with it is the channel's.

Source: AMQP 0-9-1 specification, section 4.2.6.
"""

from __future__ import annotations

from pamqp.commands import Basic

from .errors import Malformed, Refused
from .wire import BASIC, decode_content_header

_MANDATORY, _IMMEDIATE = 1, 2


class Incoming:
    """A message of which not all frames are here yet, from its basic.publish on."""

    __slots__ = (
        "_missing",
        "_parts",
        "exchange",
        "immediate",
        "key",
        "mandatory",
        "properties",
        "size",
    )

    def __init__(self, payload: bytes) -> None:
        """Reads a basic.publish by hand: it is the method that comes most often."""
        try:
            start = 7 + payload[6]
            self.exchange = payload[7:start].decode()
            end = start + 1 + payload[start]
            self.key = payload[start + 1 : end].decode()
            flags = payload[end]
        except IndexError:
            raise Malformed("Basic.Publish is cut off") from None
        except UnicodeDecodeError:
            raise Malformed("Malformed UTF-8 in shortstr") from None
        self.mandatory = bool(flags & _MANDATORY)
        self.immediate = bool(flags & _IMMEDIATE)
        self.properties = b""
        self.size: int | None = None
        """Bytes of its body; None before its header has come."""
        self._missing = 0
        self._parts: list[bytes] = []

    @property
    def body(self) -> bytes:
        return self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)

    def add_header(self, payload: bytes) -> bool:
        """Whether the message is whole.  Raises Refused where no header belongs here."""
        if self.size is not None:
            raise unexpected(self)
        class_id, self.size, self.properties = decode_content_header(payload)
        if class_id != BASIC:
            raise _unexpected(
                f"expected content header for class {BASIC}, got one for class {class_id} instead"
            )
        self._missing = self.size
        return not self.size

    def add_body(self, payload: bytes) -> bool:
        """Whether the message is whole.  Raises Refused where no body belongs here."""
        if self.size is None:
            raise unexpected(self)
        self._parts.append(payload)
        self._missing -= len(payload)
        if self._missing < 0:
            raise _unexpected("a message body is longer than its header says")
        return not self._missing


def unexpected(incoming: Incoming | None) -> Refused:
    """505 for a frame that does not belong where it came."""
    if incoming is None:
        text = "expected method frame, got non method frame instead"
        return Refused("UNEXPECTED_FRAME", text)
    if incoming.size is None:
        text = f"expected content header for class {BASIC}, got non content header frame instead"
        return _unexpected(text)
    return _unexpected("expected content body, got non content body frame instead")


def _unexpected(text: str) -> Refused:
    return Refused("UNEXPECTED_FRAME", text, index=Basic.Publish.index)
