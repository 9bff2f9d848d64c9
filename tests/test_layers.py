"""Layers point downwards only: who imports whom, read from the source, without running it."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

import orquestador

ROOT = Path(__file__).resolve().parents[1]
LIBRARY, PLUGINS = ROOT / "orquestador", ROOT / "plugins"

# Design, section 1.  A part may import those of its own layer and of the layers before it.
LAYERS = (
    ("errors", "backoff", "durations", "nodes", "wording"),
    ("documents", "schemas", "events", "settings", "board"),
    ("topology", "broker"),
    ("provision", "responder", "hooks"),
    ("run", "__main__", "provision.__main__", "provision.command"),  # all command lines
)
DOCUMENTED = ROOT / "docs" / "plugins.md"

Graph = Mapping[str, set[str]]


def name_of(file: Path, root: Path, package: str) -> str:
    parts = [package, *file.relative_to(root).with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(source: str, module: str, *, is_package: bool = False) -> set[str]:
    """Every name that it imports, inside functions and for types too; relative ones resolved."""
    package = module if is_package else module.rpartition(".")[0]
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")
            parts = parts[: len(parts) - node.level + 1] if node.level else []
            home = ".".join([*parts, *filter(None, [node.module])])
            found |= {f"{home}.{alias.name}" for alias in node.names}
    return found


def graph(root: Path, package: str) -> Graph:
    return {
        name_of(file, root, package): imports(
            file.read_text(encoding="utf-8"),
            name_of(file, root, package),
            is_package=file.name == "__init__.py",
        )
        for file in sorted(root.rglob("*.py"))
    }


def layer(module: str) -> int | None:
    """The place of `orquestador.<part>...` in LAYERS; None for what is none of its parts."""
    inside = module.removeprefix("orquestador.")
    if inside == module:
        return None
    longest = -1, None
    for number, parts in enumerate(LAYERS):
        for part in parts:
            if (inside == part or inside.startswith(f"{part}.")) and len(part) > longest[0]:
                longest = len(part), number
    return longest[1]


def upward(edges: Graph) -> list[str]:
    """The imports that point to a higher layer."""
    return [
        f"{module} imports {imported}"
        for module, found in edges.items()
        for imported in sorted(found)
        if (above := layer(imported)) is not None
        and (here := layer(module)) is not None
        and above > here
    ]


def part(module: str) -> str:
    return ".".join(module.split(".")[:2])


def cycles(edges: Graph) -> list[tuple[str, str]]:
    """Pairs of parts of one layer that import one another; the top one is all one command line."""
    between = {
        (part(module), part(imported))
        for module, found in edges.items()
        for imported in found
        if layer(module) not in (None, len(LAYERS) - 1) and layer(module) == layer(imported)
    }
    return sorted((a, b) for a, b in between if a < b and (b, a) in between)


LIBRARY_GRAPH = graph(LIBRARY, "orquestador")
PLUGINS_GRAPH = graph(PLUGINS, "orquestador_plugins")


def test_every_module_belongs_to_a_layer() -> None:
    """The package itself is no layer's: it names what is public, and loads it when asked."""
    homeless = [
        module for module in LIBRARY_GRAPH if layer(module) is None and module != "orquestador"
    ]

    assert homeless == []


def test_layers_point_downwards_only() -> None:
    assert upward(LIBRARY_GRAPH) == []


def test_parts_of_one_layer_do_not_import_one_another_in_circles() -> None:
    assert cycles(LIBRARY_GRAPH) == []


def test_no_part_imports_the_public_names_that_stand_above_it() -> None:
    """`from orquestador import Bus` in the library would go around the layers."""
    public = {f"orquestador.{name}" for name in orquestador.__all__} | {"orquestador"}

    around = {
        f"{module} imports {imported}"
        for module, found in LIBRARY_GRAPH.items()
        for imported in found & public
    }

    assert around == set()


def test_only_the_broker_layer_imports_pika() -> None:
    who = {
        part(module)
        for module, found in [*LIBRARY_GRAPH.items(), *PLUGINS_GRAPH.items()]
        if any(imported.split(".")[0] == "pika" for imported in found)
    }

    assert who == {"orquestador.broker"}


def test_the_library_imports_no_plugin() -> None:
    named = {
        f"{module} imports {imported}"
        for module, found in LIBRARY_GRAPH.items()
        for imported in found
        if imported.split(".")[0] in ("orquestador_plugins", "plugins")
    }

    assert named == set()


def roles_named(source: str) -> list[str]:
    """String literals, docstrings aside, that hold the name of a built-in role."""
    tree = ast.parse(source)
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and id(node) not in docstrings
        and re.search(r"\b(monitor|mock)s?\b", node.value, re.IGNORECASE)
    ]


