"""Observer hooks: each is called, in order, on a thread of its own; none harms another."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from orquestador.board import Board, Notice
from orquestador.errors import EventError
from orquestador.events import Echo, Health, Ping, Sender, timestamp
from orquestador.hooks import hookspecs, loading, observers
from orquestador.hooks.observers import Observer, Observers
from tests.hooks.conftest import Write
from tests.support.waiting import eventually

PING = Ping(
    id="p",
    sequence=1,
    sender=Sender(service="watcher", instance="w"),
    epoch=0,
    sent_at=timestamp(),
    every=1.0,
)
ECHO = Echo(
    phase="alive",
    ping="p",
    sequence=1,
    service="payments",
    instance="i",
    started_at=timestamp(),
    redelivered=False,
    health=Health.OK,
)
TOLD: list[tuple[str, str, Any]] = [
    ("service_started", "started", object()),
    ("event_published", "published", PING),
    ("event_received", "received", ECHO),
    ("event_rejected", "rejected", EventError("not valid as echo")),
    ("state_changed", "changed", object()),
    ("noticed", "noticed", Notice("blind", "connection lost", datetime.now(UTC))),
    ("round_finished", "board", Board("watcher", datetime.now(UTC), ())),
    ("service_stopping", "stopping", object()),
]

Told = list[tuple[str, Any, threading.Thread]]
Start = Callable[..., Observers]


@pytest.fixture
def start() -> Iterator[Start]:
    """`start(hook=[functions])`: observers of those hooks, each function a plugin of its name."""
    running: list[Observers] = []

    def begin(**by_hook: list[Callable[[Any], object]]) -> Observers:
        wrapped = {
            hook: [
                Observer(each.__name__, lambda it, f=each: f(it), _given(hook)) for each in found
            ]
            for hook, found in by_hook.items()
        }
        running.append(Observers(wrapped))
        return running[-1]

    yield begin
    for each in running:
        each.close()


def _given(hook: str) -> list[str]:
    return list(hookspecs.OBSERVERS[hook].__code__.co_varnames)


def boards(count: int) -> list[Board]:
    return [Board("watcher", datetime.now(UTC), (), rounds=number) for number in range(count)]


@pytest.mark.parametrize(("hook", "method", "what"), TOLD, ids=[hook for hook, *_ in TOLD])
def test_each_hook_is_called_with_what_happened_on_the_observers_thread(
    start: Start, hook: str, method: str, what: object
) -> None:
    told: Told = []

    def plugin(it: Any) -> None:
        told.append((hook, it, threading.current_thread()))

    running = start(**{hook: [plugin]})
    getattr(running, method)(what)
    running.close()

    ((_, got, thread),) = told
    assert got is what
    assert thread is not threading.current_thread() and thread.name == "observers"


def test_every_hook_has_its_test() -> None:
    assert {hook for hook, *_ in TOLD} == set(hookspecs.OBSERVERS)


def test_hooks_are_called_in_the_order_of_what_happened(start: Start) -> None:
    told: list[tuple[str, Any]] = []

    def teller(hook: str) -> Callable[[Any], None]:
        return lambda it: told.append((hook, it))

    running = start(**{hook: [teller(hook)] for hook in hookspecs.OBSERVERS})
    for _, method, what in TOLD:
        getattr(running, method)(what)
    running.close()

    assert told == [(hook, what) for hook, _, what in TOLD]


def test_what_is_observed_is_told_to_plugins_of_files(plugin: Write) -> None:
    folder = plugin(
        "diary",
        """
        from orquestador import hookimpl

        lines = []

        @hookimpl
        def event_received(event):
            lines.append(type(event).__name__)

        @hookimpl
        def service_stopping():
            lines.append("end")
        """,
    )

    running = loading.load(None, [folder]).observers()
    running.received(PING)
    running.received(ECHO)
    running.stopping(object())
    running.close()

    import sys

    assert sys.modules["orquestador_plugins.diary"].lines == ["Ping", "Echo", "end"]


@pytest.mark.parametrize("fault", [RuntimeError("no disk"), SystemExit(1)], ids=repr)
def test_one_that_raises_is_counted_and_logged_and_silences_nobody(
    start: Start, caplog: pytest.LogCaptureFixture, fault: BaseException
) -> None:
    told: list[Any] = []

    def broken(_: Any) -> None:
        raise fault

    def sound(it: Any) -> None:
        told.append(it)

    running = start(event_received=[broken, sound], event_published=[sound])
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            running.received(ECHO)
        running.published(PING)
        running.close()

    assert told == [ECHO, ECHO, ECHO, PING]
    assert running.failures == {"broken": 3}
    (record,) = caplog.records
    assert "plugin 'broken' failed in event_received" in record.message
    assert record.exc_info and record.exc_info[1] is fault


def test_a_slow_observer_gets_the_newest_board_only(start: Start) -> None:
    entered, free = threading.Event(), threading.Event()
    shown: list[int] = []

    def slow(board: Board) -> None:
        shown.append(board.rounds)
        entered.set()
        free.wait(10)

    running = start(round_finished=[slow])
    first, *others = boards(5)
    running.board(first)
    assert entered.wait(10)
    for board in others:
        running.board(board)
    free.set()
    running.close()

    assert shown == [0, 4]


def test_a_slow_observer_delays_nobody_and_its_backlog_has_an_end(
    start: Start, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(observers, "WAITING_MAX", 5)
    entered, free = threading.Event(), threading.Event()
    told: list[Any] = []

    def slow(it: Any) -> None:
        entered.set()
        free.wait(10)
        told.append(it)

    running = start(state_changed=[slow])
    running.changed(0)
    assert entered.wait(10)
    with caplog.at_level(logging.WARNING):
        for number in range(1, 101):
            running.changed(number)
    free.set()
    eventually(lambda: len(told) == 6)
    running.changed(101)
    running.close()

    assert told == [0, 1, 2, 3, 4, 5, 101]
    assert running.dropped == 95
    assert [record.message for record in caplog.records] == [
        "an observer is too slow: calls of hooks are dropped"
    ]


def test_hooks_that_nobody_implements_cost_nothing(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(observers, "WAITING_MAX", 1)
    running = start()

    for _ in range(10):
        running.received(ECHO)

    assert running.dropped == 0


def test_closing_waits_for_what_was_said_but_not_for_ever(start: Start) -> None:
    free = threading.Event()
    told: list[Any] = []

    def stuck(it: Any) -> None:
        free.wait(10)
        told.append(it)

    running = start(state_changed=[stuck])
    running.changed(1)
    running.close(timeout=0.05)
    assert told == []

    free.set()
    running.close()
    assert told == [1]
