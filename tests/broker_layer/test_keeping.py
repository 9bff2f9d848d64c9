"""A session kept: run again after each loss, told once per outage, ended promptly by the stop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from random import Random

import pytest

from orquestador.broker.keeping import Established, ForAPerson, keep, pause
from orquestador.errors import BrokerError, Conflict, Lost, Refused, Unreachable
from tests.broker_layer.looping import on_a_loop


class NoWait(Random):
    """Chance that never waits, and remembers how long it might have."""

    def __init__(self) -> None:
        super().__init__(0)
        self.ceilings: list[float] = []

    def uniform(self, a: float, b: float) -> float:
        self.ceilings.append(b)
        return 0.0


class Script:
    """A session that plays one step a run: does it work first, and which fault does it raise."""

    def __init__(self, *steps: tuple[bool, Exception | None]) -> None:
        self.steps = list(steps)
        self.told: list[str] = []
        self.chance = NoWait()
        self.stop = asyncio.Event()

    async def session(self, established: Established) -> None:
        works, fault = self.steps.pop(0)
        if works:
            established()
        if fault is not None:
            raise fault

    async def kept(self) -> None:
        await keep(
            self.session,
            self.stop,
            lost=lambda fault: self.told.append(str(fault)),
            random=self.chance,
        )


WORKS, FAILS = True, False


@on_a_loop
async def test_a_session_that_fails_is_run_again_until_it_returns() -> None:
    script = Script((FAILS, Unreachable("no")), (FAILS, Lost("gone")), (WORKS, None))
    await script.kept()

    assert script.steps == []


@on_a_loop
async def test_an_outage_is_told_once_and_the_next_one_again() -> None:
    script = Script(
        (FAILS, Unreachable("first")),
        (FAILS, Unreachable("still")),
        (WORKS, Lost("second")),
        (FAILS, Unreachable("still")),
        (WORKS, None),
    )
    await script.kept()

    assert script.told == ["first", "second"]


@on_a_loop
async def test_waits_grow_within_an_outage_and_begin_anew_in_the_next() -> None:
    down = (FAILS, Unreachable("no"))
    script = Script(down, down, down, (WORKS, Lost("again")), down, (WORKS, None))
    await script.kept()

    assert script.chance.ceilings == [0.1, 0.2, 0.4, 0.1, 0.2]


@pytest.mark.parametrize("fault", [Refused("password"), Conflict("inequivalent")])
def test_what_a_person_must_mend_is_raised_if_it_never_worked(fault: BrokerError) -> None:
    @on_a_loop
    async def story() -> None:
        with pytest.raises(type(fault)):
            await Script((FAILS, Unreachable("no")), (FAILS, fault)).kept()

    story()


@pytest.mark.parametrize("fault", [Refused("password"), Conflict("inequivalent")])
def test_the_same_is_waited_out_once_it_has_worked(fault: BrokerError) -> None:
    @on_a_loop
    async def story() -> None:
        script = Script((WORKS, Lost("gone")), (FAILS, fault), (FAILS, fault), (WORKS, None))
        await script.kept()

        assert script.steps == [] and script.told == ["gone"]

    story()


@pytest.mark.parametrize("fault", [Refused("password"), Conflict("inequivalent")])
def test_a_session_may_say_that_waiting_mends_nothing(fault: BrokerError) -> None:
    @on_a_loop
    async def story() -> None:
        script = Script((WORKS, Lost("gone")), (WORKS, ForAPerson(fault)))
        with pytest.raises(type(fault)) as raised:
            await script.kept()

        assert raised.value is fault and script.told == ["gone"]

    story()


@on_a_loop
async def test_a_defect_is_raised_even_after_it_has_worked() -> None:
    script = Script((WORKS, Lost("gone")), (WORKS, ValueError("a bug")))

    with pytest.raises(ValueError, match="a bug"):
        await script.kept()


async def ends_within(seconds: float, keeping: Callable[[], object]) -> None:
    started = time.monotonic()
    await keeping()  # type: ignore[misc]
    assert time.monotonic() - started < seconds


@on_a_loop
async def test_a_stop_ends_a_long_pause_at_once() -> None:
    script = Script((FAILS, Unreachable("no")))

    class Patient(NoWait):
        def uniform(self, a: float, b: float) -> float:
            asyncio.get_running_loop().call_soon(script.stop.set)
            return 1000.0

    script.chance = Patient()
    await ends_within(5, script.kept)


@on_a_loop
async def test_a_session_that_leaves_by_itself_is_waited_for() -> None:
    stop, left = asyncio.Event(), []

    async def session(_established: Established) -> None:
        asyncio.get_running_loop().call_soon(stop.set)
        await stop.wait()
        await asyncio.sleep(0.05)  # a goodbye
        left.append(True)

    await keep(session, stop, lost=lambda _fault: None)
    assert left


@on_a_loop
async def test_a_session_that_hangs_is_cancelled_a_second_after_the_stop() -> None:
    stop, cancelled = asyncio.Event(), []

    async def session(_established: Established) -> None:
        asyncio.get_running_loop().call_soon(stop.set)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    await ends_within(5, lambda: keep(session, stop, lost=lambda _fault: None))
    assert cancelled


@on_a_loop
async def test_a_loss_on_the_way_out_is_not_told() -> None:
    script = Script()

    async def session(_established: Established) -> None:
        script.stop.set()
        raise Lost("the broker went first")

    await keep(session, script.stop, lost=lambda fault: script.told.append(str(fault)))
    assert script.told == []


@on_a_loop
async def test_a_stop_before_the_start_runs_nothing() -> None:
    script = Script()
    script.stop.set()
    await script.kept()


@on_a_loop
async def test_a_pause_says_whether_it_was_stopped() -> None:
    stop = asyncio.Event()
    assert not await pause(0.0, stop)

    stop.set()
    assert await pause(1000.0, stop)
