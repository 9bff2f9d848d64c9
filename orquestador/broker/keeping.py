"""A session kept for ever: run, lost, waited, run again; each outage said once.

What a session does (connect, declare, consume) is its owner's.  Delays are `backoff.py`'s.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from random import Random
from typing import Any

from orquestador.backoff import delays
from orquestador.errors import BrokerError, Conflict, Refused

LEAVING = 1.0  # seconds for goodbye and the like; a frozen broker must not hold the process

Established = Callable[[], None]
Session = Callable[[Established], Awaitable[None]]


class ForAPerson(Exception):
    """A session raises it from where no waiting helps, though it has worked; `keep` raises `fault`.

    A part that the session was given later (a subscription) may be wrong from the first.
    """

    def __init__(self, fault: Refused | Conflict) -> None:
        super().__init__(str(fault))
        self.fault = fault


async def keep(
    session: Session,
    stop: asyncio.Event,
    *,
    lost: Callable[[BrokerError], None],
    random: Random | None = None,
) -> None:
    """Run `session` again whenever the broker fails it, until it returns or `stop` is set.

    The session calls what it is handed once it works: then the next outage is a new one, told to
    `lost` and waited for from the shortest delay on.  Before it ever worked, Refused and Conflict
    are for a person and are raised; later they are waited out like any outage, unless the session
    wraps one in ForAPerson.  Other exceptions are defects and are raised always.
    """
    chance = random or Random()
    waits: Iterator[float] = delays(random=chance)
    worked = told = False

    def established() -> None:
        nonlocal waits, worked, told
        waits, worked, told = delays(random=chance), True, False

    while not stop.is_set():
        try:
            await _until_left(asyncio.ensure_future(session(established)), stop)
            return
        except ForAPerson as last:
            raise last.fault from None
        except BrokerError as fault:
            if isinstance(fault, Refused | Conflict) and not worked:
                raise
            if not told and not stop.is_set():
                lost(fault)
                told = True
        await pause(next(waits), stop)


async def _until_left(session: asyncio.Future[Any], stop: asyncio.Event) -> None:
    """The session's end; one that does not leave in time after `stop` is cancelled."""
    stopping: asyncio.Future[Any] = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait([session, stopping], return_when=asyncio.FIRST_COMPLETED)
        if not session.done():
            await asyncio.wait([session], timeout=LEAVING)
    finally:
        stopping.cancel()
        session.cancel()
    with suppress(asyncio.CancelledError):
        await session


async def pause(seconds: float, stop: asyncio.Event) -> bool:
    """Wait so long or until `stop`; whether it was `stop`."""
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return False
    return True
