"""One row into another state: what every change carries, its incident among it.  Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from orquestador.events import State

from .evidence import Changed, Effect
from .row import Row

Judged = tuple[Row, tuple[Effect, ...]]


def changed(
    row: Row,
    state: State,
    reason: str,
    text: str,
    detected_by: str,
    now: float,
    *,
    lost: str | None = None,
    said: Mapping[str, Any] | None = None,
) -> Judged:
    """The row in that state; an effect only where (state, reason) differs."""
    if row.state is state and row.reason == reason:
        return (row if row.text == text else replace(row, text=text)), ()
    previous = row.state
    since = row.since if state is previous else now
    row = replace(row, state=state, reason=reason, text=text, since=since, waited=None)
    effect = Changed(row, previous, detected_by, said or {}, lost)
    # The incident is named on the change that ends it, and is over then.
    ended = state not in (State.DOWN, State.SUSPECT)
    return (replace(row, incident=None, returned=0) if ended else row), (effect,)


def down(
    row: Row,
    reason: str,
    text: str,
    detected_by: str,
    now: float,
    *,
    lost: str | None = None,
    said: Mapping[str, Any] | None = None,
) -> Judged:
    """The instances are forgotten, all of them were silent; their words stay known."""
    incident = row.incident or row.incident_now()
    before = row.not_before if row.state is State.DOWN else row.last_echo
    row = replace(row.fresh(), incident=incident, not_before=before, instances={}, returned=0)
    return changed(row, State.DOWN, reason, text, detected_by, now, lost=lost, said=said)
