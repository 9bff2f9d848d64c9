"""What a responder's return value, or its exception, says of a service's health.

Calling responders on workers and sending echoes is `serving.py`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from orquestador.events import Echo, Health, Ping, fitting

Respond = Callable[[Ping, str], Any]
Check = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Answer:
    health: Health = Health.OK
    details: dict[str, Any] | None = None


def answer(respond: Respond, ping: Ping, service: str) -> Answer | None:
    """Ask `respond(ping, service)`; None is silence.

    An Echo gives its health and details; a mapping is details, its `health` key the health; an
    exception is `failing`, its message in the details.
    """
    try:
        said = respond(ping, service)
        if said is None:
            return None
        if isinstance(said, Echo):
            return Answer(said.health, fitting(said.details))
        if isinstance(said, Mapping):
            details = dict(said)
            health = Health(details.pop("health", Health.OK))
            return Answer(health, fitting(details))
        raise TypeError(f"a responder returned {type(said).__name__}, not an Echo, a dict or None")
    except (Exception, SystemExit) as fault:  # sys.exit() on a worker ends nothing but the answer
        error = f"{type(fault).__name__}: {fault}"
        return Answer(Health.FAILING, {"error": error[:400]})


def checking(checks: Iterable[Check]) -> Respond:
    """A responder that runs the checks: ok when none raises and none returns False."""
    wanted = tuple(checks)

    def respond(_ping: Ping, _service: str) -> dict[str, Any]:
        failed = {}
        for check in wanted:
            name = getattr(check, "__name__", type(check).__name__)
            try:
                if check() is False:
                    failed[name] = "returned False"
            except Exception as fault:
                failed[name] = f"{type(fault).__name__}: {fault}"[:400]
        return {"health": Health.FAILING, "failed": failed} if failed else {}

    return respond
