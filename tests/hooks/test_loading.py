"""Plugins are found, put together and checked: built-in, beside the topology, named, installed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from orquestador.errors import ConfigurationError, UnknownName
from orquestador.hooks import loading
from orquestador.topology.load import load as load_topology
from orquestador.topology.model import Service
from tests.hooks.conftest import Write

RESPONDER = """
    from orquestador import hookimpl

    def polite(ping, service):
        return {"said": f"{service} thanks you"}

    @hookimpl
    def register_responders(register):
        register("polite", polite)
"""
ROLE = """
    from orquestador import Role, hookimpl

    async def run(context):
        return 0

    @hookimpl
    def register_roles(register):
        register(Role(name="clock", summary="tells the time", run=run))
"""
TOPOLOGY = """
version: 1
exchanges: {heartbeat: {type: topic}, events: {type: topic}}
roles:
  mock:
    queues:
      ping.{service}:
        bindings: [{exchange: heartbeat, key: all}, {exchange: heartbeat, key: "{service}"}]
services:
  payments: {role: mock, responder: polite}
"""


def complaint(*extra: Path, beside: Path | None = None) -> str:
    with pytest.raises(ConfigurationError) as raised:
        loading.load(beside, extra)
    text = str(raised.value)
    assert "\n" not in text
    return text


def test_the_shipped_plugins_are_always_there() -> None:
    plugins = loading.load()

    assert set(plugins.registry.roles) >= {"monitor", "mock"}
    assert set(plugins.registry.responders) >= {"echo", "slow"}
    assert plugins.origins["mock"] == str(loading.shipped())
    assert plugins.registry.searched == (str(loading.shipped()),)


def test_a_responder_is_one_file_beside_the_topology_and_one_word_in_it(
    tmp_path: Path, plugin: Write
) -> None:
    folder = plugin("courtesy", RESPONDER)
    (tmp_path / "topology.yaml").write_text(TOPOLOGY)

    plugins = loading.load(tmp_path)
    topology = load_topology(tmp_path / "topology.yaml", plugins.registry.vocabulary())

    respond = plugins.registry.respond(topology.services["payments"], "echo")
    assert respond(object(), "payments") == {"said": "payments thanks you"}
    assert plugins.origins["courtesy"] == str(folder)


def test_a_responder_class_is_given_the_options_of_its_service(plugin: Write) -> None:
    folder = plugin(
        "counting",
        """
        from orquestador import hookimpl

        class Counting:
            def __init__(self, start=0):
                self.count = start

            def respond(self, ping, service):
                self.count += 1
                return {"count": self.count}

        @hookimpl
        def register_responders(register):
            options = {"type": "object", "properties": {"start": {"type": "integer"}}}
            register("counting", Counting, options=options)
        """,
    )

    registry = loading.load(None, [folder]).registry
    options = {"responder": "counting", "start": 5, "replicas": 2}
    respond = registry.respond(Service("payments", "mock", options=options), "echo")

    assert [respond(None, "payments"), respond(None, "payments")] == [{"count": 6}, {"count": 7}]
    assert registry.vocabulary().responders["counting"]["properties"] == {
        "start": {"type": "integer"}
    }


def test_an_unknown_responder_is_said_with_the_nearest(plugin: Write) -> None:
    registry = loading.load(None, [plugin("courtesy", RESPONDER)]).registry

    with pytest.raises(UnknownName) as raised:
        registry.respond(Service("payments", "mock", options={"responder": "polit"}), "echo")

    assert str(raised.value) == "no plugin provides responder 'polit'; did you mean 'polite'?"


def test_a_folder_may_be_named_and_counts_once(tmp_path: Path, plugin: Write) -> None:
    folder = plugin("courtesy", RESPONDER)

    plugins = loading.load(tmp_path, [folder, tmp_path / "plugins" / ".." / "plugins"])

    assert plugins.registry.searched == (str(loading.shipped()), str(folder))
    assert "polite" in plugins.registry.responders


def test_folders_are_searched_in_their_order(tmp_path: Path, plugin: Write) -> None:
    plugin("courtesy", RESPONDER)
    named = plugin("hours", ROLE, "elsewhere")

    plugins = loading.load(tmp_path, [named])

    assert plugins.registry.searched == (
        str(loading.shipped()),
        str(tmp_path / "plugins"),
        str(named),
    )
    assert {"polite"} < set(plugins.registry.responders)
    assert {"clock"} < set(plugins.registry.roles)


def test_a_plugin_may_be_a_package_with_parts_of_its_own(tmp_path: Path, plugin: Write) -> None:
    plugin("words", "THANKS = 'thanks'", "plugins/courtesy")
    plugin(
        "__init__",
        "from .words import THANKS\n" + RESPONDER.replace("\n    ", "\n"),
        "plugins/courtesy",
    )

    plugins = loading.load(tmp_path)

    assert "polite" in plugins.registry.responders
    assert sys.modules["orquestador_plugins.courtesy.words"].THANKS == "thanks"


def test_what_was_loaded_from_a_folder_that_is_gone_is_forgotten(plugin: Write) -> None:
    first = plugin("courtesy", RESPONDER, "first")
    second = plugin("courtesy", RESPONDER.replace('"polite"', '"rude"'), "second")

    assert "polite" in loading.load(None, [first]).registry.responders
    again = loading.load(None, [second]).registry.responders

    assert "rude" in again and "polite" not in again


def test_one_module_name_in_two_folders_is_said_with_both(plugin: Write) -> None:
    first, second = plugin("courtesy", RESPONDER, "first"), plugin("courtesy", ROLE, "second")

    assert complaint(first, second) == (
        f"plugin 'courtesy' is in two folders: {first} and {second}; rename one"
    )


def test_a_built_in_cannot_be_replaced_unnoticed(plugin: Write) -> None:
    mine = plugin("terminal", ROLE)

    assert complaint(mine) == (
        f"plugin 'terminal' is in two folders: {loading.shipped()} and {mine}; rename one"
    )


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    missing = tmp_path / "plugns"

    assert complaint(missing) == f"--plugins {missing}: there is no such folder"
    loading.load(tmp_path)  # none beside the topology is no fault


@pytest.mark.parametrize(
    ("text", "line", "fault"),
    [
        ("x = 1\ndef f(:\n", 2, "invalid syntax"),
        ("x = 1\n  y = 2\n", 2, "unexpected indent"),
        ("x = 1\n\nimport nothing_of_that_name\n", 3, "ModuleNotFoundError: No module named"),
        ("def f():\n    return 1 / 0\n\nf()\n", 2, "ZeroDivisionError: division by zero"),
        ("from orquestador import Rol\n", 1, "ImportError: cannot import name 'Rol'"),
    ],
)
def test_a_plugin_that_cannot_be_imported_is_said_with_file_and_line(
    plugin: Write, text: str, line: int, fault: str
) -> None:
    folder = plugin("broken", text)

    said = complaint(folder)

    assert said.startswith(f"{folder / 'broken.py'}:{line}: plugin 'broken' cannot be imported: ")
    assert fault in said


def test_a_fault_in_a_part_of_a_plugin_names_that_part(tmp_path: Path, plugin: Write) -> None:
    plugin("words", "x = 1\nraise RuntimeError('no words')\n", "plugins/courtesy")
    plugin("__init__", "from . import words\n", "plugins/courtesy")

    assert complaint(beside=tmp_path) == (
        f"{tmp_path / 'plugins' / 'courtesy' / 'words.py'}:2:"
        " plugin 'courtesy' cannot be imported: RuntimeError: no words"
    )


@pytest.mark.parametrize(
    ("hook", "hint"),
    [("state_change", "; did you mean 'state_changed'?"), ("on_teapot", "")],
)
def test_an_unknown_hook_is_said_with_the_nearest(plugin: Write, hook: str, hint: str) -> None:
    folder = plugin(
        "eager",
        f"""
        from orquestador import hookimpl

        @hookimpl
        def {hook}(change): ...
        """,
    )

    assert complaint(folder) == f"plugin 'eager': there is no hook {hook!r}{hint}"


def test_a_hook_that_asks_for_what_it_is_not_given_is_said(plugin: Write) -> None:
    folder = plugin(
        "eager",
        """
        from orquestador import hookimpl

        @hookimpl
        def state_changed(change, colour): ...
        """,
    )

    said = complaint(folder)

    assert said.startswith("plugin 'eager': ")
    assert "state_changed" in said and "colour" in said


def test_a_hook_may_ask_for_less_than_it_is_given(plugin: Write) -> None:
    folder = plugin(
        "modest",
        """
        from orquestador import hookimpl

        @hookimpl
        def state_changed(): ...
        """,
    )

    loading.load(None, [folder]).observers().close()


@pytest.mark.parametrize(
    ("text", "what"),
    [(ROLE, "role 'clock'"), (RESPONDER, "responder 'polite'")],
)
def test_what_two_plugins_register_is_said_with_both(plugin: Write, text: str, what: str) -> None:
    folder = plugin("first", text)
    plugin("second", text)

    said = complaint(folder)

    assert said.startswith(f"{what} is registered twice: by ")
    assert "first" in said and "second" in said


def test_a_built_in_role_cannot_be_registered_again(plugin: Write) -> None:
    folder = plugin("mine", ROLE.replace('"clock"', '"mock"'))

    said = complaint(folder)

    assert said.startswith("role 'mock' is registered twice: by ")
    assert "mine" in said


def test_a_plugin_that_fails_to_register_is_named(plugin: Write) -> None:
    folder = plugin(
        "hasty",
        """
        from orquestador import hookimpl

        @hookimpl
        def register_roles(register):
            register("clock")
        """,
    )

    said = complaint(folder)

    assert said.startswith("plugin 'hasty' failed to register: ")


# -- installed distributions


def install(site: Path, entry: str, text: str) -> None:
    (site / "courtesy_package.py").write_text(text)
    info = site / "courtesy-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: courtesy\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text(f"[orquestador]\n{entry}\n")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "site-packages"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, "courtesy_package", raising=False)
    return folder


def test_an_installed_distribution_brings_its_plugin(site: Path) -> None:
    install(site, "courtesy = courtesy_package", RESPONDER.replace("\n    ", "\n"))

    plugins = loading.load()

    assert plugins.registry.responders["polite"].plugin == "courtesy"
    assert plugins.origins["courtesy"] == "courtesy 1.2"


def test_a_plugin_may_be_an_object(site: Path) -> None:
    text = """
