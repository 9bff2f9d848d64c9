"""Definitions -> a topology file that loads, with what cannot stand in one as comments.

The file is written, then read as any other: what is faulty in it becomes a comment with that
fault, until nothing is.  So there is no second opinion here on what a topology file may say.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from orquestador import documents
from orquestador.errors import ConfigurationError
from orquestador.provision.importing.entries import Entries, Entry, entries
from orquestador.provision.importing.page import Line, page
from orquestador.provision.importing.reading import QUEUES, definitions, parsed
from orquestador.provision.importing.text import flow
from orquestador.topology.arguments import CLASSIC, TERMS
from orquestador.topology.load import understood
from orquestador.topology.model import Topology

TYPE = TERMS["type"].argument


def topology_yaml(
    given: str | Mapping[str, Any], *, vhost: str | None = None, file: str = "definitions.json"
) -> str:
    """The text of a topology.yaml for what RabbitMQ's definitions hold in one vhost.

    `given`: JSON, or its data.  `vhost`: which one, where there are several.  `file`: the name in
    faults.  Raises ConfigurationError: no JSON, no definitions, no such vhost, or several.
    """
    data = parsed(given, file) if isinstance(given, str) else given
    held = definitions(data, vhost, file)
    found = entries(held)
    while True:
        lines = tuple(page(held, found))
        text = "".join(f"{line.text}\n" for line in lines)
        if not _refused(text, lines, found):
            return text


def _refused(text: str, lines: tuple[Line, ...], found: Entries) -> bool:
    """Whether anything of it cannot stand in a file; it is told why."""
    try:
        topology = understood(documents.parse(text, "topology.yaml", {}))
    except ConfigurationError as error:
        for fault in error.faults:
            entry = lines[fault.line - 1].entry
            if entry is None:
                raise
            entry.refused = entry.refused or fault.text
        return True
    unlike = [(entry, why) for entry in found.things if (why := _unlike(entry, topology))]
    for entry, why in unlike:
        entry.refused = why
    return bool(unlike)


def _unlike(entry: Entry, topology: Topology) -> str | None:
    """An argument that the file says otherwise, such as a false one: it leaves those out."""
    if entry.refused or entry.section != QUEUES:
        return None
    written = topology.queues[entry.name].arguments
    for name, value in (entry.item.get("arguments") or {}).items():
        if (name, value) != (TYPE, CLASSIC) and _typed(value) != _typed(written.get(name)):
            return f"this file has no way to write {flow({name: value})}"
    return None


def _typed(value: Any) -> str:
    """True and 1 are equal in Python, and not on a broker."""
    return json.dumps(value)
