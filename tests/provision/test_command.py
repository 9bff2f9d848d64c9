"""The command line of provisioning: what goes with what, and the verbs that touch no broker."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from orquestador.provision.command import main
from orquestador.provision.command.parser import FORMATS, VERBS
from tests.provision.conftest import SMALL

ROOT = Path(__file__).resolve().parents[2]
Ran = tuple[int, str, str]
Run = Callable[..., Ran]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """In a folder with the experiment's own topology: code, output, errors."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "topology.yaml").write_text((ROOT / "topology.yaml").read_text())

    def ran(*words: str) -> Ran:
        code = main(words)
        said = capsys.readouterr()
        return code, said.out, said.err

    return ran


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("plan", "--force"), "--force goes with destroy, not with plan"),
        (("verify", "--migrate"), "--migrate goes with apply and plan, not with verify"),
        (("apply", "--detailed-exitcode"), "--detailed-exitcode goes with plan, not with apply"),
        (("validate", "--json"), "--json goes with apply, plan, verify, doctor and destroy"),
        (("plan", "definitions"), "'definitions' is one word too many after plan"),
        (("export",), "export needs a FORMAT: one of definitions, permissions"),
        (("export", "definition"), "'definition' is no format; did you mean 'definitions'?"),
        (("export", "mermaid", "--accounts"), "--accounts goes with export definitions"),
        (("import",), "import needs a SOURCE: a file, or - for stdin"),
    ],
)
def test_what_does_not_go_together_is_refused(run: Run, words: tuple[str, ...], said: str) -> None:
    code, out, err = run(*words)

    assert (code, out) == (64, "")
    assert said in err


def test_help_and_the_documents_name_every_verb_and_format(run: Run) -> None:
    code, out, _ = run("--help")
    documented = (ROOT / "docs" / "provisioning.md").read_text()

    assert code == 0
    assert all(f"\n  {verb} " in out and f"`{verb}" in documented for verb in VERBS)
    assert all(f"`{format}`" in documented for format in FORMATS)


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_is_written_to_standard_output(run: Run, format: str) -> None:
    code, out, err = run("export", format)

    assert (code, err) == (0, "")
    assert "mock1" in out or format == "schema"


def test_definitions_with_accounts_take_passwords_from_the_environment(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOCK1_PASSWORD", "only hashed")
    code, out, err = run("export", "definitions", "--accounts", "--create-vhost", "--vhost", "v")
    held = json.loads(out)

    assert code == 0 and "only hashed" not in out
    assert [user["name"] for user in held["users"]] == ["mock1"]
    assert {each["user"] for each in held["permissions"]} == {"monitor", "mock1", "mock2"}
    assert held["vhosts"] == [{"name": "v"}]
    assert "not set" in err and "MONITOR_PASSWORD, MOCK2_PASSWORD" in err


def test_what_is_exported_can_be_imported(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "topology.yaml").write_text(SMALL)
    _, definitions, _ = run("export", "definitions")
    monkeypatch.setattr("sys.stdin", io.StringIO(definitions))
    code, text, err = run("import", "-")
    (tmp_path / "topology.yaml").write_text(text)

    assert (code, err) == (0, "")
    assert run("validate")[0] == 0
    again = json.loads(run("export", "definitions")[1])
    assert sorted(map(str, again["queues"])) == sorted(map(str, json.loads(definitions)["queues"]))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{not json", "definitions.json:1: is not JSON"),
        (b"\xff\xfe", "definitions.json:1: is not UTF-8 text"),
        (b"[]", "definitions.json"),
        (None, "definitions.json:1: cannot be read: No such file"),
    ],
)
def test_what_cannot_be_imported_is_a_fault_of_the_file(
    run: Run, tmp_path: Path, content: bytes | None, said: str
) -> None:
    if content is not None:
        (tmp_path / "definitions.json").write_bytes(content)
    code, out, err = run("import", "definitions.json")

    assert (code, out) == (78, "")
    assert said in err


@pytest.mark.parametrize("verb", ["validate", "plan", "apply"])
def test_what_a_broker_plan_does_not_allow_is_refused_before_the_broker_is_asked(
    run: Run, tmp_path: Path, verb: str
) -> None:
    text = (tmp_path / "topology.yaml").read_text()
    (tmp_path / "topology.yaml").write_text(text + "limits: {messages_per_month: 1000000}\n")
    code, out, err = run(verb, "--url", "amqp://127.0.0.1:1/")

    assert (code, out) == (78, "")
    assert "limits.messages_per_month" in err and "would fit" in err


@pytest.mark.parametrize("content", ["{", '{"version": 2}', "<<<<<<< ours\n"])
def test_a_state_file_that_is_none_is_a_fault_and_the_broker_is_not_asked(
    run: Run, tmp_path: Path, content: str
) -> None:
    (tmp_path / "topology.state.json").write_text(content)
    code, out, err = run("plan", "--url", "amqp://127.0.0.1:1/")

    assert (code, out) == (78, "")
    assert err.startswith("topology.state.json:1:")
