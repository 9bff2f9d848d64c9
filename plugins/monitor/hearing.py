"""An echo as evidence: which round it answers, and whether its lateness may be judged."""

from __future__ import annotations

from orquestador.events import Echo

from .evidence import Goodbye, Heard, Hello
from .pings import Sent


def evidence_of(
    echo: Echo, sent: Sent | None, now: float, seen_since: float | None
) -> Hello | Goodbye | Heard:
    """`sent`: the ping that it names, if we know it.  `seen_since`: None while we are blind."""
    if echo.phase == "hello":
        return Hello(echo.instance)
    if echo.phase == "goodbye":
        return Goodbye(echo.instance)
    timed = (
        sent is not None
        and sent.trusted
        and not echo.redelivered
        and seen_since is not None
        and sent.at >= seen_since
    )
    return Heard(
        echo.instance,
        echo.health,
        echo.ping,
        None if sent is None else sent.sequence,
        now - sent.at if sent is not None and timed else None,
        echo.redelivered,
        echo.details,
        None if sent is None else sent.at,
    )
