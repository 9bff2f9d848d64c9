"""The role's two ways to run: watching for good, and `--once`."""

from __future__ import annotations

import asyncio
import gc
import time

from orquestador import ConfigurationError, Lost, RoleContext, UsageError
from orquestador.events import State

from .recording import open_record, replay
from .reports import By, board, first_status
from .session import Monitor
from .timing import timing

SEES_WITHIN = 3.0  # seconds from its connections to its first own ping
VERDICTS_WITHIN = 2.0  # seconds, or what the slowest service may take
LOOK_EVERY = 0.01  # seconds
UNDECIDED = (State.UNKNOWN, State.SUSPECT)
SOME_NOT_UP, INTERRUPTED = 1, 130


async def run(context: RoleContext) -> int:
    """The exit code; raises Refused and Conflict at start."""
    arguments = context.arguments
    if arguments.record and (arguments.once or arguments.replay):
        raise UsageError("--record is for a monitor that watches: without --once and --replay")
    if arguments.replay:
        return replay(arguments.replay, context)
    if not context.topology.watched:
        text = "nothing to watch: no service has a queue named ping. and its own name"
        raise ConfigurationError(f"{context.topology.path}: {text}")
    if arguments.once:
        return await once(context)
    pace = timing(context.topology, context.service, len(context.settings.addresses))
    _settle_memory()
    if not arguments.record:
        await Monitor(context, pace).run()
        return 0
    with open_record(arguments.record) as out:
        await Monitor(context, pace, out=out).run()
    return 0


def _settle_memory() -> None:
    """What is loaded by now stays: the collector need not look through it again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 100)


async def once(context: RoleContext) -> int:
    """Probe each service, wait for every verdict, show it: 0 all up, 1 some not.

    Raises Unreachable or Lost where there is no broker, or it keeps the monitor blind.  Epoch 0
    deposes nobody, publishes no status; it does not settle: it judges at the bound.
    """
    pace = timing(context.topology, context.service, len(context.settings.addresses))
    monitor = Monitor(context, pace, once=True)
    session = asyncio.create_task(monitor.session(lambda: None))
    try:
        await _verdicts(monitor, session)
        if context.stop.is_set():
            return INTERRUPTED  # no verdict, and 0 would be one
    finally:
        context.stop.set()
        await asyncio.wait([session])
    _show(context, monitor)
    up = all(row.state is State.UP for row in monitor.watch.rows.values())
    return 0 if up else SOME_NOT_UP


async def _verdicts(monitor: Monitor, session: asyncio.Task[None]) -> None:
    """Returns when each service has its verdict, or the time is over; raises what ended `session`.

    The time counts from the moment it sees: connecting has patience of its own.
    """
    connected: float | None = None
    while not monitor.sees and not session.done():
        if connected is None and monitor.watch.doubt.connected:
            connected = time.monotonic()
        if connected is not None and time.monotonic() - connected > SEES_WITHIN:
            raise Lost(f"the monitor is blind: {monitor.watch.doubt.blind}")
        await asyncio.wait([session], timeout=LOOK_EVERY)
    monitor.probe_all()
    slowest = max(rules.bound + rules.echo_within for rules in monitor.timing.rules.values())
    deadline = time.monotonic() + max(VERDICTS_WITHIN, slowest)
    while not session.done() and time.monotonic() < deadline:
        if all(row.state not in UNDECIDED for row in monitor.watch.rows.values()):
            return
        await asyncio.wait([session], timeout=LOOK_EVERY)
    if session.done():
        session.result()


def _show(context: RoleContext, monitor: Monitor) -> None:
    by = By.at_present(context.service.name, 0, time.monotonic())
    for service, row in monitor.watch.rows.items():
        rules = monitor.timing.rules[service]
        context.observers.changed(first_status(row, rules, by))
    context.observers.board(board(monitor.watch, by))
