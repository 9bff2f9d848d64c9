"""Stories to watch: what goes wrong when, in a small world of three services (Hypothesis)."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from orquestador_plugins.monitor.row import Rules

from orquestador.events import Health, State

from .simulated import SETTLE, Monitor
from .world import QUICK, TOO_LATE, Process, World

STEADY, TARGET, PAIR = "steady", "target", "pair"
CALM = 30.0  # seconds after a story: every wait of the protocol is over by then

WHO = st.tuples(st.sampled_from([TARGET, PAIR]), st.integers(0, 1))
SECONDS = st.floats(0.01, 3.0)
LATE = st.floats(TOO_LATE + 0.1, 0.85)
OF_SERVICES = st.one_of(
    st.tuples(st.just("kill"), WHO),
    st.tuples(st.just("start"), WHO),
    st.tuples(st.just("stop"), WHO),
    st.tuples(st.just("freeze"), WHO),
    st.tuples(st.just("thaw"), WHO),
    st.tuples(st.just("cut"), WHO, SECONDS),
    st.tuples(st.just("slow"), WHO, LATE),
    st.tuples(st.just("ill"), WHO),
    st.tuples(st.just("well"), WHO),
    st.tuples(st.just("delete"), WHO, SECONDS),
    st.tuples(st.just("fail over"), WHO, SECONDS),
    st.tuples(st.just("full"), st.tuples(st.just(STEADY), st.just(0))),
)
OF_THE_WATCHING = st.one_of(
    st.tuples(st.just("sleep"), st.floats(0.05, 3.0)),
    st.tuples(st.just("block"), SECONDS),
    st.tuples(st.just("lose"), SECONDS),
    st.tuples(st.just("stall"), SECONDS),
    st.tuples(st.just("restart"), SECONDS, st.floats(0.01, SETTLE - 1.0)),
)
Story = list[tuple[float, tuple[Any, ...]]]


def stories(*acts: st.SearchStrategy[tuple[Any, ...]], most: int = 12) -> st.SearchStrategy[Story]:
    return st.lists(st.tuples(st.floats(0.0, 2.5), st.one_of(*acts)), max_size=most)


RULES = st.builds(
    Rules,
    down_after=st.integers(2, 4),
    up_after=st.integers(1, 3),
    grace=st.sampled_from([0.0, 0.0, 1.5]),
)
EVERY = st.sampled_from([0.5, 1.0, 3.0])
MANY = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=set(Phase) - {Phase.explain},  # it traces every line, and makes a story slow
)


def watched(rules: Rules, every: float = 1.0, **made: Any) -> Monitor:
    """Three services that are well, one of them two processes of which both are wanted."""
    world = World({STEADY: 1, TARGET: 1, PAIR: 2})
    all_rules = {STEADY: rules, TARGET: rules, PAIR: replace(rules, replicas=2)}
    monitor = Monitor(world, all_rules, every, **made)
    world.run(SETTLE + every)
    assert {row.state for row in monitor.watch.rows.values()} == {State.UP}
    return monitor


def happens(monitor: Monitor, story: Story) -> None:
    """Each act so many seconds after the one before; then some time of peace."""
    world = monitor.world
    full = restarted = float("-inf")
    for passed, act in story:
        world.run(world.clock.now + passed)
        match act:
            case ("full", _):
                if world.clock.now - full > 2.0:  # more would not be a service that is well
                    full, world.queues[STEADY].full = world.clock.now, 1
            case (str(what), (str(service), int(number)), *more):
                on_service(world, what, service, number, *more)
            case ("sleep", seconds):
                monitor.sleep(seconds)
            case ("block", seconds):
                monitor.block(seconds)
            case ("lose", seconds):
                monitor.lose(seconds)
            case ("stall", seconds):
                if world.clock.now - restarted < 2 * SETTLE:
                    continue  # its services could not come back before it has settled
                world.stalled = max(world.stalled, world.clock.now + seconds)
            case ("restart", away, back):
                restarted = world.clock.now
                world.restart(away, back)
                monitor.lose(away)
        world.clock.after(0.0, lambda: None)
    world.run(world.clock.now + CALM)


def on_service(world: World, what: str, service: str, number: int, *more: float) -> None:
    queue = world.queues[service]
    if what == "start":
        if len(queue.processes) < 3:
            world.start(service)
        return
    if what in ("delete", "fail over"):
        (world.delete if what == "delete" else world.fail_over)(service, *more)
        return
    if not queue.processes:
        return
    process: Process = queue.processes[number % len(queue.processes)]
    match what:
        case "kill":
            world.kill(service, process)
        case "stop" if process.answers:
            world.stop(service, process)
        case "freeze":
            world.freeze(process)
        case "thaw" if process.frozen:
            world.thaw(service, process)
        case "cut" if process.connected:
            world.cut(service, process, *more)
        case "slow":
            (process.trip,) = more
        case "ill":
            process.health = Health.FAILING
        case "well":
            process.trip, process.health = QUICK, Health.OK
