"""The three terminals, as real processes on a real broker: a crash and a stop are seen."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest

from tests.support.programs import MonitorProgram, Program, run

pytestmark = pytest.mark.broker
Start = Callable[..., Program]


@pytest.fixture
def monitor(start: Start, url: str) -> MonitorProgram:
    program = start("runner.py", "--role", "monitor", "--json", "--url", url, monitor=True)
    assert isinstance(program, MonitorProgram)
    return program


@pytest.fixture
def mock(start: Start, url: str) -> Callable[[str], Program]:
    def begin(name: str) -> Program:
        return start("runner.py", "--role", "mock", "--name", name, "--url", url)

    return begin


def test_a_stopped_and_a_killed_service_show_as_inactive_and_come_back(
    monitor: MonitorProgram, mock: Callable[[str], Program]
) -> None:
    mock1, mock2 = mock("mock1"), mock("mock2")
    monitor.eventually("mock1", "UP")
    monitor.eventually("mock2", "UP")

    mark = monitor.mark
    mock1.signal(signal.SIGINT)
    mock2.signal(signal.SIGKILL)
    stopped = monitor.eventually("mock1", "STOPPED", within=2.5)
    down = monitor.eventually("mock2", "DOWN", within=1.0)

    assert mock1.wait() == 0
    assert (stopped["reason"], stopped["detected_by"]) == ("goodbye", "goodbye")
    assert (down["reason"], down["detected_by"]) == ("no consumer", "bounce")
    assert down["not_before"] <= down["not_after"]
    assert down["incident"]

    mock("mock1"), mock("mock2")
    monitor.eventually("mock1", "UP", after=mark)
    back = monitor.eventually("mock2", "UP", after=mark)
    assert back["incident"] == down["incident"]


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
def test_a_closed_terminal_is_a_clean_stop(
    monitor: MonitorProgram, mock: Callable[[str], Program], number: signal.Signals
) -> None:
    mock1 = mock("mock1")
    monitor.eventually("mock1", "UP")

    mock1.signal(number)

    assert mock1.wait() == 0
    assert monitor.eventually("mock1", "STOPPED", within=2.5)["reason"] == "goodbye"


def test_a_service_never_heard_of_is_unknown_then_down(monitor: MonitorProgram) -> None:
    first = monitor.eventually("mock1", "UNKNOWN")
    assert first["previous"] is None

    down = monitor.eventually("mock1", "DOWN", within=20)
    assert (down["reason"], down["not_before"]) == ("silent", None)


def test_the_monitor_started_last_sees_services_that_run(
    start: Start, mock: Callable[[str], Program], url: str
) -> None:
    mock("mock1").says("mock1 answers")
    monitor = start("runner.py", "--role", "monitor", "--json", "--url", url, monitor=True)

    assert isinstance(monitor, MonitorProgram)
    monitor.eventually("mock1", "UP")


def test_once_says_all_up_some_not_and_no_broker(mock: Callable[[str], Program], url: str) -> None:
    once = ("runner.py", "--role", "monitor", "--once", "--url")
    mock("mock1").says("mock1 answers")

    code, out, _ = run(*once, url)
    assert code == 1
    assert "mock1  UP" in out and "mock2  DOWN" in out

    mock("mock2").says("mock2 answers")
    code, out, _ = run(*once, url)
    assert (code, out.count("UP")) == (0, 2)

    code, out, err = run(*once, "amqp://guest:secret@127.0.0.1:1/")
    assert (code, out) == (69, "")
    assert "amqp://guest:***@127.0.0.1:1/" in err and "secret" not in err


def test_a_second_start_of_the_same_service_is_a_replica(
    monitor: MonitorProgram, mock: Callable[[str], Program]
) -> None:
    mock("mock1"), mock("mock1")

    monitor.eventually("mock1", "UP")
    mark = monitor.mark
    # Both answer in turn: neither is taken for a fault of the other.
    monitor.eventually("mock2", "DOWN", within=20)
    assert {e["state"] for e in monitor.events[mark:] if e.get("service") == "mock1"} <= {"UP"}
