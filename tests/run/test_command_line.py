"""`runner.py`: what it takes, what it chooses, what it says when it cannot."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from orquestador.hooks import loading
from tests.run.conftest import TOPOLOGY, Runner

ROOT = Path(__file__).resolve().parents[2]
Write = Callable[[str, str], Path]

CLOCK = """
    from orquestador import Role, hookimpl

    def arguments(parser):
        parser.add_argument("--zone", default="UTC", help="the time zone")

    async def run(context):
        context.say(f"noon in {context.arguments.zone}")
        return 0

    @hookimpl
    def register_roles(register):
        register(Role("clock", "tells the time", run, arguments=arguments, standalone=True))
"""
WAITER = """
    from orquestador import Role, hookimpl

    async def run(context):
        context.say(f"{context.service.name} at {context.settings} {context.service.options}")
        return 3

    @hookimpl
    def register_roles(register):
        options = {"type": "object", "properties": {"tables": {"type": "integer"}}}
        register(Role("waiter", "serves", run, options=options))
"""


# -- choosing


def test_of_several_services_one_must_be_named(topology: Path, runner: Runner) -> None:
    assert runner("--role", "mock") == (
        64,
        "",
        "role 'mock' has several services; --name one of: payments, stock\n",
    )


def test_a_wrong_name_is_said_with_the_nearest(topology: Path, runner: Runner) -> None:
    code, out, err = runner("--role", "mock", "--name", "paymnts")

    assert (code, out) == (64, "")
    assert err == (
        "topology.yaml has no service 'paymnts'; did you mean 'payments'?"
        " (of role 'mock': payments, stock); one more is one more line under services:\n"
    )


def test_a_service_of_another_role_is_said_so(topology: Path, runner: Runner) -> None:
    assert runner("--role", "mock", "--name", "watcher") == (
        64,
        "",
        "service 'watcher' has the role 'monitor', not 'mock'\n",
    )


def test_a_wrong_role_is_said_with_the_nearest(topology: Path, runner: Runner) -> None:
    code, out, err = runner("--role", "mok")

    assert (code, out) == (64, "")
    assert err.startswith("no plugin provides the role 'mok'; did you mean 'mock'? (there are: ")
    assert "monitor" in err and err.count("\n") == 1


def test_a_role_that_only_the_file_knows_is_no_role_to_run(here: Path, runner: Runner) -> None:
    (here / "topology.yaml").write_text(
        TOPOLOGY.replace("services:", "  billing: {}\nservices:\n  bill: {role: billing}")
    )

    code, _, err = runner("--role", "billing")

    assert code == 64
    assert err.startswith("no plugin provides the role 'billing' (there are: ")


def test_a_role_without_a_service_is_said(topology: Path, plugin: Write, runner: Runner) -> None:
    plugin("waiting", WAITER)

    assert runner("--role", "waiter") == (
        64,
        "",
        "topology.yaml has no service of role 'waiter'\n",
    )


def test_the_only_service_of_a_role_needs_no_name(
    here: Path, plugin: Write, runner: Runner
) -> None:
    plugin("waiting", WAITER)
    (here / "topology.yaml").write_text(TOPOLOGY + "  ana: {role: waiter, tables: 4}\n")

    code, out, _ = runner("--role", "waiter", "--url", "amqp://bob:secret@127.0.0.1:1/v")

    assert code == 3
    assert out == "ana at amqp://bob:***@127.0.0.1:1/v {'tables': 4}\n"


@pytest.mark.parametrize(
    "argv",
    [
        (),
        ("--json",),
        ("--role", "mock", "--list"),
        ("--all", "--list"),
        ("--all", "--role", "mock"),
    ],
)
def test_one_thing_is_to_be_done(topology: Path, runner: Runner, argv: tuple[str, ...]) -> None:
    assert runner(*argv) == (
        64,
        "",
        "say exactly one of --role ROLE, --all and --list; --help shows more\n",
    )


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        (("--all", "--name", "mock1"), "--name goes with a --role"),
        (("--all", "--once"), "--once goes with a role that shows something"),
        (("--role", "mock", "--name", "mock1", "--once"), "--once goes with"),
        (("--role", "mock", "--name", "mock1", "--json"), "--json goes with --all, or with"),
        (("--list", "--json"), "--json goes with --all, or with"),
    ],
)
def test_what_does_not_go_together_is_refused_not_ignored(
    topology: Path, runner: Runner, argv: tuple[str, ...], text: str
) -> None:
    code, out, err = runner(*argv)

    assert (code, out) == (64, "")
    assert text in err


# -- arguments


@pytest.mark.parametrize("argv", [("--rol", "mock"), ("--role",), ("surprise",), ("--nme=x",)])
def test_a_wrong_option_is_usage(topology: Path, runner: Runner, argv: tuple[str, ...]) -> None:
    code, out, err = runner(*argv)

    assert (code, out) == (64, "")
    assert err.startswith("usage: ") and "Traceback" not in err


@pytest.mark.parametrize("argv", [("--help",), ("-h",), ("--role", "mock", "--help")])
def test_help_is_no_fault(here: Path, runner: Runner, argv: tuple[str, ...]) -> None:
    code, out, err = runner(*argv)

    assert (code, err) == (0, "")
    for word in ("--role", "--name", "--url", "AMQP_URL", "exit codes: 0 done"):
        assert word in out


def test_a_role_has_arguments_of_its_own(here: Path, plugin: Write, runner: Runner) -> None:
    plugin("clock", CLOCK)

    assert "--zone ZONE" in runner("--role", "clock", "--help").out
    assert runner("--role", "clock", "--zone", "CET") == (0, "noon in CET\n", "")
    assert runner("--role", "clock", "--zne", "CET").code == 64
    assert runner("--role", "mock", "--zone", "CET").code == 64


def test_a_standalone_role_needs_no_file_and_no_broker(
    here: Path, plugin: Write, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugin("clock", CLOCK)
    monkeypatch.setenv("AMQP_URL", "nonsense")

    assert runner("--role", "clock") == (0, "noon in UTC\n", "")
    assert not (here / "topology.yaml").exists()


# -- the list


def test_the_list_shows_what_there_is_and_where_it_came_from(
    topology: Path, plugin: Write, runner: Runner
) -> None:
    file = plugin("clock", CLOCK)

    code, out, err = runner("--list")

    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert "  clock          tells the time (plugin clock)" in lines
    assert "  slow           delay (plugin responders)" in lines
    assert "  echo           no options (plugin responders)" in lines
    assert f"  clock          {file.parent}" in lines
    assert f"  monitor        {loading.shipped()}" in lines
    assert "  payments       role mock, watched" in lines
    assert "  watcher        role monitor, not watched" in lines
    assert [line for line in lines if not line.startswith(" ")] == [
        "roles:",
        "responders:",
        "plugins:",
        "services of topology.yaml:",
    ]


def test_a_file_with_a_fault_does_not_keep_the_list_from_being_seen(
    here: Path, runner: Runner
) -> None:
    (here / "topology.yaml").write_text(TOPOLOGY.replace("slow", "slwo"))

    code, out, err = runner("--list")

    assert code == 78
    assert "  slow           delay (plugin responders)" in out.splitlines()
    assert "did you mean 'slow'?" in err


# -- files and addresses


def test_an_invalid_file_is_said_whole(here: Path, runner: Runner) -> None:
    (here / "topology.yaml").write_text(
        TOPOLOGY.replace("exchange: heartbeat, key: all", "exchange: heartbeet, key: all")
        .replace("role: monitor", "role: monitr")
        .replace("10ms", "soon")
    )

    code, out, err = runner("--role", "mock", "--name", "payments")

    assert (code, out) == (78, "")
    lines = err.splitlines()
    assert len(lines) == 3
    assert all(line.startswith("topology.yaml:") for line in lines)
    assert "'heartbeet'" in lines[0] and "'monitr'" in lines[1] and "'soon'" in lines[2]


def test_a_missing_file_is_said(here: Path, runner: Runner) -> None:
    code, out, err = runner("--role", "mock", "--topology", "nowhere.yaml")

    assert (code, out) == (78, "")
    assert err.startswith("nowhere.yaml") and err.count("\n") == 1


def test_a_folder_is_no_file(here: Path, runner: Runner) -> None:
    code, _, err = runner("--role", "mock", "--topology", str(here))

    assert code == 78
    assert err.count("\n") == 1


def test_a_missing_plugin_folder_is_said(topology: Path, runner: Runner) -> None:
    assert runner("--list", "--plugins", "plugns") == (
        78,
        "",
        "--plugins plugns: there is no such folder\n",
    )


def test_a_plugin_with_a_fault_is_said_with_its_line(
    topology: Path, plugin: Write, runner: Runner
) -> None:
    file = plugin("broken", "x = 1\nx = = 2\n")

    assert runner("--list") == (
        78,
        "",
        f"{file}:2: plugin 'broken' cannot be imported: invalid syntax\n",
    )


@pytest.mark.parametrize("source", ["--url", "AMQP_URL", "RABBITMQ_URL"])
@pytest.mark.parametrize(
    "url", ["http://ana:Zq9secret@rabbit", "amqp://ana:12/Zq9secret@rabbit", "Zq9secret"]
)
def test_a_wrong_address_is_usage_and_shows_no_password(
    topology: Path, runner: Runner, monkeypatch: pytest.MonkeyPatch, source: str, url: str
) -> None:
    argv = ["--role", "mock", "--name", "payments"]
    if source == "--url":
        argv += ["--url", url]
    else:
        monkeypatch.setenv(source, url)

    code, out, err = runner(*argv)

    assert (code, out) == (64, "")
    assert err.startswith(f"{source}: ") and err.count("\n") == 1
    assert "Zq9" not in err


# -- a reader that goes away


@pytest.mark.parametrize("option", ["--list", "--help"])
def test_a_reader_that_has_gone_ends_it_quietly(topology: Path, option: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    clean = {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"}

    with os.fdopen(writing, "wb") as closed:
        done = subprocess.run(
            [sys.executable, str(ROOT / "runner.py"), option],
            cwd=topology.parent,
            env=clean,
            stdout=closed,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )

    assert (done.returncode, done.stderr) == (0, "")
