"""What programs and plugins import from `orquestador`: complete, and loaded only when asked for."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

import orquestador

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("name", orquestador.__all__)
def test_each_name_is_there_and_lives_where_it_is_said_to(name: str) -> None:
    home = importlib.import_module(orquestador._HOME_OF[name])

    assert getattr(orquestador, name) is getattr(home, name)


def test_type_checkers_see_the_same_names() -> None:
    tree = ast.parse(Path(orquestador.__file__).read_text(encoding="utf-8"))
    seen = {
        (node.module, alias.name)
        for block in tree.body
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }

    assert seen == {(home, name) for name, home in orquestador._HOME_OF.items()}
    assert sorted(orquestador._HOME_OF) == orquestador.__all__


def test_a_name_that_is_not_there_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="module 'orquestador' has no attribute 'Buss'"):
        _ = orquestador.Buss
    assert not hasattr(orquestador, "pika")


def test_every_public_name_is_documented() -> None:
    text = (ROOT / "docs" / "plugins.md").read_text(encoding="utf-8")
    section = text.split("\n## Public names\n")[1]

    assert [name for name in orquestador.__all__ if f"`{name}`" not in section] == []


def test_every_documented_name_of_a_module_is_there() -> None:
    text = (ROOT / "docs" / "plugins.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(orquestador[.\w]*)` \| (.*) \|$", text, re.MULTILINE)
    assert rows

    for module, names in rows:
        for name in re.findall(r"`(\w+)`", names):
            assert hasattr(importlib.import_module(module), name), f"{module}.{name}"


@pytest.mark.parametrize(
    ("statement", "unwanted"),
    [
        ("import orquestador", ("pika", "yaml", "jsonschema", "msgspec", "rich", "pluggy")),
        ("from orquestador import Topology", ("pika", "jsonschema", "rich")),
        ("from orquestador import Role, RoleContext, hookimpl", ("pika", "jsonschema", "rich")),
        ("from orquestador.events import Echo", ("pika", "yaml", "jsonschema", "rich")),
        (
            "from orquestador.hooks.loading import load; load()",
            ("pika", "jsonschema", "rich"),
        ),
    ],
)
def test_what_is_not_needed_is_not_loaded(statement: str, unwanted: tuple[str, ...]) -> None:
    program = f"import sys; {statement}; print(*sys.modules)"

    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert set(done.stdout.split()) & set(unwanted) == set()
