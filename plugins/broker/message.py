"""A message as it travels: its property bytes as they came, and the few that a broker reads.

Knows no queue and no channel.  Nothing a client set is decoded and written anew, except where a
dead letter must change a header or lose its expiration.
Source: AMQP 0-9-1 specification, section 4.2.6.1 (property flags) and the class `basic`.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, field

from .arguments import LONGEST_EXPIRY
from .errors import Malformed, Refused
from .tables import Table, decode_table, encode_table
from .wire import short

_FLAGS = struct.Struct(">H")
_LENGTH = struct.Struct(">I")
_HEADERS, _EXPIRATION, _USER_ID = 1 << 13, 1 << 8, 1 << 4

_LAYOUT: tuple[tuple[int, str], ...] = (
    (1 << 15, "short"),  # content type
    (1 << 14, "short"),  # content encoding
    (_HEADERS, "table"),
    (1 << 12, "octet"),  # delivery mode
    (1 << 11, "octet"),  # priority
    (1 << 10, "short"),  # correlation id
    (1 << 9, "short"),  # reply to
    (_EXPIRATION, "short"),
    (1 << 7, "short"),  # message id
    (1 << 6, "long"),  # timestamp
    (1 << 5, "short"),  # type
    (_USER_ID, "short"),
    (1 << 3, "short"),  # application id
    (1 << 2, "short"),  # cluster id
)
_OVERHEAD = 400
"""Bytes that one message costs beside its own; measured, and used for the memory limit alone."""


@dataclass(slots=True)
class Properties:
    """Where the properties that a broker reads lie in the raw bytes; None where not set."""

    raw: bytes
    headers: tuple[int, int] | None = None
    expiration: tuple[int, int] | None = None
    user_id: str | None = None

    @classmethod
    def scan(cls, raw: bytes) -> Properties:
        """Walk the property bytes once.  Raises Malformed where they are cut off."""
        found = cls(raw)
        try:
            (flags,) = _FLAGS.unpack_from(raw)
            position = 2
            for flag, kind in _LAYOUT:
                if not flags & flag:
                    continue
                start = position
                if kind == "short":
                    position += 1 + raw[position]
                elif kind == "table":
                    position += 4 + int(_LENGTH.unpack_from(raw, position)[0])
                else:
                    position += 1 if kind == "octet" else 8
                if flag == _HEADERS:
                    found.headers = (start, position)
                elif flag == _EXPIRATION:
                    found.expiration = (start, position)
                elif flag == _USER_ID:
                    found.user_id = raw[start + 1 : position].decode("utf-8", "surrogateescape")
        except (struct.error, IndexError):
            position = len(raw) + 1
        if position > len(raw):
            raise Malformed("message properties are cut off")
        return found

    def read_headers(self) -> Table:
        if self.headers is None:
            return {}
        return decode_table(self.raw, self.headers[0])[0]

    def read_expiration(self) -> str | None:
        if self.expiration is None:
            return None
        start, end = self.expiration
        return self.raw[start + 1 : end].decode("utf-8", "surrogateescape")

    def with_headers(self, headers: Table, *, keep_expiration: bool) -> bytes:
        """The same property bytes with other headers, with or without their expiration."""
        (flags,) = _FLAGS.unpack_from(self.raw)
        cuts = []
        if self.headers:
            cuts.append((*self.headers, b""))
        if self.expiration and not keep_expiration:
            cuts.append((*self.expiration, b""))
            flags &= ~_EXPIRATION
        place = self.headers[0] if self.headers else self._headers_belong_at(flags)
        cuts.append((place, place, encode_table(headers)))
        raw = self.raw
        for start, end, instead in sorted(cuts, reverse=True):
            raw = raw[:start] + instead + raw[end:]
        return _FLAGS.pack(flags | _HEADERS) + raw[2:]

    def _headers_belong_at(self, flags: int) -> int:
        position = 2
        for flag in (1 << 15, 1 << 14):
            if flags & flag:
                position += 1 + self.raw[position]
        return position


_NUMBER = re.compile(r"[+-]?[0-9]+")


def parse_expiration(text: str | None) -> int | None:
    """A message's own time to live in milliseconds.  Raises 406 as RabbitMQ words it."""
    if text is None:
        return None
    number = _NUMBER.match(text)
    if number is None:
        fault = "no_integer"
    elif number.end() < len(text):
        fault = f'{{leftover_string,"{text[number.end() :]}"}}'
    elif (milliseconds := int(number[0])) < 0:
        fault = f"{{value_negative,{milliseconds}}}"
    elif milliseconds > LONGEST_EXPIRY:
        fault = f"{{value_too_large,{milliseconds}}}"
    else:
        return milliseconds
    raise Refused("PRECONDITION_FAILED", f"invalid expiration '{text}': {fault}")


@dataclass(slots=True)
class Message:
    """One published message, shared by all queues that hold it; never changed.

    `keys` starts with the routing key it was published with; what follows are its CC and BCC keys.
    `time_to_live` is its own expiration in milliseconds.
    """

    exchange: str
    keys: tuple[str, ...]
    properties: bytes
    body: bytes
    time_to_live: int | None = None
    routing: bytes = field(init=False)
    _headers: Table | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.routing = short(self.exchange) + short(self.keys[0])

    @property
    def key(self) -> str:
        return self.keys[0]

    @property
    def size(self) -> int:
        """Bytes of memory that it is counted with."""
        return len(self.body) + len(self.properties) + _OVERHEAD

    @property
    def headers(self) -> Table:
        if self._headers is None:
            self._headers = Properties.scan(self.properties).read_headers()
        return self._headers


def check_size(size: int, largest: int) -> None:
    """Raises 406 for a message of more bytes than this broker takes."""
    if size > largest:
        raise Refused(
            "PRECONDITION_FAILED",
            f"message size {size} is larger than configured max size {largest}",
        )


def carbon_copies(headers: Table) -> tuple[str, ...]:
    """The further routing keys that a publisher named in `CC` and `BCC`, in that order.

    Source: rabbitmq.com/docs/sender-selected.  Raises 406 where they are no list of strings.
    """
    keys: list[str] = []
    for name in ("CC", "BCC"):
        if (copies := headers.get(name)) is None:
            continue
        if copies.kind != "array":
            raise Refused(
                "PRECONDITION_FAILED",
                f'invalid message: {{unacceptable_type_in_header,"{name}",{copies.kind}}}',
            )
        keys += [item.value for item in copies.value if item.kind == "longstr"]
    return tuple(keys)
