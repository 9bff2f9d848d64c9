"""Arguments of queues and consumers: which type takes which, what values, and how a refusal reads.

Pure: tables in, options or a 406 out.  What an option does is the queue's.
Source: rabbitmq.com/docs/queues#optional-arguments; order and texts are those RabbitMQ 3.10 answers
with, because a provisioning client reads there which property differs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from .errors import Refused, inequivalent, queue_label
from .tables import INTEGERS, Field, Table

LONGEST_EXPIRY = 315_360_000_000
"""Milliseconds: ten years, RabbitMQ's ceiling for every time to live."""

_HIGHEST_PRIORITY = 255

Check = Callable[[Field, Table], str | None]
"""Says what is wrong with a value, as Erlang prints it, or None."""


def _integer(field: Field, _: Table) -> str | None:
    # RabbitMQ hands this text on as a list of characters, so it is printed in quotes.
    return None if field.kind in INTEGERS else f'"expected integer, got {field.kind}"'


def _natural(field: Field, table: Table) -> str | None:
    if fault := _integer(field, table):
        return fault
    return f"{{value_negative,{field.value}}}" if field.value < 0 else None


def _time_to_live(field: Field, table: Table) -> str | None:
    if fault := _natural(field, table):
        return fault
    return f"{{value_too_large,{field.value}}}" if field.value > LONGEST_EXPIRY else None


def _expires(field: Field, table: Table) -> str | None:
    if field.kind in INTEGERS and field.value == 0:
        return "{value_zero,0}"
    return _time_to_live(field, table)


def _positive(field: Field, table: Table) -> str | None:
    if fault := _natural(field, table):
        return fault
    return "{value_zero,0}" if field.value == 0 else None


def _priority(field: Field, table: Table) -> str | None:
    if fault := _natural(field, table):
        return fault
    return f"{{max_value_exceeded,{field.value}}}" if field.value > _HIGHEST_PRIORITY else None


def _boolean(field: Field, _: Table) -> str | None:
    return None if field.kind == "bool" else f"{{unacceptable_type,{field.kind}}}"


def _text(field: Field, _: Table) -> str | None:
    return None if field.kind == "longstr" else f"{{unacceptable_type,{field.kind}}}"


def _dead_letter_key(field: Field, table: Table) -> str | None:
    if fault := _text(field, table):
        return fault
    return None if "x-dead-letter-exchange" in table else "routing_key_but_no_dlx_defined"


def _one_of(*known: str, fault: str) -> Check:
    def check(field: Field, table: Table) -> str | None:
        if wrong := _text(field, table):
            return wrong
        return None if field.value in known else fault.format(field.value)

    return check


def _version(field: Field, table: Table) -> str | None:
    if fault := _natural(field, table):
        return fault
    return None if field.value in (1, 2) else f"\"unsupported queue version '{field.value}'\""


def _age(field: Field, table: Table) -> str | None:
    if fault := _text(field, table):
        return fault
    return None if re.fullmatch(r"0*[1-9][0-9]*[YMDhms]", field.value) else "invalid_max_age"


_QUEUE_TYPE = _one_of("classic", "quorum", "stream", fault="\"unsupported queue type '{}'\"")

_CHECKS: tuple[tuple[str, Check], ...] = (
    ("x-expires", _expires),
    ("x-message-ttl", _time_to_live),
    ("x-dead-letter-routing-key", _dead_letter_key),
    (
        "x-dead-letter-strategy",
        _one_of("at-most-once", "at-least-once", fault="invalid_dlx_strategy"),
    ),
    ("x-max-length", _natural),
    ("x-max-length-bytes", _natural),
    ("x-max-in-memory-length", _natural),
    ("x-max-in-memory-bytes", _natural),
    ("x-max-priority", _priority),
    (
        "x-overflow",
        _one_of("drop-head", "reject-publish", "reject-publish-dlx", fault="invalid_overflow"),
    ),
    ("x-queue-mode", _one_of("default", "lazy", fault="\"unsupported queue mode '{}'\"")),
    ("x-queue-version", _version),
    ("x-single-active-consumer", _boolean),
    ("x-queue-type", _QUEUE_TYPE),
    ("x-quorum-initial-group-size", _positive),
    ("x-max-age", _age),
    ("x-stream-max-segment-size-bytes", _natural),
    ("x-initial-cluster-size", _positive),
    (
        "x-queue-leader-locator",
        _one_of(
            "client-local",
            "balanced",
            "random",
            "least-leaders",
            fault="invalid_queue_locator_arg",
        ),
    ),
)
"""In the order in which they are looked at: the first faulty one is the one named."""

_CLASSIC = (
    "x-expires",
    "x-message-ttl",
    "x-dead-letter-exchange",
    "x-dead-letter-routing-key",
    "x-max-length",
    "x-max-length-bytes",
    "x-max-priority",
    "x-overflow",
    "x-queue-mode",
    "x-queue-version",
    "x-single-active-consumer",
    "x-queue-type",
    "x-queue-master-locator",
)
_QUORUM = (
    "x-dead-letter-exchange",
    "x-dead-letter-routing-key",
    "x-dead-letter-strategy",
    "x-expires",
    "x-max-length",
    "x-max-length-bytes",
    "x-max-in-memory-length",
    "x-max-in-memory-bytes",
    "x-overflow",
    "x-single-active-consumer",
    "x-queue-type",
    "x-quorum-initial-group-size",
    "x-delivery-limit",
    "x-message-ttl",
    "x-queue-leader-locator",
)
_STREAM = (
    "x-max-length-bytes",
    "x-queue-type",
    "x-max-age",
    "x-stream-max-segment-size-bytes",
    "x-initial-cluster-size",
    "x-queue-leader-locator",
)
_TAKEN = {"classic": _CLASSIC, "quorum": _QUORUM, "stream": _STREAM}
"""What each queue type takes, in the order in which a declare is compared with what exists."""

