"""Messages passed on as they came: their properties are bytes that nobody here reads.

pika would read them and write them anew, and not the same: a double among the headers comes out as
a whole number, text that is no UTF-8 as a byte array (pika 1.4, data.py).  Consuming and publishing
are `channel.py`'s.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

from pika import BasicProperties, exceptions, frame, spec
from pika.adapters.asyncio_connection import AsyncioConnection

_FRAME = struct.Struct(">BHI")  # type, channel, size of what follows before the end mark
_FLAGS = struct.Struct(">H")  # the first word of them: which properties follow
_CONTENT = struct.Struct(">HHQ")  # class, weight, size of the body; then the properties


class Verbatim(BasicProperties):
    """The properties of one message, encoded as they arrived."""

    def __init__(self, encoded: bytes) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.encoded = encoded

    def encode(self) -> list[bytes]:
        return [self.encoded]

    @property
    def user(self) -> str | None:
        """The `user_id`, which the broker compares with the publisher's own; "" if unreadable."""
        (flags,) = _FLAGS.unpack_from(self.encoded)
        if not flags & self.FLAG_USER_ID:
            return None
        read = BasicProperties()  # type: ignore[no-untyped-call]
        try:
            read.decode(self.encoded)  # type: ignore[no-untyped-call]
        except Exception:  # headers that pika does not know, or a date that Python has not
            return ""
        return str(read.user_id)


@dataclass(frozen=True, slots=True)
class Parcel:
    """One message to be passed on.  `tag` is what `Channel.ack` takes."""

    tag: int
    routing_key: str
    properties: Verbatim
    body: bytes


class VerbatimConnection(AsyncioConnection):
    """Leaves the properties of what arrives as they are, on all its channels."""

    def _read_frame(self) -> Any:
        # Not public; were it gone, `parcel` would say so at the first message.
        return _content_header(self._frame_buffer) or super()._read_frame()


def parcel(method: Any, properties: BasicProperties, body: bytes) -> Parcel:
    """What arrived on a channel of a VerbatimConnection; TypeError on another's."""
    if not isinstance(properties, Verbatim):
        raise TypeError(f"{type(properties).__name__} has been read already")
    return Parcel(method.delivery_tag, method.routing_key, properties, body)


def _content_header(buffer: bytes) -> tuple[int, frame.Header] | None:
    """How many bytes it takes, and the frame; None where the next frame is another, or no whole."""
    if len(buffer) < _FRAME.size or buffer[0] != spec.FRAME_HEADER:
        return None
    _, channel, size = _FRAME.unpack_from(buffer)
    end = _FRAME.size + size
    if len(buffer) <= end:
        return None
    if buffer[end] != spec.FRAME_END:
        raise exceptions.InvalidFrameError("no end mark")
    _, _, body = _CONTENT.unpack_from(buffer, _FRAME.size)
    properties = Verbatim(bytes(buffer[_FRAME.size + _CONTENT.size : end]))
    return end + 1, frame.Header(channel, body, properties)
