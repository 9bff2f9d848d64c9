"""`--all`: a broker where none is named, every service, one ending for all of them."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.programs import ROOT, Program
from tests.support.waiting import eventually

Start = Callable[..., Program]
ALL = (str(ROOT / "runner.py"), "--all")


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def pids(program: Program) -> dict[str, int]:
    """By what `--all` says of its children."""
    said = [line.split() for line in program.lines if " pid " in f" {line} "]
    return {words[0]: int(words[2]) for words in said if words[1:2] == ["pid"]}


@pytest.fixture
def everything(start: Start) -> Program:
    program = start(*ALL)
    program.says("mock2  UNKNOWN → UP")
    return program


def test_it_starts_a_broker_and_every_service_and_says_how_to_crash_one(
    everything: Program,
) -> None:
    assert set(pids(everything)) == {"broker", "mock1", "mock2", "monitor"}
    assert everything.says("mock1        pid").endswith(f"kill -9 {pids(everything)['mock1']}")
    again = everything.says("to bring one back")
    assert "--role mock --name mock2 --url amqp://guest:guest@127.0.0.1:" in again


def test_a_killed_service_is_seen_and_ends_nothing_else(everything: Program) -> None:
    os.kill(pids(everything)["mock2"], signal.SIGKILL)

    everything.says("mock2        | ended: SIGKILL")
    everything.says("UP → DOWN")
    assert everything.running


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_one_signal_ends_them_all(everything: Program, number: signal.Signals) -> None:
    children = pids(everything)
    everything.signal(number)

    assert everything.wait() == 0
    assert not any(alive(pid) for pid in children.values())


def test_children_end_with_a_parent_that_is_killed(everything: Program) -> None:
    children = pids(everything)
    everything.signal(signal.SIGKILL)

    eventually(lambda: not any(alive(pid) for pid in children.values()), within=15)


def test_a_display_that_is_killed_ends_it_and_is_named(everything: Program) -> None:
    os.kill(pids(everything)["monitor"], signal.SIGKILL)

    assert everything.wait() == signal.SIGKILL
    everything.says("monitor was ended by SIGKILL")


def test_json_holds_nothing_but_objects(start: Start) -> None:
    program = start(*ALL, "--json")
    program.says('"state":"UP"')
    program.signal(signal.SIGINT)

    assert program.wait() == 0
    said = [json.loads(line) for line in program.lines]
    assert all(each["event"] for each in said)
    started = {each["service"]: each for each in said if each["event"] == "started"}
    assert set(started) == {"broker", "mock1", "mock2", "monitor"}
    assert started["broker"]["url"].startswith("amqp://guest:guest@127.0.0.1:")


def test_a_reader_that_goes_ends_it(start: Start) -> None:
    program = start(*ALL)
    program.says("to bring one back")
    children = pids(program)
    assert program.process.stdout is not None
    program.stop_reading()

    assert program.wait() == 0
    assert not any(alive(pid) for pid in children.values())


def test_a_service_that_fails_by_itself_is_told_at_the_end(start: Start, tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "broken.py").write_text(
        "from orquestador import ConfigurationError, Role, hookimpl\n\n"
        "async def run(context):\n"
        "    raise ConfigurationError('no coffee left')\n\n"
        "@hookimpl\n"
        "def register_roles(register):\n"
        "    register(Role(name='barista', summary='serves', run=run))\n"
    )
    topology = tmp_path / "topology.yaml"
    topology.write_text((ROOT / "topology.yaml").read_text() + "  ana: {role: barista}\n")
    program = start(*ALL, "--json", "--topology", str(topology))
    program.says('"state":"UP"')
    program.signal(signal.SIGINT)
    program.wait()

    program.says("ana          | no coffee left")
