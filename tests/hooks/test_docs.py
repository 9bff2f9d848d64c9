"""docs/plugins.md: every hook has its paragraph, and every example is a plugin that works."""

from __future__ import annotations

import asyncio
import io
import re
import sys
from argparse import ArgumentParser, Namespace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from orquestador.board import Board, Notice, Row
from orquestador.events import Instances, State, Status, fitting, timestamp
from orquestador.hooks import hookspecs, loading
from orquestador.hooks.loading import Plugins
from orquestador.hooks.observers import Observers
from orquestador.hooks.registry import RoleContext
from orquestador.responder.answer import answer
from orquestador.settings import settle
from orquestador.topology.load import load as load_topology
from orquestador.topology.model import Service, Topology
from tests.hooks.test_observers import ECHO, PING, TOLD

TEXT = (Path(__file__).parents[2] / "docs" / "plugins.md").read_text(encoding="utf-8")
HOOKS = [name for name in vars(hookspecs) if hasattr(vars(hookspecs)[name], "orquestador_spec")]
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
EXAMPLES = [text for language, text in BLOCKS if language == "python"]
ENTRIES = [text for language, text in BLOCKS if language == "yaml"]
TOPOLOGY = """
version: 1
exchanges: {heartbeat: {type: topic}, events: {type: topic}}
roles:
  mock: {queues: {"ping.{service}": {bindings: [{exchange: heartbeat, key: all}]}}}
"""


def section(hook: str) -> str:
    """What stands under the hook's heading."""
    found = re.search(rf"^### {hook}\(.*?\)\n(.*?)(?=^##|\Z)", TEXT, re.MULTILINE | re.DOTALL)
    assert found, f"docs/plugins.md has no '### {hook}(...)'"
    return found[1]


