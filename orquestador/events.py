"""The events on the wire: ping, echo, status; frozen types <-> JSON bodies.

Types are checked while decoding (msgspec), so that the hot path runs no jsonschema; the JSON
Schemas in `schemas/` say the same, and a property test holds the two together.  AMQP properties
and where an event is published are `broker/`'s and the roles'.
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from orquestador.errors import EventError

CONTENT_TYPE = "application/json"
DETAILS_MAX = 1024  # bytes of JSON, protocol section 1

SAFE = 2**53 - 1  # the largest whole number that every language reads exactly (RFC 8259, section 6)

# `$(?!\n)` ends a text in Python's regular expressions and in those of JSON Schema alike.
_DATE = r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
_TIME = r"([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)\.[0-9]{3}"
Timestamp = Annotated[str, msgspec.Meta(pattern=rf"^{_DATE}T{_TIME}Z$(?!\n)")]
Name = Annotated[str, msgspec.Meta(pattern=r"^(?!all$)[A-Za-z0-9_-]{1,64}$(?!\n)")]
Word = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
Count = Annotated[int, msgspec.Meta(ge=0, le=SAFE)]
Round = Annotated[int, msgspec.Meta(ge=1, le=SAFE)]
Seconds = Annotated[float, msgspec.Meta(gt=0, le=86_400)]


class State(StrEnum):
    """What a monitor says of a service (protocol, section 5)."""

    UNKNOWN = "UNKNOWN"
    UP = "UP"
    DEGRADED = "DEGRADED"
    SUSPECT = "SUSPECT"
    DOWN = "DOWN"
    STOPPED = "STOPPED"


class Health(StrEnum):
    """What an instance says of itself."""

    OK = "ok"
    DEGRADED = "degraded"
    FAILING = "failing"


class Sender(msgspec.Struct, frozen=True, kw_only=True):
    service: Name
    instance: Word


class Ping(msgspec.Struct, frozen=True, kw_only=True):
    """`sequence` is the round's, from 1; `every` the seconds to the next round."""

    version: Literal[1] = 1
    id: Word
    sequence: Round
    sender: Sender
    epoch: Count
    sent_at: Timestamp
    every: Seconds


class Echo(msgspec.Struct, frozen=True, kw_only=True):
    """`ping` and `sequence` are null in a hello and a goodbye; `instance` is one start's word."""

    version: Literal[1] = 1
    phase: Literal["hello", "alive", "goodbye"]
    ping: Word | None
    sequence: Round | None
    service: Name
    instance: Word
    started_at: Timestamp
    redelivered: bool
    health: Health
    details: dict[str, Any] | None = None


class Instances(msgspec.Struct, frozen=True, kw_only=True):
    live: Count
    expected: Count
    lost: Word | None


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """One change of (state, reason) of one service; what observers get and `--json` prints.

    `since`: when the state was entered.  `not_before`, `not_after`: bounds of the moment of the
    fault, null where the change is not one to DOWN.  `reason` is a code, `text` the sentence.
    """

    version: Literal[1] = 1
    service: Name
    state: State
    previous: State | None
    reason: str
    text: str
    since: Timestamp
    at: Timestamp
    detected_by: str
    evidence: dict[str, Any]
    instances: Instances
    incident: str | None
    epoch: Count
    not_before: Timestamp | None
    not_after: Timestamp | None


class _Versioned(msgspec.Struct):
    """Decoded by itself: in the events a default would stand in for a version that is missing."""

    version: Literal[1]


Event = Ping | Echo | Status
EventT = TypeVar("EventT", Ping, Echo, Status)

_encode = msgspec.json.Encoder().encode
_check_version = msgspec.json.Decoder(_Versioned).decode
_decode_details = msgspec.json.Decoder(dict[str, Any]).decode
_decoders: dict[type, msgspec.json.Decoder[Any]] = {
    kind: msgspec.json.Decoder(kind) for kind in (Ping, Echo, Status)
}


def encode(event: Event) -> bytes:
    """The body, JSON in UTF-8."""
    return _encode(event)


def decode(kind: type[EventT], body: bytes) -> EventT:
    """The event in a body.  Raises EventError naming the field; unknown fields are ignored."""
    try:
        _check_version(body)
        event: EventT = _decoders[kind].decode(body)
    except msgspec.MsgspecError as fault:
        raise EventError(f"not valid as {kind.__name__.lower()}: {fault}") from None
    except (UnicodeDecodeError, RecursionError) as fault:
        name = type(fault).__name__
        raise EventError(f"not valid as {kind.__name__.lower()}: {name}") from None
    return event


def kind_of(event: Event) -> str:
    """The AMQP `type` property: ping, echo or status."""
    return type(event).__name__.lower()


def fresh_word() -> str:
    """A word for one start, one message or one connection; 64 random bits."""
    return secrets.token_hex(8)


def timestamp(moment: datetime | None = None) -> str:
    """RFC 3339, UTC, milliseconds; now unless told."""
    moment = datetime.now(UTC) if moment is None else moment.astimezone(UTC)
    return moment.isoformat(timespec="milliseconds")[: -len("+00:00")] + "Z"


def fitting(details: dict[str, Any] | None) -> dict[str, Any] | None:
    """Details as they may travel: a copy, at most 1 KiB of JSON, else a note of what was cut."""
    if not details:
        return None
    try:
        body = _encode(details)
        if len(body) <= DETAILS_MAX:
            return _decode_details(body)
    except Exception:  # whatever a stranger's objects raise while they are written
        return {"unreadable": "details are not JSON"}
    return {"cut": f"details had {len(body)} bytes, 1024 may travel"}