_KNOWN = frozenset(_CLASSIC + _QUORUM + _STREAM)

_CONSUMER_CHECKS: tuple[tuple[str, Check], ...] = (
    ("x-priority", _integer),
    ("x-cancel-on-ha-failover", _boolean),
)
_CONSUMER_TAKEN = {
    "classic": ("x-cancel-on-ha-failover", "x-priority", "x-credit"),
    "quorum": ("x-priority", "x-credit"),
    "stream": ("x-stream-offset", "x-credit"),
}
_CONSUMER_KNOWN = frozenset(name for taken in _CONSUMER_TAKEN.values() for name in taken)

WITHOUT_BEHAVIOUR = frozenset(
    (
        "x-max-priority",
        "x-queue-mode",
        "x-queue-version",
        "x-queue-master-locator",
        "x-queue-leader-locator",
        "x-dead-letter-strategy",
        "x-max-in-memory-length",
        "x-max-in-memory-bytes",
        "x-quorum-initial-group-size",
        "x-initial-cluster-size",
        "x-max-age",
        "x-stream-max-segment-size-bytes",
    )
)
"""Accepted and compared, but nothing here acts on them: a declare with one is warned about."""


@dataclass(frozen=True, slots=True)
class QueueOptions:
    """What a queue does differently.  Times in milliseconds, sizes in messages or body bytes."""

    type: str = "classic"
    expires: int | None = None
    message_ttl: int | None = None
    max_length: int | None = None
    max_bytes: int | None = None
    overflow: str = "drop-head"
    dead_letter_exchange: str | None = None
    dead_letter_key: str | None = None
    single_active: bool = False
    delivery_limit: int | None = None


def queue_options(name: str, table: Table) -> QueueOptions:
    """What these arguments ask for.  Raises 406 naming the first that RabbitMQ would name."""
    exchange = table.get("x-dead-letter-exchange")
    if exchange is not None and exchange.kind != "longstr":
        raise Refused(
            "PRECONDITION_FAILED",
            f"invalid type '{exchange.kind}' for arg 'x-dead-letter-exchange' in "
            f"{queue_label(name)}",
        )
    _check(name, table, [("x-queue-type", _QUEUE_TYPE)])
    kind = queue_type(table)
    _check(name, table, (check for check in _CHECKS if check[0] in _TAKEN[kind]))
    _check_known(name, table, kind, _KNOWN.difference(_TAKEN[kind]))
    value = {key: field.value for key, field in table.items()}
    return QueueOptions(
        type=kind,
        expires=value.get("x-expires"),
        message_ttl=value.get("x-message-ttl"),
        max_length=value.get("x-max-length"),
        max_bytes=value.get("x-max-length-bytes"),
        overflow=value.get("x-overflow", "drop-head"),
        dead_letter_exchange=value.get("x-dead-letter-exchange"),
        dead_letter_key=value.get("x-dead-letter-routing-key"),
        single_active=value.get("x-single-active-consumer") is True,
        delivery_limit=_limit(table),
    )


def _limit(table: Table) -> int | None:
    """RabbitMQ does not check this one's value: what is no natural number sets no limit."""
    field = table.get("x-delivery-limit")
    return field.value if field and field.kind in INTEGERS and field.value >= 0 else None


def queue_type(table: Table) -> str:
    field = table.get("x-queue-type")
    return field.value if field else "classic"


def check_consumer(name: str, kind: str, table: Table) -> None:
    taken = _CONSUMER_TAKEN[kind]
    _check(name, table, (check for check in _CONSUMER_CHECKS if check[0] in taken))
    _check_known(name, table, kind, _CONSUMER_KNOWN.difference(taken))


def _check(name: str, table: Table, checks: Iterable[tuple[str, Check]]) -> None:
    for key, check in checks:
        if key in table and (fault := check(table[key], table)):
            raise Refused(
                "PRECONDITION_FAILED", f"invalid arg '{key}' for {queue_label(name)}: {fault}"
            )


def _check_known(name: str, table: Table, kind: str, foreign: frozenset[str]) -> None:
    for key in table:
        if key in foreign:
            raise Refused(
                "PRECONDITION_FAILED",
                f"invalid arg '{key}' for {queue_label(name)} of queue type rabbit_{kind}_queue",
            )


def compare_queue(name: str, current: Table, received: Table) -> None:
    """Raises 406 naming the first difference, in the order of the existing queue's type."""
    compare(queue_label(name), current, received, _TAKEN[queue_type(current)])


def compare(label: str, current: Table, received: Table, keys: Iterable[str]) -> None:
    for key in keys:
        old, new = current.get(key), received.get(key)
        if old is None and new is None:
            continue
        if old is not None and new is not None:
            if old.value != new.value or _class(old) != _class(new):
                raise inequivalent(key, label, _bare(new), _bare(old))
        elif key != "x-queue-type" or (old or new) != ("longstr", "classic"):
            raise inequivalent(key, label, _typed(new), _typed(old))


def _class(field: Field) -> str:
    if field.kind in INTEGERS:
        return "int"
    return "float" if field.kind in ("double", "float") else field.kind


def _typed(field: Field | None) -> str:
    return "none" if field is None else f"the value {_bare(field)} of type '{field.kind}'"


def _bare(field: Field) -> str:
    return f"'{printed(field.value)}'"


def printed(value: object) -> str:
    """A value as RabbitMQ prints it in a text: booleans in lower case, bytes as they are."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    return str(value).lower() if isinstance(value, bool) else str(value)
