"""A role from start to end: signals, defects, and what observers are told of it."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.run.conftest import TOPOLOGY, Runner
from tests.support.programs import ROOT, Program, run
from tests.support.waiting import eventually

Write = Callable[[str, str], Path]
Start = Callable[..., Program]

STUBBORN = """
    import asyncio

    from orquestador import Role, hookimpl

    async def run(context):
        context.say("ready")
        await context.stop.wait()
        context.say("no")
        while True:
            await asyncio.sleep(60)

    @hookimpl
    def register_roles(register):
        register(Role("stubborn", "ignores the stop", run, standalone=True))
"""
OBEDIENT = """
    from orquestador import Role, hookimpl

    async def run(context):
        context.say("ready")
        await context.stop.wait()
        context.say("done")
        return 0

    @hookimpl
    def register_roles(register):
        register(Role("obedient", "ends when asked", run, standalone=True))

    @hookimpl
    def service_started(context):
        context.say(f"started {context.service.name}")

    @hookimpl
    def service_stopping(context):
        context.say(f"stopping {context.service.name}")
"""
DEFECTIVE = """
    from orquestador import Conflict, Refused, Role, Unreachable, hookimpl

    FAULTS = {
        "defect": ZeroDivisionError("by nothing"),
        "refused": Refused("ACCESS_REFUSED"),
        "conflict": Conflict("PRECONDITION_FAILED"),
        "unreachable": Unreachable("amqp://guest:***@127.0.0.1:1/: connection refused"),
    }

    def arguments(parser):
        parser.add_argument("--fault", required=True)

    async def run(context):
        raise FAULTS[context.arguments.fault]

    @hookimpl
    def register_roles(register):
        register(Role("defective", "fails", run, arguments=arguments, standalone=True))

    @hookimpl
    def service_stopping(context):
        print("stopping", flush=True)
"""


@pytest.mark.parametrize(
    ("fault", "code"), [("defect", 70), ("refused", 77), ("conflict", 4), ("unreachable", 69)]
)
def test_what_a_role_raises_ends_with_the_code_of_its_kind(
    plugin: Write, runner: Runner, fault: str, code: int
) -> None:
    plugin("defective", DEFECTIVE)

    ended = runner("--role", "defective", "--fault", fault)

    assert ended.code == code
    assert ended.out == "stopping\n"
    assert ("Traceback" in ended.err) == (code == 70)
    assert ("This is a defect of orquestador" in ended.err) == (code == 70)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_role_is_asked_to_end_and_observers_see_it_start_and_stop(
    here: Path, plugin: Write, start: Start, number: signal.Signals
) -> None:
    plugin("obedient", OBEDIENT)
    program = start(str(ROOT / "runner.py"), "--role", "obedient", cwd=here)
    program.says("ready")

    program.signal(number)

    assert program.wait() == 0
    assert program.errors == []
    assert sorted(program.lines) == ["done", "ready", "started obedient", "stopping obedient"]
    assert program.lines[-1] == "stopping obedient"


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_once_it_was_asked_ends_it_at_once(
    here: Path, plugin: Write, start: Start, first: signal.Signals
) -> None:
    plugin("stubborn", STUBBORN)
    program = start(str(ROOT / "runner.py"), "--role", "stubborn", cwd=here)
    program.says("ready")

    program.signal(first)
    program.says("no")
    assert program.running
    program.signal(signal.SIGINT)

    assert program.wait(5) == 130
    assert (program.lines, program.errors) == (["ready", "no"], [])


def test_a_second_sigterm_waits_on(here: Path, plugin: Write, start: Start) -> None:
    """Who stops a service (systemd, docker) may ask twice; only a person's Ctrl+C means at once."""
    plugin(
        "stubborn", STUBBORN.replace("sleep(60)", "sleep(0.02)\n            context.say('still')")
    )
    program = start(str(ROOT / "runner.py"), "--role", "stubborn", cwd=here)
    program.says("ready")

    program.signal(signal.SIGTERM)
    program.says("still")
    program.signal(signal.SIGTERM)
    # It is on the role's own loop that a signal is seen: ten turns later this one has been.
    said = len(program.lines)
    eventually(lambda: len(program.lines) >= said + 10 or not program.running)
    assert program.running
    program.signal(signal.SIGINT)

    assert program.wait(5) == 130


def test_what_the_terminal_cannot_show_costs_no_line(here: Path, plugin: Write) -> None:
    plugin(
        "arrow", STUBBORN.replace("await context.stop.wait()", "return 0").replace("ready", "→ é")
    )

    code, out, err = run(
        str(ROOT / "runner.py"),
        "--role",
        "stubborn",
        cwd=here,
        environ={"PYTHONIOENCODING": "ascii"},
    )

    assert (code, err) == (0, "")
    assert out == "? ?"


def test_all_starts_its_children_from_any_folder(here: Path, plugin: Write) -> None:
    plugin(
        "brief",
        """
        from orquestador import Role, hookimpl

        async def run(context):
            context.say(f"{context.service.name} was here, at {context.settings}")
            return 0

        @hookimpl
        def register_roles(register):
            register(Role("brief", "comes and goes", run))
        """,
    )
    text = TOPOLOGY.replace("role: monitor", "role: brief").replace("role: mock", "role: brief")
    (here / "topology.yaml").write_text(text.replace(", responder: slow, delay: 10ms", ""))

    code, out, err = run(
        str(ROOT / "runner.py"),
        "--all",
        cwd=here,
        environ={"AMQP_URL": "amqp://bob:secret@127.0.0.1:1/", "PYTHONPATH": ""},
    )

    assert (code, err) == (0, "")
    for name in ("watcher", "payments", "stock"):
        assert f"{name:<12} | {name} was here, at amqp://bob:***@127.0.0.1:1/" in out
    assert "secret" not in out
