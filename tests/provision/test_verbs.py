"""The verbs as commands on a broker: what they print, and the exit codes that scripts go by.

In this process: what a fresh one costs, and Ctrl+C, is `test_provision.py`'s.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from orquestador.provision.command import main
from tests.broker_layer.witness import Witness
from tests.provision.conftest import SMALL
from tests.provision.test_provision import many
from tests.support.rabbitmq import Node

pytestmark = [pytest.mark.broker, pytest.mark.one_broker]
Ran = tuple[int, str, str]
Run = Callable[..., Ran]


@pytest.fixture
def run(
    tmp_path: Path,
    url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """On SMALL, in a folder of its own: code, output, errors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AMQP_URL", url)
    (tmp_path / "topology.yaml").write_text(SMALL)

    def ran(*words: str) -> Ran:
        code = main(words)
        said = capsys.readouterr()
        return code, said.out, said.err

    return ran


def edit(folder: Path, old: str, new: str) -> None:
    file = folder / "topology.yaml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def test_a_plan_says_what_apply_then_does(run: Run, witness: Witness) -> None:
    assert run("plan")[0] == 0 and not witness.exists("work")
    code, out, _ = run("plan", "--detailed-exitcode")
    assert code == 2 and out.splitlines()[-1] == "7 to create"

    assert run("apply")[:2][1].splitlines()[-1] == "7 created"
    code, out, _ = run("plan", "--detailed-exitcode")
    assert code == 0 and "in step: 7 things" in out
    assert run("apply")[:2] == (0, "nothing changed: 7 already there\n")


def test_verify_ends_with_2_on_drift_and_says_that_bindings_are_unchecked(
    run: Run, witness: Witness
) -> None:
    run("apply")
    code, out, _ = run("verify")
    assert code == 0 and "bindings are not checked" in out

    with witness.channel() as channel:
        channel.queue_delete("morgue")
    code, out, _ = run("verify")
    assert code == 2 and "+ queue    morgue" in out
    assert not witness.exists("morgue")


def test_a_plan_as_json_is_one_object(run: Run) -> None:
    code, out, _ = run("plan", "--json")
    said = json.loads(out)

    assert code == 0
    assert (said["version"], said["pending"], said["in_step"]) == (1, 7, False)


def test_what_the_file_dropped_is_shown_and_pruned_when_asked(
    run: Run, tmp_path: Path, witness: Witness
) -> None:
    run("apply")
    edit(tmp_path, "  morgue:\n    bindings: [{exchange: dead}]\n", "")
    witness.put("", "morgue", b"held")

    assert "it holds 1 message" in run("apply", "--prune")[1] and witness.exists("morgue")
    witness.take("morgue")
    code, out, _ = run("apply")
    assert code == 0 and "no longer in the file" in out and witness.exists("morgue")
    code, out, _ = run("apply", "--prune")
    assert code == 0 and "removed" in out and not witness.exists("morgue")
    assert "morgue" not in (tmp_path / "topology.state.json").read_text()


def test_a_difference_is_recreated_or_migrated_when_asked(
    run: Run, tmp_path: Path, witness: Witness
) -> None:
    run("apply")
    edit(tmp_path, "max_length: 100", "max_length: 200")
    code, out, _ = run("plan")
    assert code == 4 and "max_length  broker 100  file 200" in out
    assert run("apply")[0] == 4
    assert run("apply", "--recreate")[0] == 0

    edit(tmp_path, "max_length: 200", "max_length: 300")
    witness.put("orders", "order.new", b"kept")
    assert run("apply", "--recreate")[0] == 4
    code, out, _ = run("apply", "--migrate")
    assert code == 0 and "1 message moved" in out
    assert run("verify")[0] == 0 and witness.messages("work") == 1


def test_destroy_leaves_messages_unless_forced(run: Run, witness: Witness) -> None:
    run("apply")
    witness.put("", "work", b"held")

    code, out, _ = run("destroy")
    assert code == 0 and "left: it holds 1 message" in out
    assert witness.exists("work") and not witness.exists("morgue")
    code, out, _ = run("destroy", "--force")
    assert code == 0 and not witness.exists("work") and not witness.has_exchange("orders")
    assert run("destroy")[:2] == (0, "nothing changed\n")


def test_the_doctor_s_last_line_says_whether_they_will_do(run: Run) -> None:
    code, out, _ = run("doctor")

    assert code == 0
    assert out.splitlines()[-1].startswith("this broker and this account will do")
    assert json.loads(run("doctor", "--json")[1])["exit"] == 0


@pytest.mark.only_rabbitmq("the embedded broker has no management API")
def test_with_management_a_binding_that_is_missing_is_drift(
    run: Run, rabbitmq_node: Node, witness: Witness
) -> None:
    run("apply")
    management = ("--management", rabbitmq_node.management())
    assert run("verify", *management)[0] == 0

    with witness.channel() as channel:
        channel.queue_unbind("work", "orders", "order.*")
    code, out, _ = run("verify", *management)

    assert code == 2 and "+ binding  orders -> work (order.*)" in out


def test_a_management_api_that_does_not_answer_is_told_in_the_exit_code_too(run: Run) -> None:
    run("apply")
    code, out, err = run("verify", "--management", "http://guest:hidden@127.0.0.1:1")

    assert code == 3
    assert "bindings are not checked" in err and "hidden" not in out + err
    assert run("plan", "--management", "ftp://x")[0] == 64


def test_who_stops_reading_does_not_stop_the_work(
    run: Run, tmp_path: Path, witness: Witness
) -> None:
    (tmp_path / "topology.yaml").write_text(many(150))
    reading, writing = os.pipe()
    os.close(reading)
    command = (sys.executable, "-m", "orquestador.provision")
    ended = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, timeout=40)
    os.close(writing)

    assert (ended.returncode, ended.stderr) == (0, b"")
    assert witness.exists("q149")