from orquestador import hookimpl

class Courtesy:
    @hookimpl
    def register_responders(self, register):
        register("polite", lambda ping, service: {})

plugin = Courtesy()
"""
    install(site, "courtesy = courtesy_package:plugin", text)

    assert "polite" in loading.load().registry.responders


def test_an_installed_plugin_that_cannot_be_loaded_is_named(site: Path) -> None:
    install(site, "courtesy = courtesy_package:nothing", "")

    assert complaint().startswith(
        "the installed plugin 'courtesy' (courtesy_package:nothing) cannot be loaded: "
    )


def test_an_installed_plugin_has_a_name_of_its_own(site: Path) -> None:
    install(site, "mock = courtesy_package", RESPONDER.replace("\n    ", "\n"))

    assert complaint() == (
        f"plugin 'mock' is there twice: from {loading.shipped()} and courtesy 1.2"
    )


def test_the_same_plugin_in_two_folders_is_one(plugin: Write) -> None:
    """As with an installed distribution, run in a checkout of the very same version."""
    first = plugin("polite", RESPONDER, folder="first")
    second = plugin("polite", RESPONDER, folder="second")
    assert "polite" in loading.load(extra=[first, second]).registry.responders

    plugin("polite", RESPONDER.replace("thanks", "greets"), folder="second")
    assert "is in two folders" in complaint(first, second)


def test_a_hook_cannot_be_a_wrapper(plugin: Write) -> None:
    wrapper = """
        from orquestador import hookimpl

        @hookimpl(wrapper=True)
        def state_changed(change):
            yield
    """
    assert "cannot be a wrapper" in complaint(plugin("round", wrapper))


def test_a_responder_is_something_to_call(plugin: Write) -> None:
    five = RESPONDER.replace('"polite", polite)', '"polite", 5)')
    assert "neither a function nor a class" in complaint(plugin("polite", five))
