"""What a monitor that does not lead keeps of a service: warm, without judging.  Pure.

Instances and last echoes it takes from the echoes, state and incident from the leader's statuses.
"""

from __future__ import annotations

from msgspec.structs import replace

from orquestador.events import State, Status

from .evidence import Evidence, Goodbye, Heard, Pinged
from .instances import lost_by, parted, with_instance, without
from .row import WORDS_KEPT, Row, Rules


def follow(row: Row, seen: Evidence, now: float, rules: Rules) -> Row:
    match seen:
        case Heard() if seen.instance not in row.parted:
            lost = lost_by(row, seen)
            row = with_instance(row, seen, now, rules)
            if lost is not None:
                row = without(row, lost)
            words = row.words
            if seen.instance not in words:
                words = (*words, seen.instance)[-WORDS_KEPT:]
            # An echo of this session's pings shows that it is back after whatever ended the last.
            judged = row.judged or (seen.sequence is not None and not seen.redelivered)
            ping = seen.ping or row.last_ping
            return replace(row, words=words, last_echo=now, last_ping=ping, judged=judged)
        case Pinged():
            return replace(row, round=max(row.round, seen.sequence))
        case Goodbye() if seen.instance not in row.parted:
            return parted(row, seen.instance)
        case _:
            return row


def told(row: Row, status: Status, since: float) -> Row:
    """The row as the leader says it is.  `since`: the status' own, on our clock."""
    gone = status.state in (State.DOWN, State.STOPPED)
    return replace(
        row,
        state=status.state,
        reason=status.reason,
        text=status.text,
        since=since,
        not_before=None if row.last_echo is None else min(row.last_echo, since),
        # The incident is named on the change that ends it, and is over then.
        incident=status.incident if status.state is State.DOWN else None,
        instances={} if gone else row.instances,
        returned=0,
    )
