"""What RabbitMQ says where a declare differs from what is there, read into data.  Pure.

A 406 names one property, with the values of both sides as Erlang prints them, and is cut at 255
bytes.  Source: `assert_args_equivalence`, `equivalence_fail` in RabbitMQ's rabbit_misc.erl, and
`check_declare_arguments` in rabbit_amqqueue.erl (3.10 to 4.0).  When it is asked is `asking.py`'s.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

from orquestador.provision.found import Difference
from orquestador.topology.model import Exchange, Queue

T = TypeVar("T", Exchange, Queue)

TYPE = "x-queue-type"
CLASSIC = "classic"

_FIELDS = {
    Exchange: ("type", "durable", "auto_delete", "internal"),
    Queue: ("durable", "auto_delete", "exclusive"),
}
"""Those that are no argument, under the names that RabbitMQ has for them, and we."""

_INTEGERS = (
    "byte", "short", "signedint", "long", "unsignedbyte", "unsignedshort", "unsignedint",
)  # fmt: skip
_NAMED = re.compile(r"PRECONDITION_FAILED - inequivalent arg '(?P<property>[^']+)' for ")
_REFUSED = re.compile(
    r"PRECONDITION_FAILED - invalid (?:(?:arg|property) '(?P<name>[^']+)' for "
    r"|type '[^']*' for arg '(?P<of_type>[^']+)' in )"
)
_TYPED = re.compile(r"the value '(?P<value>.*)' of type '(?P<type>[a-z]+)'", re.DOTALL)
_NUMBER = re.compile("-?[0-9]+")
_BARE = re.compile(r"'(?P<value>.*)'", re.DOTALL)


def refused(text: str) -> str | None:
    """The argument (or property) that no such queue or exchange may have; None: it is not that."""
    found = _REFUSED.match(text)
    return found and (found["name"] or found["of_type"])


def difference(text: str, asked: Exchange | Queue) -> Difference | None:
    """The one difference that the answer to the declare of `asked` names; None: it names none.

    Values have the types that they have on the wire, where text and file tell; a queue without a
    type is classic.
    """
    found = _NAMED.match(text)
    if found is None:
        return None
    name = found["property"]
    file = _value(asked, name)
    current = _current(text, asked.name, file)
    known, broker = _read(current, file) if current is not None else (False, None)
    if not known and isinstance(file, bool) and name in _FIELDS[type(asked)]:
        known, broker = True, not file  # the text is cut, yet a flag has but two values
    if name == TYPE:
        file, broker = file or CLASSIC, (broker or CLASSIC) if known else broker
    return Difference(name, broker, file, known)


def adopted(asked: T, difference: Difference) -> T:
    """The same with the broker's value of that property, for the next declare."""
    if difference.property in _FIELDS[type(asked)]:
        field: Mapping[str, Any] = {difference.property: difference.broker}
        return replace(asked, **field)
    arguments = {key: value for key, value in asked.arguments.items() if key != difference.property}
    if difference.broker is not None:
        arguments[difference.property] = difference.broker
    return replace(asked, arguments=arguments)


def _value(asked: Exchange | Queue, name: str) -> Any:
    if name in _FIELDS[type(asked)]:
        return getattr(asked, name)
    return asked.arguments.get(name)


def _current(text: str, name: str, file: Any) -> str | None:
    """What stands after "but current is"; None where the text is cut before its end.

    Names and values may hold any words, these too: what we sent tells where they end.
    """
    label = f"'{name}' in vhost "
    received = text[text.find(label) + len(label) if label in text else 0 :]
    received = received.partition(": received ")[2]
    if received.startswith("the value '"):
        return "none" if received.endswith("' but current is none") else None
    if received.startswith("none but current is "):
        return received.removeprefix("none but current is ")
    sent = f"'{_printed(file)}' but current is "
    if received.startswith(sent):
        return received.removeprefix(sent)
    return received.partition("' but current is ")[2] or None


def _read(current: str, file: Any) -> tuple[bool, Any]:
    """Whether that is a value which can be declared, and the value."""
    if current == "none":
        return True, None
    if typed := _TYPED.fullmatch(current):
        return _of_type(typed["value"], typed["type"])
    bare = _BARE.fullmatch(current)
    return (True, _like(bare["value"], file)) if bare else (False, None)


def _of_type(value: str, kind: str) -> tuple[bool, Any]:
    if kind in _INTEGERS and _NUMBER.fullmatch(value):
        return True, int(value)
    if kind == "bool":
        return True, value == "true"
    return kind == "longstr", value  # a table or a float is shown, and cannot be declared as it is


def _like(value: str, file: Any) -> Any:
    """Both have one and its type is not told: the file's, unless the text is another type's.

    The same text on both sides is a difference of types alone: '5' is text there, and a number
    here.
    """
    same = value == _printed(file)
    if isinstance(file, str) and not same:
        return value
    if isinstance(file, int) and same:
        return value
    if value in ("true", "false"):
        return value == "true"
    return int(value) if _NUMBER.fullmatch(value) else value


def _printed(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