def file_of(example: str) -> str:
    found = re.match(r"# plugins/(\w+\.py)\n", example)
    assert found, f"an example does not begin with '# plugins/NAME.py': {example[:60]!r}"
    return found[1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All examples in one folder, as a reader would have them."""
    there = tmp_path_factory.mktemp("docs") / "plugins"
    there.mkdir()
    for example in EXAMPLES:
        (there / file_of(example)).write_text(example, encoding="utf-8")
    return there


@pytest.fixture
def plugins(folder: Path) -> Plugins:
    return loading.load(folder.parent)


def module(name: str) -> Any:
    return sys.modules[f"orquestador_plugins.{name}"]


def context(plugins: Plugins, **arguments: Any) -> RoleContext:
    loop = asyncio.get_running_loop()
    return RoleContext(
        topology=Topology(Path("topology.yaml"), {}, {}, {}),
        service=Service("clock", "clock"),
        settings=settle(None, {}),
        arguments=Namespace(**arguments),
        stop=asyncio.Event(),
        observers=Observers(),
        registry=plugins.registry,
        loop=loop,
        out=io.StringIO(),
    )


def test_hooks_are_what_this_test_takes_them_for() -> None:
    assert set(HOOKS) == {*hookspecs.OBSERVERS, "register_roles", "register_responders"}


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_has_a_paragraph_and_an_example(hook: str) -> None:
    told = section(hook)
    paragraph = re.sub(r"^```.*?^```$", "", told, flags=re.MULTILINE | re.DOTALL)

    assert len(paragraph.split()) >= 20, f"{hook} is not explained"
    assert f"\n@hookimpl\ndef {hook}(" in told, f"{hook} has no example"


@pytest.mark.parametrize("hook", HOOKS)
def test_every_heading_has_the_arguments_that_the_hook_has(hook: str) -> None:
    code = getattr(hookspecs, hook).__code__
    arguments = ", ".join(code.co_varnames[: code.co_argcount])

    assert f"### {hook}({arguments})\n" in TEXT


def test_no_heading_is_of_a_hook_that_is_gone() -> None:
    assert set(re.findall(r"^### (\w+)\(", TEXT, re.MULTILINE)) == set(HOOKS)


def test_all_examples_load_together(plugins: Plugins) -> None:
    names = {file_of(example).removesuffix(".py") for example in EXAMPLES}

    assert names <= set(plugins.origins)
    assert len(names) == len(EXAMPLES)
    assert {"polite", "moody", "asleep"} <= set(plugins.registry.responders)
    assert {"clock", "greeting"} <= set(plugins.registry.roles)


def test_every_hook_of_the_examples_can_be_called(plugins: Plugins) -> None:
    now = datetime.now(UTC)
    row = Row("payments", State.UP, "answering", "answers", now, 0.004, now, 1, 1)
    status = Status(
        service="payments",
        state=State.DOWN,
        previous=State.SUSPECT,
        reason="silent",
        text="no echo",
        since=timestamp(),
        at="2026-05-04T09:30:00.250Z",
        detected_by="silence",
        evidence={},
        instances=Instances(live=0, expected=1, lost=None),
        incident="i",
        epoch=1,
        not_before=None,
        not_after=None,
    )
    telling: dict[str, Any] = {hook: what for hook, _, what in TOLD}
    telling["state_changed"] = status
    telling["round_finished"] = Board("watcher", now, (row, row))
    methods = {hook: method for hook, method, _ in TOLD}

    async def tell() -> Observers:
        made = context(plugins)
        made.observers.close()
        running = plugins.observers()
        for hook in methods:
            what = made if hook.startswith("service_") else telling[hook]
            getattr(running, methods[hook])(what)
        await asyncio.to_thread(running.close)
        return running

    running = asyncio.run(tell())

    assert running.failures == {}
    assert module("published").published == {"Ping": 1}
    assert module("received").last_health == {"payments": "ok"}
    assert list(module("rejected").latest) == ["not valid as echo"]
    assert module("changes").history == ["2026-05-04T09:30:00.250Z payments SUSPECT -> DOWN"]
    assert module("summary").states == {State.UP: 2}
    assert module("sight").blind_since == telling["noticed"].at
    module("sight").noticed(Notice("seeing", "its own ping is back", now))
    assert module("sight").blind_since is None


def test_the_responders_of_the_examples_answer(plugins: Plugins, tmp_path: Path) -> None:
    said = []
    for entry in ENTRIES:
        file = tmp_path / "topology.yaml"
        file.write_text(TOPOLOGY + entry, encoding="utf-8")
        topology = load_topology(file, plugins.registry.vocabulary())
        (service,) = topology.services.values()
        respond = plugins.registry.respond(service, "echo")
        said.append([answer(respond, PING, service.name) for _ in range(5)])

    polite, moody = said
    assert polite[0] and polite[0].details == {"said": "payments thanks you for ping 1"}
    assert [each.health.value for each in moody if each] == ["ok"] * 4 + ["degraded"]
    assert moody[-1] and moody[-1].details == {"tired_for": 0.5}
    assert yaml.safe_load(ENTRIES[0])["services"] == {
        "payments": {"role": "mock", "responder": "polite"}
    }


def test_a_responder_says_how_it_is_as_the_table_has_it() -> None:
    def raising(ping: object, service: str) -> None:
        raise OSError("no database")

    def said(what: Any) -> Any:
        respond = what if callable(what) else lambda ping, service: what
        found = answer(respond, PING, "payments")
        return found and (found.health.value, found.details)

    assert said({}) == ("ok", None)
    assert said({"a": 1}) == ("ok", {"a": 1})
    assert said({"health": "failing", "a": 1}) == ("failing", {"a": 1})
    assert said(ECHO) == ("ok", None)
    assert said(None) is None
    assert said(raising) == ("failing", {"error": "OSError: no database"})
    assert said({"a": "x" * 2000}) == ("ok", fitting({"a": "x" * 2000}))


def test_the_roles_of_the_examples_run(plugins: Plugins) -> None:
    parser = ArgumentParser()
    clock = plugins.registry.roles["clock"]
    assert clock.arguments is not None
    clock.arguments(parser)
    every = parser.parse_args(["--every", "0.01"]).every

    async def run(role: str) -> tuple[int, list[str]]:
        made = context(plugins, every=every)
        made.loop.call_later(0.05, made.stop.set)
        code = await plugins.registry.roles[role].run(made)
        made.observers.close()
        assert isinstance(made.out, io.StringIO)
        return code, made.out.getvalue().splitlines()

    code, lines = asyncio.run(run("clock"))
    assert code == 0 and len(lines) >= 2
    assert asyncio.run(run("greeting")) == (0, ["hello"])


def test_examples_use_public_names_only() -> None:
    public = set(re.findall(r"^\| `(orquestador[.\w]*)`", TEXT, re.MULTILINE))

    used = set(re.findall(r"^from (orquestador[.\w]*) import", "\n".join(EXAMPLES), re.MULTILINE))

    assert used and used <= public
