"""A run that was recorded, judged again: the same changes, from the file alone."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.programs import ROOT, MonitorProgram, Program, run
from tests.support.waiting import eventually

RUNNER = str(ROOT / "runner.py")
MONITOR = (RUNNER, "--role", "monitor", "--json")
EXACTLY = ("service", "state", "reason", "previous", "text", "incident", "instances")
APART = timedelta(milliseconds=50)  # a moment of the run, and the same reckoned from its start


@dataclass(frozen=True)
class Replayed:
    code: int
    changes: list[dict[str, Any]]
    errors: str


def replay(file: Path) -> Replayed:
    """Without a broker: there is none at that address."""
    code, out, err = run(*MONITOR, "--url", "amqp://127.0.0.1:1/", "--replay", str(file))
    return Replayed(code, changes(out.splitlines()), err)


def changes(lines: list[str]) -> list[dict[str, Any]]:
    return [event for event in map(json.loads, lines) if event["event"] == "status"]


def same(again: list[dict[str, Any]], seen: list[dict[str, Any]]) -> bool:
    """Whether all changes were said again, with what they were said with."""
    return len(again) == len(seen) and all(
        all(one[key] == other[key] for key in EXACTLY)
        and all(abs(moment(one, key) - moment(other, key)) <= APART for key in ("since", "at"))
        for one, other in zip(again, seen, strict=True)
    )


def moment(change: dict[str, Any], key: str) -> datetime:
    return datetime.fromisoformat(change[key])


@pytest.fixture
def paced(tmp_path: Path) -> str:
    """The project's file, with a monitor that settles sooner."""
    changed = yaml.safe_load((ROOT / "topology.yaml").read_text())
    changed["services"]["monitor"].update(ping_every="300ms", settle="500ms")
    file = tmp_path / "topology.yaml"
    file.write_text(yaml.safe_dump(changed))
    return str(file)


@pytest.mark.broker
def test_a_recorded_run_is_judged_again_as_it_was_by_whoever_led_or_stood_by(
    start: Callable[..., Program], url: str, paced: str, tmp_path: Path
) -> None:
    there = ("--topology", paced, "--url", url)
    mock = (RUNNER, "--role", "mock", "--name", "mock1", *there)
    records = [tmp_path / "one", tmp_path / "another"]
    monitors = [start(*MONITOR, *there, "--record", str(r), monitor=True) for r in records]

    def both_say(state: str, service: str = "mock1") -> None:
        for monitor in monitors:
            assert isinstance(monitor, MonitorProgram)
            eventually(lambda monitor=monitor: monitor.state(service) == state)

    running = start(*mock)
    both_say("UP")
    both_say("DOWN", "mock2")
    running.signal(signal.SIGKILL)
    both_say("DOWN")
    running = start(*mock)
    both_say("UP")
    running.signal(signal.SIGINT)
    both_say("STOPPED")
    for monitor in monitors:
        monitor.signal(signal.SIGINT)

    for monitor, record in zip(monitors, records, strict=True):
        assert monitor.wait() == 0
        again = replay(record)
        assert (again.code, again.errors) == (0, "")
        assert same(again.changes, changes(monitor.lines))


@pytest.fixture
def record(tmp_path: Path) -> Path:
    """A recorded run of two services that never answer, which need not be there."""
    file = tmp_path / "record"
    rules: dict[str, Any] = {"mock1": {}, "mock2": {}}
    header = {
        "recording": 1,
        "monitor": "monitor",
        "within": 0.5,
        "settle": 0.0,
        "now": 100.0,
        "at": "2026-05-04T09:30:00Z",
        "monitors": ["monitor"],
        "rules": rules,
    }
    seeing = [["opened", 100.0], ["sent_own", 100.0, "a"], ["own_back", 100.1, "a"]]
    asking = [["lead", 100.1, 7], ["sent_round", 101.0, "b"], ["own_back", 101.1, "b"]]
    probing = [["sent_own", 101.5, "c"], ["own_back", 101.6, "c"]]
    silent = [["tick", 101.5], *probing, ["tick", 102.0], ["tick", 102.5]]
    file.write_text("".join(json.dumps(x) + "\n" for x in [header, *seeing, *asking, *silent]))
    return file


def down(replayed: Replayed) -> list[str]:
    return [change["service"] for change in replayed.changes if change["state"] == "DOWN"]


def test_a_recording_cut_in_the_middle_of_a_line_is_judged_up_to_it(record: Path) -> None:
    lines = record.read_bytes().splitlines(keepends=True)
    assert down(replay(record)) == ["mock1", "mock2"]

    record.write_bytes(b"".join(lines[:-2]) + lines[-2][:9])
    cut = replay(record)

    assert (cut.code, cut.errors) == (0, "")
    assert [change["state"] for change in cut.changes] == ["UNKNOWN"] * 2


@pytest.mark.parametrize(
    ("line", "text", "said"),
    [
        (1, "", "not a recorded line"),
        (1, '{"recording": 1}', "not a recorded line: Object missing required field `monitor`"),
        (4, "[", "not a recorded line"),
        (4, '["slept", 100.1]', "no input of a watch"),
        (4, '["tick", 100.1, "more"]', "no input of a watch"),
        (4, '["lead", 100.1, "seven"]', "lead: Expected `int`, got `str`"),
    ],
)
def test_a_broken_recording_ends_with_78_and_names_the_line(
    record: Path, line: int, text: str, said: str
) -> None:
    lines = record.read_text().splitlines()
    record.write_text("\n".join([*lines[: line - 1], text, *lines[line:]]) + "\n")
    broken = replay(record)

    assert broken.code == 78
    assert f"{record}:{line}: {said}" in broken.errors


def test_a_recording_that_is_not_there_ends_with_78(tmp_path: Path) -> None:
    missing = replay(tmp_path / "missing")

    assert (missing.code, missing.changes) == (78, [])
    assert f"{tmp_path / 'missing'}: No such file" in missing.errors


def test_a_recording_that_cannot_be_written_ends_with_64(tmp_path: Path) -> None:
    code, out, err = run(*MONITOR, "--record", str(tmp_path / "no" / "folder"))

    assert (code, out) == (64, "")
    assert f"--record {tmp_path / 'no' / 'folder'}: No such file" in err


@pytest.mark.parametrize("more", [("--once",), ("--replay", "earlier")])
def test_a_run_that_is_no_watching_is_not_recorded_and_refused_with_64(
    tmp_path: Path, more: tuple[str, ...]
) -> None:
    code, out, err = run(
        *MONITOR, "--url", "amqp://127.0.0.1:1/", "--record", str(tmp_path / "record"), *more
    )

    assert (code, out) == (64, "")
    assert "--record is for a monitor that watches" in err
    assert not (tmp_path / "record").exists()