def test_the_library_names_no_role() -> None:
    named = {
        f"{file.relative_to(ROOT)}: {text}"
        for file in LIBRARY.rglob("*.py")
        for text in roles_named(file.read_text(encoding="utf-8"))
    }

    assert named == set()


# -- plugins


def foreign(edges: Graph) -> list[str]:
    """Imports from one plugin of another, whichever way they are written."""
    return [
        f"{module} imports {imported}"
        for module, found in edges.items()
        for imported in sorted(found)
        if imported.split(".")[0] in ("orquestador_plugins", "plugins")
        and part(imported) != part(module)
    ]


def public_modules() -> set[str]:
    """The modules that docs/plugins.md lists as public, under its last heading."""
    text = DOCUMENTED.read_text(encoding="utf-8")
    section = text.split("\n## Public names\n")[1].split("\n## ")[0]
    return set(re.findall(r"`(orquestador(?:\.[a-z_]+)+)`", section))


def unofficial(edges: Graph, modules: set[str]) -> list[str]:
    """What plugins import of the library that is not public."""
    names = {f"orquestador.{name}" for name in orquestador.__all__}
    return [
        f"{module} imports {imported}"
        for module, found in edges.items()
        for imported in sorted(found)
        if imported.split(".")[0] == "orquestador"
        and imported not in names
        and imported.rpartition(".")[0] not in modules
    ]


def test_no_plugin_imports_another() -> None:
    assert foreign(PLUGINS_GRAPH) == []


def test_plugins_stand_on_public_names_only() -> None:
    assert public_modules()
    assert unofficial(PLUGINS_GRAPH, public_modules()) == []


# -- and these tests see what they are to see


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("orquestador.errors", "import orquestador.events"),
        ("orquestador.events", "from orquestador.topology.model import Topology"),
        ("orquestador.events", "from orquestador import topology"),
        ("orquestador.topology.model", "def late():\n    from orquestador.hooks import loading"),
        ("orquestador.broker.bus", "from orquestador.responder.serving import Serving"),
        ("orquestador.broker.bus", "from ..responder import serving"),
        ("orquestador.hooks.registry", "from orquestador.run.cli import main"),
        ("orquestador.provision.applying", "from orquestador.run.arguments import Parser"),
        (
            "orquestador.wording",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import orquestador.schemas",
        ),
    ],
)
def test_an_import_that_points_upwards_is_seen(module: str, source: str) -> None:
    assert upward({module: imports(source, module)}) != []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("orquestador.events", "from orquestador.errors import EventError\nimport json"),
        ("orquestador.topology.check", "from orquestador.topology import expand"),
        ("orquestador.hooks.loading", "from . import registry"),
        ("orquestador.provision.__main__", "from orquestador.run.arguments import Parser"),
        ("orquestador.run.cli", "from orquestador.provision.__main__ import main"),
    ],
)
def test_an_import_that_points_downwards_is_none(module: str, source: str) -> None:
    assert upward({module: imports(source, module)}) == []


def test_a_circle_within_a_layer_is_seen() -> None:
    edges = {
        "orquestador.topology.model": {"orquestador.broker.bus.Bus"},
        "orquestador.broker.bus": {"orquestador.topology.model.Topology"},
    }

    assert cycles(edges) == [("orquestador.broker", "orquestador.topology")]


def test_a_role_by_its_name_is_seen_where_it_is_no_docstring() -> None:
    assert (
        roles_named('"""A monitor."""\ndef f():\n    """A mock."""\n    return "monitored"') == []
    )
    assert roles_named('ROLE = "monitor"') == ["monitor"]
    assert roles_named('def f():\n    return f"a {x} mock"') == [" mock"]


@pytest.mark.parametrize(
    "source",
    [
        "from ..monitor import role",
        "from .. import monitor",
        "from orquestador_plugins.monitor import role",
        "import orquestador_plugins.monitor.role",
        "from plugins.monitor import role",
    ],
)
def test_a_plugin_that_imports_another_is_seen(source: str) -> None:
    module = "orquestador_plugins.mock"
    parts = imports("from .parts import x", module, is_package=True)

    assert foreign({module: parts}) == []
    assert foreign({f"{module}.run": imports(source, f"{module}.run")}) != []


def test_a_plugin_that_goes_around_the_public_names_is_seen() -> None:
    module = "orquestador_plugins.mine"
    fair = imports("from orquestador import Role\nfrom orquestador.events import Echo", module)
    unfair = imports("from orquestador.run.cli import main", module)

    assert unofficial({module: fair}, {"orquestador.events"}) == []
    assert unofficial({module: unfair}, {"orquestador.events"}) != []
