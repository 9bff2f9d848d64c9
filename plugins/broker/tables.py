"""Argument and header tables with their wire types kept.  Knows bytes and values, no method.

Types matter: a refusal names them (`signedint`, `long`), and a table travels on as it came.
Strings are kept with `surrogateescape`, so that bytes which are not UTF-8 survive.
Source: the field types of rabbitmq.com/docs/amqp-0-9-1-errata (section 3).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Any, NamedTuple

from .errors import Malformed


class Field(NamedTuple):
    """One value of a table.  `kind` is the type's name as RabbitMQ prints it.

    An array's value is a list of fields, a table's a dict of them, a decimal's (scale, digits).
    """

    kind: str
    value: Any


Table = dict[str, Field]

_FIXED: dict[int, tuple[str, struct.Struct]] = {
    ord("b"): ("byte", struct.Struct(">b")),
    ord("B"): ("unsignedbyte", struct.Struct(">B")),
    ord("s"): ("short", struct.Struct(">h")),
    ord("u"): ("unsignedshort", struct.Struct(">H")),
    ord("I"): ("signedint", struct.Struct(">i")),
    ord("i"): ("unsignedint", struct.Struct(">I")),
    ord("l"): ("long", struct.Struct(">q")),
    ord("L"): ("long", struct.Struct(">q")),
    ord("d"): ("double", struct.Struct(">d")),
    ord("f"): ("float", struct.Struct(">f")),
    ord("T"): ("timestamp", struct.Struct(">Q")),
}
_PACK = {kind: (bytes([code]), packer) for code, (kind, packer) in _FIXED.items() if code != 76}
_SIZED = {ord("S"): "longstr", ord("x"): "binary"}
_DECIMAL = struct.Struct(">BI")
_LENGTH = struct.Struct(">I")
_DEEPEST = 64
"""Tables within tables; deeper ones are an attack on the stack, not a message."""

INTEGERS = frozenset(
    ("byte", "short", "signedint", "long", "unsignedbyte", "unsignedshort", "unsignedint")
)


def decode_table(data: bytes, position: int, depth: int = 0) -> tuple[Table, int]:
    """The table that starts with its length at `position`, and where it ends."""
    end, position = _bounds(data, position)
    table: Table = {}
    while position < end:
        start = position + 1
        position = start + data[position]
        if position >= end:
            raise Malformed("a table ends inside a key")
        key = data[start:position].decode("utf-8", "surrogateescape")
        field, position = _decode_field(data, position, end, depth)
        table.setdefault(key, field)
    return table, end


def _bounds(data: bytes, position: int) -> tuple[int, int]:
    try:
        (size,) = _LENGTH.unpack_from(data, position)
    except struct.error:
        raise Malformed("a length is cut off") from None
    end = position + 4 + size
    if end > len(data):
        raise Malformed("a table or string is longer than its frame")
    return end, position + 4


def _decode_field(data: bytes, position: int, end: int, depth: int) -> tuple[Field, int]:
    code = data[position]
    position += 1
    try:
        if code in _SIZED:
            stop, start = _bounds(data, position)
            raw = data[start:stop]
            kind = _SIZED[code]
            value = raw.decode("utf-8", "surrogateescape") if kind == "longstr" else raw
            field, position = Field(kind, value), stop
        elif code in _FIXED:
            kind, packer = _FIXED[code]
            field = Field(kind, packer.unpack_from(data, position)[0])
            position += packer.size
        elif code == ord("t"):
            field, position = Field("bool", data[position] != 0), position + 1
        elif code == ord("F"):
            table, position = decode_table(data, position, _deeper(depth))
            field = Field("table", table)
        elif code == ord("A"):
            items, position = _decode_array(data, position, _deeper(depth))
            field = Field("array", items)
        elif code == ord("D"):
            field, position = Field("decimal", _DECIMAL.unpack_from(data, position)), position + 5
        elif code == ord("V"):
            field = Field("void", None)
        else:
            raise Malformed(f"no field type has the code {code}")
    except (struct.error, IndexError):
        raise Malformed("a field is cut off") from None
    if position > end:
        raise Malformed("a field is longer than its table")
    return field, position


def _decode_array(data: bytes, position: int, depth: int) -> tuple[list[Field], int]:
    end, position = _bounds(data, position)
    items: list[Field] = []
    while position < end:
        field, position = _decode_field(data, position, end, depth)
        items.append(field)
    return items, end


def _deeper(depth: int) -> int:
    if depth >= _DEEPEST:
        raise Malformed(f"tables are nested more than {_DEEPEST} deep")
    return depth + 1


def encode_table(table: Table) -> bytes:
    body = b"".join(
        _short(key.encode("utf-8", "surrogateescape")) + _encode_field(field)
        for key, field in table.items()
    )
    return _LENGTH.pack(len(body)) + body


def _short(text: bytes) -> bytes:
    return bytes([len(text)]) + text


def _encode_field(field: Field) -> bytes:
    match field.kind:
        case "longstr":
            raw: bytes = field.value.encode("utf-8", "surrogateescape")
            return b"S" + _LENGTH.pack(len(raw)) + raw
        case "binary":
            return b"x" + _LENGTH.pack(len(field.value)) + bytes(field.value)
        case "bool":
            return b"t" + bytes([field.value])
        case "table":
            return b"F" + encode_table(field.value)
        case "array":
            return b"A" + _sized(map(_encode_field, field.value))
        case "decimal":
            return b"D" + _DECIMAL.pack(*field.value)
        case "void":
            return b"V"
    code, packer = _PACK[field.kind]
    packed: bytes = packer.pack(field.value)
    return code + packed


def _sized(parts: Iterable[bytes]) -> bytes:
    body = b"".join(parts)
    return _LENGTH.pack(len(body)) + body


def identity(table: Table) -> bytes:
    """Equal for equal tables whatever the order of their keys: what makes two bindings one."""
    return encode_table(dict(sorted(table.items())))


def longstr(value: str) -> Field:
    return Field("longstr", value)
