"""Threads for people's code: whatever it does, it costs its own answer only."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable

import pytest

from orquestador.broker.loop_thread import LoopThread
from orquestador.broker.workers import Workers
from tests.broker_layer.looping import on_a_loop


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (lambda: int("x"), "invalid literal"),
        (lambda: next(iter([])), "StopIteration"),
        (lambda: sys.exit("enough"), "SystemExit: enough"),
    ],
)
def test_whatever_code_raises_comes_to_its_caller(code: Callable[[], object], said: str) -> None:
    @on_a_loop
    async def story() -> None:
        workers = Workers(1, "test")
        with pytest.raises(Exception, match=said):
            await workers.call(code)

        assert await workers.call(lambda: "still at work") == "still at work"
        workers.close()

    story()


@on_a_loop
async def test_code_that_hangs_holds_its_own_thread_only() -> None:
    workers, held = Workers(2, "test"), threading.Event()
    hanging = asyncio.create_task(workers.call(held.wait))

    assert await workers.call(lambda: 1) == 1
    assert await workers.call(lambda: 2) == 2
    assert not hanging.done()
    held.set()
    await hanging
    workers.close()


@on_a_loop
async def test_a_worker_knows_that_it_is_one() -> None:
    workers = Workers(1, "test")

    assert await workers.call(lambda: workers.here)
    assert not workers.here
    workers.close()


def test_a_call_to_a_loop_that_has_ended_ends_too() -> None:
    async def life(stop: asyncio.Event) -> None:
        await stop.wait()

    thread = LoopThread("test", life)
    assert thread.call(asyncio.sleep(0, "done"), 5) == "done"
    assert thread.stop(5)

    with pytest.raises(Exception) as raised:
        thread.call(asyncio.sleep(0), None)
    assert "Cancelled" in raised.typename


def test_a_call_under_way_ends_with_its_loop() -> None:
    async def life(stop: asyncio.Event) -> None:
        await stop.wait()
        raise ValueError("the reason")

    thread = LoopThread("test", life)
    thread.post(thread.post, thread._stop.set)
    with pytest.raises(Exception) as raised:
        thread.call(asyncio.Event().wait(), 5)

    assert "Cancelled" in raised.typename
    assert str(thread.failed) == "the reason"
