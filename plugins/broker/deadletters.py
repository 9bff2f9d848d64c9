"""What becomes of a dead letter: its `x-death` history, and whether it goes in a circle.  Pure.

Where it is published to is the virtual host's.
Source: rabbitmq.com/docs/dlx ("Effects on the Message", "Automatic dead-letter cycles").
"""

from __future__ import annotations

from .arguments import QueueOptions
from .message import Message, Properties
from .tables import INTEGERS, Field, Table, longstr

_MOST = 1 << 60
"""Deaths that are counted; more fit into no field."""


def dead_letter(
    message: Message, queue: str, options: QueueOptions, reason: str, now: int
) -> Message:
    """The message as it goes to the dead-letter exchange.  `now` in whole seconds of Unix time."""
    properties = Properties.scan(message.properties)
    headers = _with_death(message, queue, reason, now, properties.read_expiration())
    keys = message.keys
    if options.dead_letter_key is not None:
        keys = (options.dead_letter_key,)
        headers.pop("CC", None)
    raw = properties.with_headers(headers, keep_expiration=False)
    return Message(options.dead_letter_exchange or "", keys, raw, message.body)


def _with_death(
    message: Message, queue: str, reason: str, now: int, expiration: str | None
) -> Table:
    headers = dict(message.headers)
    history = headers.get("x-death")
    earlier = list(history.value) if history and history.kind == "array" else []
    same = next((death for death in earlier if _is(death, queue, reason)), None)
    if same is not None:
        death = {**same.value, "count": Field("long", _count(same) + 1)}
        earlier.remove(same)
    else:
        copies = headers.get("CC")
        keys = [longstr(message.key), *(copies.value if copies else ())]
        death = {
            "count": Field("long", 1),
            "reason": longstr(reason),
            "queue": longstr(queue),
            "time": Field("timestamp", now),
            "exchange": longstr(message.exchange),
            "routing-keys": Field("array", keys),
        }
        if expiration is not None:
            death["original-expiration"] = longstr(expiration)
    if history is None:
        headers["x-first-death-reason"] = longstr(reason)
        headers["x-first-death-queue"] = longstr(queue)
        headers["x-first-death-exchange"] = longstr(message.exchange)
    headers["x-death"] = Field("array", [Field("table", death), *earlier])
    return headers


def _count(death: Field) -> int:
    """How often it happened before; a client may have written anything there."""
    count = death.value.get("count")
    return count.value if count and count.kind in INTEGERS and 0 <= count.value < _MOST else 0


def _is(death: Field, queue: str, reason: str) -> bool:
    return (
        death.kind == "table"
        and death.value.get("queue") == longstr(queue)
        and death.value.get("reason") == longstr(reason)
    )


def goes_in_a_circle(letter: Message, queue: str) -> bool:
    """Whether it has been in this queue before without anyone rejecting it since."""
    history = letter.headers.get("x-death")
    if history is None or history.kind != "array":
        return False
    for death in history.value:
        if death.kind != "table" or death.value.get("reason") == longstr("rejected"):
            return False
        if death.value.get("queue") == longstr(queue):
            return True
    return False
