"""The tables of docs/topology.md, made from the schema; `-m tests.topology.reference` writes them.

Each stands below the heading that is named here.  What is beside them is written by hand.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orquestador.schemas import schema
from orquestador.topology.arguments import OTHERS

PAGE = Path(__file__).parents[2] / "docs" / "topology.md"
SCHEMA = schema("topology")
KEYS = "| key | value | unless said | what it says |"
ARGUMENTS = "| argument | queues | value | what it says |"
SECTIONS = {
    "The file": (),
    "Exchanges": ("$defs", "exchange"),
    "Bindings": ("$defs", "binding"),
    "Queues": ("$defs", "queue"),
    "Dead letters": ("$defs", "queue", "properties", "dead_letter"),
    "Arguments": ("$defs", "queue_arguments"),
    "Defaults": ("properties", "defaults"),
    "Roles": ("$defs", "role"),
    "Services": ("$defs", "service"),
    "Absent": ("properties", "absent"),
    "Absent bindings": ("$defs", "absent_binding"),
    "Limits": ("properties", "limits"),
}
"""Heading -> where the schema has the mapping that its table is about."""

_NAMED = {
    "#/$defs/exchange": "[exchange](#exchanges)",
    "#/$defs/queue": "[queue](#queues)",
    "#/$defs/queues": "name: [queue](#queues)",
    "#/$defs/binding": "[bindings](#bindings)",
    "#/$defs/absent_binding": "[bindings](#absent-bindings)",
    "#/$defs/role": "[role](#roles)",
    "#/$defs/service": "[service](#services)",
    "#/$defs/queue_arguments": "[arguments](#arguments)",
    "#/$defs/arguments": "name: value",
    "#/$defs/exchanges_named": "list of exchanges",
    "#/$defs/name": "name",
}
_OWN_TABLE = {
    "defaults": "[defaults](#defaults)",
    "absent": "[names](#absent)",
    "limits": "[ceilings](#limits)",
    "dead_letter": "[exchange and key](#dead-letters)",
}
_ENDLESS = 2**31 - 1


def tables() -> dict[str, str]:
    """Heading -> its table."""
    return {
        heading: _arguments() if heading == "Arguments" else _keys(place)
        for heading, place in SECTIONS.items()
    }


def at(place: tuple[str, ...]) -> Mapping[str, Any]:
    node: Any = SCHEMA
    for step in place:
        node = node[step]
    assert isinstance(node, dict)
    return node


def section(page: str, heading: str) -> re.Match[str]:
    """What stands under a heading, up to the next one."""
    found = re.search(rf"(?<=## {re.escape(heading)}\n).*?(?=^##|\Z)", page, re.M | re.S)
    assert found, f"docs/topology.md has no heading {heading!r}"
    return found


def table(text: str) -> str:
    """The one in it that is made from the schema."""
    found = re.search(r"^\| (?:key|argument) \|.*\n(?:\|.*\n)*", text, re.M)
    return found[0] if found else ""


def written(page: str) -> str:
    """The page with every table made anew."""
    for heading, made in tables().items():
        under = section(page, heading)
        text = under[0].replace(table(under[0]), made) if table(under[0]) else f"{under[0]}{made}\n"
        page = page[: under.start()] + text + page[under.end() :]
    return page


def _keys(place: tuple[str, ...]) -> str:
    rows = [
        (f"`{key}`", _value(key, node), _default(node), _text(node["description"]))
        for key, node in at(place)["properties"].items()
    ]
    return _table(KEYS, rows)


def _arguments() -> str:
    rows = [
        (f"`{name}`", ", ".join(OTHERS[name]), _value(name, node), _text(node["description"]))
        for name, node in at(SECTIONS["Arguments"])["properties"].items()
    ]
    return _table(ARGUMENTS, rows)


def _table(head: str, rows: list[tuple[str, ...]]) -> str:
    line = "|".join(["", *(["---"] * 4), ""])
    return "".join(f"{row}\n" for row in (head, line, *(f"| {' | '.join(r)} |" for r in rows)))


def _value(key: str, node: Mapping[str, Any]) -> str:
    if key in _OWN_TABLE:
        return _OWN_TABLE[key]
    if named := _NAMED.get(node.get("$ref", "")):
        return named
    if "anyOf" in node:
        return f"{_choices(node['anyOf'][0])} or `x-...`"
    if "enum" in node:
        return _choices(node)
    if "const" in node:
        return f"`{node['const']}`"
    kind = node["type"] if isinstance(node["type"], str) else node["type"][0]
    match kind:
        case "boolean":
            return "`true`, `false`"
        case "integer":
            return f"whole number{_bounds(node.get('minimum'), node.get('maximum'))}"
        case "string" if node.get("format") == "duration":
            return f"duration{_bounds(node.get('shortest'), node.get('longest'))}"
        case "array":
            item = _value("", node["items"])
            return f"list of {item}{'' if item.startswith('[') else 's'}"
        case "object" if isinstance(node.get("additionalProperties"), dict):
            return f"name: {_value('', node['additionalProperties'])}"
        case "object":
            return f"mapping of {', '.join(f'`{held}`' for held in node['properties'])}"
    return str(kind)


def _choices(node: Mapping[str, Any]) -> str:
    return ", ".join(f"`{choice}`" for choice in node["enum"])


def _bounds(least: Any, most: Any) -> str:
    if isinstance(most, int) and most >= _ENDLESS:
        most = None
    if least is None and most is None:
        return ""
    if most is None:
        return f", {least} or more"
    return f", up to {most}" if least is None else f", {least} to {most}"


def _default(node: Mapping[str, Any]) -> str:
    if "default" not in node:
        return ""
    value = node["default"]
    return f"`{str(value).lower()}`" if value != "" else '`""`'


def _text(description: str) -> str:
    return description.replace("<", "&lt;").replace("*", "\\*").replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
