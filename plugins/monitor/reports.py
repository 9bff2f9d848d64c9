"""Rows and changes as observers and the wire see them: `Status` and `Board`, in wall-clock time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from orquestador.board import Board, Undeclared
from orquestador.board import Row as BoardRow
from orquestador.events import Instances, State, Status, timestamp

from .evidence import Changed
from .row import Row, Rules
from .watch import Watch

Wall = Callable[[float], datetime]


def wall_at(now: float) -> Wall:
    """Monotonic moments as UTC, by the clock as it stands now: a step of it moves all alike."""
    present = datetime.now(UTC)
    return lambda moment: present - timedelta(seconds=now - moment)


def first_status(row: Row, rules: Rules, monitor: str, epoch: int, now: float) -> Status:
    """How a service stands when an observer comes: no change, `previous` is null."""
    return _status(row, rules, None, "start", {}, None, monitor, epoch, now)


def changed_status(change: Changed, rules: Rules, monitor: str, epoch: int, now: float) -> Status:
    return _status(
        change.row,
        rules,
        change.previous,
        change.detected_by,
        dict(change.evidence),
        change.lost,
        monitor,
        epoch,
        now,
    )


def _status(
    row: Row,
    rules: Rules,
    previous: State | None,
    detected_by: str,
    evidence: dict[str, object],
    lost: str | None,
    monitor: str,
    epoch: int,
    now: float,
) -> Status:
    wall = wall_at(now)
    down = row.state is State.DOWN
    return Status(
        service=row.service,
        state=row.state,
        previous=previous,
        reason=row.reason,
        text=row.text,
        since=timestamp(wall(row.since)),
        at=timestamp(wall(now)),
        detected_by=detected_by,
        evidence={"monitor": monitor, **evidence},
        instances=Instances(
            live=0 if not row.active else len(row.live(rules)), expected=rules.replicas, lost=lost
        ),
        incident=row.incident,
        epoch=epoch,
        not_before=timestamp(wall(row.last_echo)) if down and row.last_echo is not None else None,
        not_after=timestamp(wall(now)) if down else None,
    )


def board(watch: Watch, monitor: str, rounds: int, now: float) -> Board:
    """All services as they stand; `stale` where the monitor is blind."""
    wall = wall_at(now)
    blind = watch.doubt.blind
    return Board(
        watcher=monitor,
        at=wall(now),
        rows=tuple(
            BoardRow(
                service=row.service,
                state=row.state,
                reason=row.reason,
                text=row.text,
                since=wall(row.since),
                round_trip=row.round_trip,
                last_echo=None if row.last_echo is None else wall(row.last_echo),
                live=len(row.live(watch.rules[row.service])) if row.active else 0,
                expected=watch.rules[row.service].replicas,
                stale=blind is not None,
            )
            for row in watch.rows.values()
        ),
        undeclared=tuple(
            Undeclared(name, wall(at)) for name, at in watch.undeclared.last_echo.items()
        ),
        blind=blind,
        rounds=rounds,
        rejected=watch.rejected,
    )
