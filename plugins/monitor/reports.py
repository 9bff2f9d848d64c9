"""Rows and changes as observers and the wire see them: `Status` and `Board`, in wall-clock time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from orquestador.board import Board, Undeclared
from orquestador.board import Row as BoardRow
from orquestador.events import Instances, State, Status, timestamp

from .evidence import Changed
from .row import Row, Rules
from .watch import Watch

Wall = Callable[[float], datetime]


def wall_now() -> Wall:
    """Monotonic moments as UTC, by the clock as it stands now: a step of it moves all alike."""
    present, now = datetime.now(UTC), time.monotonic()
    return lambda moment: present - timedelta(seconds=now - moment)


@dataclass(frozen=True, slots=True)
class By:
    """Who reports and when: the monitor's name, the epoch of its lead, the moment, its UTC."""

    monitor: str
    epoch: int
    now: float
    wall: Wall

    @classmethod
    def at_present(cls, monitor: str, epoch: int, now: float) -> By:
        return cls(monitor, epoch, now, wall_now())


def first_status(row: Row, rules: Rules, by: By) -> Status:
    """How a service stands when an observer comes: no change, `previous` is null."""
    return _status(row, rules, None, "start", {}, None, by)


def repeated_status(row: Row, rules: Rules, by: By) -> Status:
    """How a service stands, said again for who has started since: `previous` is the state."""
    return _status(row, rules, row.state, "repeat", {}, None, by)


def changed_status(change: Changed, rules: Rules, by: By) -> Status:
    evidence, lost = dict(change.evidence), change.lost
    return _status(change.row, rules, change.previous, change.detected_by, evidence, lost, by)


def _status(
    row: Row,
    rules: Rules,
    previous: State | None,
    detected_by: str,
    evidence: dict[str, object],
    lost: str | None,
    by: By,
) -> Status:
    down = row.state is State.DOWN
    return Status(
        service=row.service,
        state=row.state,
        previous=previous,
        reason=row.reason,
        text=row.text,
        since=timestamp(by.wall(row.since)),
        at=timestamp(by.wall(by.now)),
        detected_by=detected_by,
        evidence={"monitor": by.monitor, **evidence},
        instances=Instances(
            live=0 if not row.active else len(row.live(rules)), expected=rules.replicas, lost=lost
        ),
        incident=row.incident,
        epoch=by.epoch,
        not_before=_moment(row.not_before, by) if down else None,
        # A repeat comes later than the detection, which is when the state was entered.
        not_after=_moment(row.since, by) if down else None,
    )


def _moment(moment: float | None, by: By) -> str | None:
    return None if moment is None else timestamp(by.wall(moment))


def board(watch: Watch, by: By) -> Board:
    """All services as they stand; `stale` where the monitor is blind."""
    blind = watch.doubt.blind or watch.unled
    return Board(
        watcher=by.monitor,
        at=by.wall(by.now),
        rows=tuple(
            BoardRow(
                service=row.service,
                state=row.state,
                reason=row.reason,
                text=row.text,
                since=by.wall(row.since),
                round_trip=row.round_trip,
                last_echo=None if row.last_echo is None else by.wall(row.last_echo),
                live=len(row.live(watch.rules[row.service])) if row.active else 0,
                expected=watch.rules[row.service].replicas,
                stale=blind is not None or row.unseen is not None,
            )
            for row in watch.rows.values()
        ),
        undeclared=tuple(
            Undeclared(name, by.wall(at)) for name, at in watch.undeclared.last_echo.items()
        ),
        blind=blind,
        leads=watch.leading,
        rounds=watch.round,
        rejected=watch.rejected,
    )
