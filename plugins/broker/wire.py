"""Frames and methods: bytes to pamqp's method objects and back.  Knows no state of a connection.

pamqp supplies the methods, their numbers and the types of their fields.  It is not asked to read or
write them: it reports incomplete and corrupt input alike, checks names more narrowly than RabbitMQ
does, and forgets the wire types of arguments.
Source: AMQP 0-9-1 specification, sections 4.2.3 (frames) and 4.2.6 (content).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, cast

from pamqp import base, commands

from .errors import Malformed
from .tables import Table, decode_table, encode_table

METHOD, HEADER, BODY, HEARTBEAT = 1, 2, 3, 8
END = b"\xce"
HEARTBEAT_FRAME = b"\x08\x00\x00\x00\x00\x00\x00\xce"
PROTOCOL = b"AMQP\x00\x00\x09\x01"
OVERHEAD = 8
"""Bytes of a frame that are not its payload."""

BASIC = 60
_FRAME = struct.Struct(">BHI")
_INDEX = struct.Struct(">I")
_CONTENT = struct.Struct(">HHQ")
_CONTENT_FRAME = struct.Struct(">BBHIHHQ")
_BODY_FRAME = struct.Struct(">BBHI")

Frame = tuple[int, int, bytes]
"""Frame type, channel number, payload."""


class FrameReader:
    """Splits what arrives, in whatever pieces, into frames.

    `limit` is the largest payload in bytes; 0 is no limit.  It may change between two frames.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Every whole frame so far.  Raises Malformed, after which this reader is done for."""
        if self._rest:
            data = self._rest + data
        position, size = 0, len(data)
        self._rest = b""
        while size - position >= OVERHEAD:
            kind, channel, length = _FRAME.unpack_from(data, position)
            # Clients are off by a frame's own bytes often enough that RabbitMQ allows for it.
            if self.limit and length > self.limit + OVERHEAD:
                fault = f"{{frame_too_large,{length},{self.limit}}}"
                raise Malformed(f"{described(kind, b'')}: {fault}")
            end = position + 7 + length
            if end >= size:
                break
            payload = data[position + 7 : end]
            if data[end] != 0xCE:
                fault = f"{{invalid_frame_end_marker,{data[end]}}}"
                raise Malformed(f"{described(kind, payload)}: {fault}")
            if kind not in (METHOD, HEADER, BODY, HEARTBEAT):
                raise Malformed(f"{described(kind, payload)}: unknown_frame")
            yield kind, channel, payload
            position = end + 1
        self._rest = data[position:]


def described(kind: int, payload: bytes) -> str:
    """A frame as RabbitMQ describes it in an error: its type and its first sixteen bytes."""
    part = "all" if len(payload) <= 16 else "first 16"
    start = payload[:16]
    if start and all(32 <= byte < 127 for byte in start):
        shown = f'"{start.decode()}"'
    else:
        shown = ",".join(map(str, start))
    return f"type {kind}, {part} octets = <<{shown}>>"


def frame(kind: int, channel: int, payload: bytes) -> bytes:
    return _FRAME.pack(kind, channel, len(payload)) + payload + END


def short(text: str | bytes) -> bytes:
    raw = text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")
    return bytes([len(raw)]) + raw


def _fields(method: type[base.Frame]) -> tuple[tuple[str, str], ...]:
    return tuple((name, method.amqp_type(name)) for name in method.attributes())


_METHODS: dict[int, tuple[type[base.Frame], tuple[tuple[str, str], ...]]] = {
    index: (method, _fields(method))
    for index, method in cast(dict[int, type[base.Frame]], commands.INDEX_MAPPING).items()
}
_NUMBERS = {"octet": ">B", "short": ">H", "long": ">I", "longlong": ">Q"}
_PACKERS = {kind: struct.Struct(code) for kind, code in _NUMBERS.items()}


def decode_method(payload: bytes) -> base.Frame:
    """The method of a method frame, its fields filled; tables keep their types (`arguments_of`).

    Raises Malformed, and KeyError where no such method exists.
    """
    if len(payload) < 4:
        raise Malformed("a method frame has no method")
    method, fields = _METHODS[_INDEX.unpack_from(payload)[0]]
    read = method.__new__(method)
    position, bit = 4, 0
    try:
        for name, kind in fields:
            if kind == "bit":
                setattr(read, name, bool(payload[position] & 1 << bit))
                bit += 1
                continue
            if bit:
                position, bit = position + 1, 0
            value, position = _read(payload, position, kind)
            setattr(read, name, value)
    except (struct.error, IndexError):
        raise Malformed(f"{method.name} is cut off") from None
    except UnicodeDecodeError:
        raise Malformed("Malformed UTF-8 in shortstr") from None
    return read


def _read(payload: bytes, position: int, kind: str) -> tuple[Any, int]:
    match kind:
        case "shortstr":
            start = position + 1
            position = start + payload[position]
            if position > len(payload):
                raise IndexError
            return payload[start:position].decode(), position
        case "longstr":
            start = position + 4
            position = start + _INDEX.unpack_from(payload, position)[0]
            if position > len(payload):
                raise IndexError
            return payload[start:position], position
        case "table":
            return decode_table(payload, position)
    packer = _PACKERS[kind]
    return packer.unpack_from(payload, position)[0], position + packer.size


def arguments_of(method: Any) -> Table:
    """A decoded method's `arguments`, typed: pamqp declares plain values there."""
    return cast(Table, method.arguments)


def encode_method(channel: int, method: type[base.Frame], *values: Any) -> bytes:
    """A whole method frame; `values` are its fields in the specification's order."""
    parts, bits, used = [_INDEX.pack(method.index)], 0, 0
    fields = _METHODS[method.index][1]
    for (_, kind), value in zip(fields, values, strict=True):
        if kind == "bit":
            bits |= bool(value) << used
            used += 1
            continue
        if used:
            parts.append(bytes([bits]))
            bits = used = 0
        parts.append(_write(kind, value))
    if used:
        parts.append(bytes([bits]))
    return frame(METHOD, channel, b"".join(parts))


def _write(kind: str, value: Any) -> bytes:
    match kind:
        case "shortstr":
            return short(value)
        case "longstr":
            return _INDEX.pack(len(value)) + bytes(value)
        case "table":
            return encode_table(value)
    return _PACKERS[kind].pack(value)


def decode_content_header(payload: bytes) -> tuple[int, int, bytes]:
    """Class, body size in bytes, and the property bytes as they came."""
    try:
        class_id, _weight, size = _CONTENT.unpack_from(payload)
    except struct.error:
        raise Malformed("a content header is cut off") from None
    return class_id, size, payload[_CONTENT.size :]


def encode_content(
    channel: int, method: bytes, properties: bytes, body: bytes, largest: int
) -> bytes:
    """A method that carries a message, its header and its body, cut into frames.

    `method` is the method's payload; `largest` the agreed frame size in bytes, 0 for no limit.
    """
    size = len(body)
    start = _FRAME.pack(METHOD, channel, len(method))
    header = _CONTENT_FRAME.pack(
        0xCE, HEADER, channel, _CONTENT.size + len(properties), BASIC, 0, size
    )
    if not size:
        return b"".join((start, method, header, properties, END))
    if not largest or size <= largest - OVERHEAD:
        content = _BODY_FRAME.pack(0xCE, BODY, channel, size)
        return b"".join((start, method, header, properties, content, body, END))
    step = largest - OVERHEAD
    pieces = [body[at : at + step] for at in range(0, size, step)]
    frames = [frame(BODY, channel, piece) for piece in pieces]
    return b"".join((start, method, header, properties, END, *frames))
