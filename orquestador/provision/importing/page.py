"""The imported file, line by line, each with the entry that it is of."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from orquestador.provision.importing.entries import Entries, Entry
from orquestador.provision.importing.reading import EXCHANGES, QUEUES, Definitions
from orquestador.provision.importing.text import WIDTH, flow, quoted, scalar
from orquestador.topology.arguments import ALTERNATE, OTHERS, OURS
from orquestador.topology.exchanges import PLUGINS_TYPE

SINGULAR = {"policies": "policy"}
NOT_HERE = "not imported:"


class Line(NamedTuple):
    text: str
    entry: Entry | None = None


def page(held: Definitions, found: Entries) -> Iterator[Line]:
    """What a person should know first, then exchanges, then queues, in the order of their names."""
    yield from map(Line, _head(held, found))
    yield Line("version: 1")
    if held.vhost not in (None, "/"):
        yield Line(f"vhost: {scalar(held.vhost)}")
    if known := _known_arguments(found):
        yield Line("")
        yield Line(
            "# Arguments that RabbitMQ itself does not know: of a plugin, or without effect."
        )
        yield Line("known_arguments:")
        yield from (Line(f"  - {scalar(name)}", entry) for name, entry in known.items())
    for section, entries in ((EXCHANGES, found.exchanges), (QUEUES, found.queues)):
        if entries:
            yield Line("")
            yield Line(f"{section}:")
            yield from _grouped(entries)
    if found.loose:
        yield Line("")
        yield Line("# Bindings of what is not in this file:")
        for binding in found.loose:
            kind = binding.item["destination_type"]
            yield Line(f"# - {flow(binding.keys)} of {kind} {quoted(binding.name)}")
            yield Line(f"#   {NOT_HERE} {binding.refused}")


def _head(held: Definitions, found: Entries) -> Iterator[str]:
    where = f"vhost {quoted(held.vhost)}" if held.vhost is not None else "one vhost"
    yield f"# Imported from the definitions of {where}{_of_version(held.version)}."
    refused = [entry for thing in found.things for entry in (thing, *thing.bindings)]
    many = sum(entry.refused is not None for entry in (*refused, *found.loose))
    if many:
        yield f'# {many} of its things this file cannot hold: look for "{NOT_HERE}".'
    if counts := {key: count for key, count in held.counts.items() if count}:
        told = ", ".join(_counted(count, key) for key, count in counts.items())
        yield f"# The definitions also have {told}: nothing of that is in this file."
    if held.policies:
        yield "# Policies change what queues and exchanges do beyond what is written here:"
        for policy in held.policies:
            yield f"#   {_policy(policy)}"


def _of_version(version: str | None) -> str:
    return f" of RabbitMQ {''.join(filter(str.isprintable, version))}" if version else ""


def _counted(count: int, key: str) -> str:
    words = "".join(filter(str.isprintable, key)).replace("_", " ")
    return f"{count} {SINGULAR.get(words, words.removesuffix('s')) if count == 1 else words}"


def _policy(policy: Mapping[str, Any]) -> str:
    name, pattern = (quoted(str(policy.get(key))) for key in ("name", "pattern"))
    what = json.dumps(policy.get("definition"))
    return f"{name}, for {scalar(str(policy.get('apply-to', 'all')))} like {pattern}: {what}"


def _known_arguments(found: Entries) -> dict[str, Entry]:
    """Those that the file has to vouch for, each with the first thing that has it."""
    known: dict[str, Entry] = {}
    for entry in found.things:
        plugin_s = str(entry.keys.get("type")).startswith(PLUGINS_TYPE)
        usual = (*OTHERS, *OURS) if entry.section == QUEUES else (ALTERNATE,)
        for name in entry.keys.get("arguments", ()):
            if name not in usual and not plugin_s and entry.refused is None:
                known.setdefault(name, entry)
    return dict(sorted(known.items()))


def _grouped(entries: Sequence[Entry]) -> Iterator[Line]:
    """An empty line around those whose names begin with the same word."""
    many = False
    for position, (_, group) in enumerate(groupby(entries, key=_first_word)):
        members = list(group)
        if position and (many or len(members) > 1):
            yield Line("")
        many = len(members) > 1
        for entry in members:
            yield from _thing(entry)


def _first_word(entry: Entry) -> str:
    return re.split(r"[.:_/-]", entry.name)[0]


def _thing(entry: Entry) -> Iterator[Line]:
    lines = list(_block(entry))
    if entry.refused is None:
        yield from lines
        return
    yield Line(f"  # {NOT_HERE} {entry.refused}")
    yield from (Line(f"  # {line.text[2:]}") for line in lines)


def _block(entry: Entry) -> Iterator[Line]:
    name = scalar(entry.name)
    short = f"  {name}: {flow(entry.keys)}"
    if not entry.bindings and len(short) <= WIDTH:
        yield Line(short, entry)
        return
    standing = [binding for binding in entry.bindings if binding.refused is None]
    yield Line(f"  {name}:" if entry.keys or standing else f"  {name}: {{}}", entry)
    for key, value in entry.keys.items():
        yield Line(f"    {key}: {flow(value)}", entry)
    if standing:
        yield Line("    bindings:", entry)
    for binding in entry.bindings:
        yield from _binding(binding)


def _binding(binding: Entry) -> Iterator[Line]:
    written = f"- {flow(binding.keys)}"
    if binding.refused is None:
        yield Line(f"      {written}", binding)
    else:
        yield Line(f"      # {NOT_HERE} {binding.refused}")
        yield Line(f"      # {written}")
