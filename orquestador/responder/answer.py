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
ERROR_MAX = 400  # bytes


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
            return Answer(Health(said.health), fitting(dict(said.details or {})))
        if isinstance(said, Mapping):
            details = dict(said)
            health = Health(details.pop("health", Health.OK))
            return Answer(health, fitting(details))
        raise TypeError(f"a responder returned {type(said).__name__}, not an Echo, a dict or None")
    except BaseException as fault:  # sys.exit() on a worker ends nothing but the answer
        return Answer(Health.FAILING, fitting({"error": _cut(_said(fault), ERROR_MAX)}))


def checking(checks: Iterable[Check]) -> Respond:
    """A responder that runs the checks: ok when none raises and none returns False."""
    wanted = tuple(checks)

    def respond(_ping: Ping, _service: str) -> dict[str, Any]:
        failed = {}
        for check in wanted:
            name = _line(str(getattr(check, "__name__", type(check).__name__)))
            try:
                if check() is False:
                    failed[name] = "returned False"
            except BaseException as fault:  # as in `answer`
                failed[name] = _said(fault)
        if not failed:
            return {}
        share = ERROR_MAX // len(failed)
        return {
            "health": Health.FAILING,
            "failed": {name: _cut(text, share) for name, text in failed.items()},
        }

    return respond


def _said(fault: BaseException) -> str:
    try:
        text = str(fault)
    except Exception:
        text = "(its text cannot be read)"
    return _line(f"{type(fault).__name__}: {text}")


def _line(text: str) -> str:
    """In one line, and such that it can be encoded: file names may hold surrogates."""
    text = text.encode(errors="backslashreplace").decode()
    return "".join(each if each.isprintable() else " " for each in text)


def _cut(text: str, size: int) -> str:
    return text.encode()[:size].decode(errors="ignore")
