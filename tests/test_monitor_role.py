"""The role as a process, where things are not as it would like: rights, alarms, missing parts."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.broker_layer.witness import Witness
from tests.conftest import AnyNode
from tests.support import rabbitmq
from tests.support.programs import ROOT, MonitorProgram, Program, run
from tests.support.waiting import eventually

pytestmark = pytest.mark.broker
Start = Callable[..., Program]
RUNNER = str(ROOT / "runner.py")
SEED = (ROOT / "topology.yaml").read_text()


@pytest.fixture
def watching(start: Start, url: str) -> Callable[..., MonitorProgram]:
    def begin(*more: str, topology: str = str(ROOT / "topology.yaml")) -> MonitorProgram:
        command = (RUNNER, "--role", "monitor", "--json", "--url", url, "--topology", topology)
        program = start(*command, *more, monitor=True)
        assert isinstance(program, MonitorProgram)
        return program

    return begin


def test_once_under_an_alarm_ends_with_69_and_says_why(own_node: AnyNode) -> None:
    own_node.alarm()
    try:
        code, out, err = run(RUNNER, "--role", "monitor", "--once", "--url", own_node.url)
    finally:
        own_node.lift_alarm()

    assert (code, out) == (69, "")
    assert "the monitor is blind" in err


def test_once_without_a_broker_says_what_to_try() -> None:
    code, out, err = run(RUNNER, "--role", "monitor", "--once", "--url", "amqp://127.0.0.1:1/")

    assert (code, out) == (69, "")
    assert "connection refused" in err and "try: start a broker there" in err


def test_once_that_is_interrupted_gives_no_verdict(start: Start, url: str) -> None:
    program = start(RUNNER, "--role", "monitor", "--once", "--url", url)
    witness = Witness(url)
    eventually(lambda: witness.has_exchange("heartbeat"))
    program.signal(signal.SIGINT)

    assert program.wait() == 130
    assert program.lines == []


def test_with_no_provision_it_declares_nothing_and_names_what_is_missing(
    watching: Callable[..., MonitorProgram], start: Start, url: str
) -> None:
    witness = Witness(url)
    monitor = watching("--no-provision")
    said = str(eventually(lambda: monitor.notices("blind"))[0]["text"])
    assert "no exchange 'heartbeat'" in said
    assert not witness.has_exchange("heartbeat")

    code, _, _ = run("-m", "orquestador.provision", "--url", url)
    assert code == 0
    witness.delete("ping.mock2")
    start(RUNNER, "--role", "mock", "--name", "mock1", "--url", url)
    monitor.eventually("mock1", "UP")

    second = watching("--no-provision")
    down = second.eventually("mock2", "DOWN")
    assert down["reason"] == "not provisioned"
    assert "no ping queue for mock2" in str(second.notices("warning")[0]["text"])
    assert not witness.exists("ping.mock2")


@pytest.mark.only_rabbitmq("the embedded broker has one user")
def test_an_account_that_may_not_publish_is_refused_at_start(
    rabbitmq_node: rabbitmq.Node, vhost: str, url: str
) -> None:
    assert run("-m", "orquestador.provision", "--url", url)[0] == 0
    rabbitmq_node.control("add_user", "listener", "secret")
    try:
        rabbitmq_node.control(
            "set_permissions", "-p", vhost, "listener", ".*", "^(echoes|ping).*", ".*"
        )
        address = f"amqp://listener:secret@127.0.0.1:{rabbitmq_node.port}/{vhost}"
        code, out, err = run(RUNNER, "--role", "monitor", "--url", address)
    finally:
        rabbitmq_node.control("delete_user", "listener")

    assert code == 77
    assert "heartbeat" in err and "secret" not in err + out


def test_one_whose_own_pings_cannot_come_back_says_that_it_is_blind(
    watching: Callable[..., MonitorProgram], tmp_path: Path
) -> None:
    """Its queue has lost its bindings to the heartbeat: it would never see, and never say so."""
    lines = SEED.splitlines(keepends=True)
    own = [i for i, line in enumerate(lines) if "exchange: heartbeat" in line][:2]
    deaf = tmp_path / "topology.yaml"
    deaf.write_text("".join(line for i, line in enumerate(lines) if i not in own))
    monitor = watching(topology=str(deaf))

    said = eventually(lambda: monitor.notices("blind"))[0]["text"]
    assert "own ping does not come back" in str(said)


def test_a_file_with_nothing_to_watch_is_a_fault(tmp_path: Path, url: str) -> None:
    alone = tmp_path / "topology.yaml"
    alone.write_text(SEED.partition("  mock1:")[0])
    code, _, err = run(RUNNER, "--role", "monitor", "--topology", str(alone), "--url", url)

    assert code == 78
    assert "nothing to watch" in err


def test_a_ping_queue_of_other_properties_is_said_and_used_as_it_is(
    watching: Callable[..., MonitorProgram], start: Start, tmp_path: Path, url: str
) -> None:
    older = tmp_path / "topology.yaml"
    older.write_text(SEED.replace("max_length: 10", "max_length: 11"))
    service = (RUNNER, "--role", "mock", "--name", "mock1", "--url", url)
    start(*service, "--topology", str(older)).says("mock1 answers")

    monitor = watching()

    monitor.eventually("mock1", "UP")
    warning = next(n for n in monitor.notices("warning") if n["service"] == "mock1")
    assert "inequivalent arg 'x-max-length'" in str(warning["text"])
    code, _, err = run(*service)
    assert code == 4
    assert "x-max-length" in err and "try: put the file's value back" in err


def test_a_service_that_the_file_does_not_know_is_said_and_not_judged(
    watching: Callable[..., MonitorProgram], start: Start, tmp_path: Path, url: str
) -> None:
    more = tmp_path / "topology.yaml"
    more.write_text(f"{SEED}  mock3: {{role: mock}}\n")
    monitor = watching()
    monitor.eventually("mock1", "UNKNOWN")
    mock3 = (RUNNER, "--role", "mock", "--name", "mock3", "--topology", str(more), "--url", url)
    start(*mock3).says("mock3 answers")

    notice = eventually(lambda: monitor.notices("undeclared"))[0]
    assert notice["service"] == "mock3"
    assert monitor.state("mock3") is None


def test_one_whose_file_has_no_queue_for_the_baton_says_which_line_to_add(tmp_path: Path) -> None:
    without = tmp_path / "topology.yaml"
    without.write_text("".join(x for x in SEED.splitlines(True) if "leader:" not in x))
    code, out, err = run(RUNNER, "--role", "monitor", "--topology", str(without))

    assert (code, out) == (78, "")
    assert "services.monitor: a monitor needs a queue 'leader'" in err
    assert f"      {err.partition('queues: ')[2].strip()}\n" in SEED


def test_with_no_provision_and_no_queue_for_the_baton_it_says_so_and_waits(
    watching: Callable[..., MonitorProgram], url: str
) -> None:
    provision = ("-m", "orquestador.provision", "--url", url)
    assert run(*provision)[0] == 0
    Witness(url).delete("leader")
    monitor = watching("--no-provision")

    said = eventually(lambda: [n for n in monitor.notices("blind") if "leader" in n["text"]])
    assert "queue 'leader' is missing; provision the topology first" in said[0]["text"]

    assert run(*provision)[0] == 0
    eventually(lambda: monitor.notices("leader"))


def test_once_with_two_replicas_that_both_run_ends_with_0(
    start: Start, tmp_path: Path, url: str
) -> None:
    pairs = tmp_path / "topology.yaml"
    pairs.write_text(SEED.replace("mock1: {role: mock}", "mock1: {role: mock, replicas: 2}"))
    there = ("--topology", str(pairs), "--url", url)
    for name in ("mock1", "mock1", "mock2"):
        start(RUNNER, "--role", "mock", "--name", name, *there).says(f"{name} answers")

    code, out, err = run(RUNNER, "--role", "monitor", "--once", *there)

    assert (code, err) == (0, ""), out
