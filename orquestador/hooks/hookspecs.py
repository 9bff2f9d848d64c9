"""The hooks a plugin may implement.  `docs/plugins.md` has a paragraph and an example for each.

The observers among them (all but the two that register) are called on one thread of their own, in
order: they never block detection, and one that raises is logged and does not silence the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pluggy

from orquestador.errors import EventError

if TYPE_CHECKING:
    from collections.abc import Callable

    from orquestador.board import Board, Notice
    from orquestador.events import Event, Status
    from orquestador.hooks.registry import Role, RoleContext

PROJECT = "orquestador"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def register_roles(register: Callable[[Role], None]) -> None:
    """Called once at start: `register(Role(...))` for each role this plugin provides."""


@hookspec
def register_responders(register: Callable[..., None]) -> None:
    """Called once at start: `register(name, function_or_class, options=JSON_SCHEMA)` for each."""


@hookspec
def service_started(context: RoleContext) -> None:
    """A role is about to run; before anything else is observed of it."""


@hookspec
def service_stopping(context: RoleContext) -> None:
    """The role has ended; nothing more is observed of it, and two seconds are left."""


@hookspec
def event_published(event: Event) -> None:
    """An event was handed to the broker."""


@hookspec
def event_received(event: Event) -> None:
    """An event arrived and was understood; at every ping and echo, so keep it cheap."""


@hookspec
def event_rejected(fault: EventError) -> None:
    """A message was not what it claimed to be and was rejected."""


@hookspec
def state_changed(change: Status) -> None:
    """A watched service's state or reason changed; once for each service at start, too."""


@hookspec
def noticed(notice: Notice) -> None:
    """Something about the watching itself changed: blind, seeing, an undeclared service, ..."""


@hookspec
def round_finished(board: Board) -> None:
    """A snapshot of everything watched: after each round and each change.  Old ones are skipped."""


OBSERVERS: dict[str, Any] = {
    spec.__name__: spec
    for spec in (
        service_started,
        service_stopping,
        event_published,
        event_received,
        event_rejected,
        state_changed,
        noticed,
        round_finished,
    )
}
