"""A YAML file -> plain data with a line for every key and list item, its variables replaced.

What the data must look like is `schemas.py`'s.  YAML 1.1 as PyYAML reads it, minus duplicate keys,
keys that are no strings, and all tags but `!!str`; `${NAME}` and `${NAME:-default}` in any scalar.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from yaml.reader import Reader

from orquestador.errors import ConfigurationError, Fault
from orquestador.nodes import DEEPEST, Node, Place, Source, Unreadable, compose

MOST_VALUES = 500_000
"""Aliases make a short file long: the bound is on what it expands to."""


@dataclass(frozen=True, slots=True)
class Document:
    """`data` is dicts, lists and scalars.

    `faults` are the values that could not be read, at the places `unsound`, where `data` has None:
    whoever uses the data must raise them, with those found later.
    """

    file: str
    data: Any
    lines: Mapping[Place, int]
    sources: Mapping[Place, Source] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()
    unsound: frozenset[Place] = frozenset()

    def line(self, place: Place) -> int:
        """The line of the value, or of the nearest one around it."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 1)

    def at(self, place: Place) -> Any:
        """The value there; None where there is none."""
        value = self.data
        for step in place:
            try:
                value = value[step]
            except (LookupError, TypeError):
                return None
        return value

    def fault(self, place: Place, text: str) -> Fault:
        return Fault(self.file, self.line(place), dotted(place), _one_line(text))


def dotted(place: Place) -> str:
    """A place as faults name it: `queues.work.bindings[0].exchange`."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{step or repr(step)}" for step in place)
    return _one_line("".join(steps).removeprefix("."))


def _one_line(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def read(path: str | Path, environ: Mapping[str, str] = os.environ) -> Document:
    """The file's document; ConfigurationError where nothing of it can be read."""
    return parse(_text(path), str(path), environ)


def parse(text: str, file: str, environ: Mapping[str, str] = os.environ) -> Document:
    """`read` for a text that is already here; `file` is the name in faults."""
    try:
        if strange := Reader.NON_PRINTABLE.search(text):
            line = text.count("\n", 0, strange.start()) + 1
            raise Unreadable(line, f"the character {strange[0]!r} can't stand in a YAML file")
        root, flaws = compose(text, environ)
        if root is None or (root.value is None and not flaws):
            raise Unreadable(1, "the file is empty; a topology begins with version: 1")
        lines: dict[Place, int] = {}
        sources: dict[Place, Source] = {}
        data = _flattened(root, root.line, (), lines, sources)
    except Unreadable as end:
        raise ConfigurationError([Fault(file, end.line, "", _one_line(end.text))]) from None
    except yaml.MarkedYAMLError as error:
        line, sentence = explain(error, text.splitlines())
        raise ConfigurationError([Fault(file, line, "", _one_line(sentence))]) from None
    faults = tuple(
        Fault(file, flaw.line, dotted(flaw.place), _one_line(flaw.text)) for flaw in flaws
    )
    return Document(file, data, lines, sources, faults, frozenset(flaw.place for flaw in flaws))


def _text(path: str | Path) -> str:
    try:
        content = Path(path).read_bytes()
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        text = f"the byte 0x{content[error.start]:02x} is not UTF-8; save the file as UTF-8"
    except FileNotFoundError:
        line, text = 1, f"there is no such file (looked for from {Path.cwd()})"
    except IsADirectoryError:
        line, text = 1, "is a folder; name the YAML file in it"
    except (OSError, ValueError) as error:
        line, text = 1, f"can't be read: {getattr(error, 'strerror', None) or error}"
    raise ConfigurationError([Fault(_one_line(str(path)), line, "", _one_line(text))])


def _flattened(
    node: Node, line: int, place: Place, lines: dict[Place, int], sources: dict[Place, Source]
) -> Any:
    if len(place) > DEEPEST:
        raise Unreadable(line, f"is nested more than {DEEPEST} deep by its aliases")
    if len(lines) > MOST_VALUES:
        raise Unreadable(line, f"the aliases make more than {MOST_VALUES} values of this file")
    lines[place] = line
    if isinstance(node.value, dict):
        return {
            key: _flattened(entry.node, entry.line, (*place, key), lines, sources)
            for key, entry in node.value.items()
        }
    if isinstance(node.value, list):
        return [
            _flattened(item, item.line, (*place, position), lines, sources)
            for position, item in enumerate(node.value)
        ]
    if node.source:
        sources[place] = node.source
    return node.value


def explain(error: yaml.MarkedYAMLError, lines: list[str]) -> tuple[int, str]:
    """A syntax error's line, and a sentence on what to change there."""
    context, problem = error.context or "", error.problem or "something else"
    mark = error.problem_mark or error.context_mark
    row, column = (mark.line, mark.column) if mark else (0, 0)
    opened = error.context_mark.line if error.context_mark else row
    line = lines[row] if row < len(lines) else ""
    found = line[column : column + 1]
    if found == "\t" or "\t" in re.match(r"\s*", line)[0]:  # type: ignore[index]
        return row + 1, "a tab; YAML indents with spaces"
    if "an alias" in context or "an anchor" in context:
        value = re.match(r"[^\s,\]}]*", line[max(column - 1, 0) :])[0]  # type: ignore[index]
        return row + 1, f'a value that begins with {value[:1]} is quoted: "{value}"'
    if "cannot start any token" in problem:
        return row + 1, f"a value that begins with {found} is quoted"
    if "flow" in context:
        return _explain_flow(row, opened, found, lines)
    if "mapping values are not allowed" in problem:
        return row + 1, "a ': ' where none fits; quote a value with one, or check the indentation"
    if "could not find expected ':'" in problem:
        return opened + 1, "a key without a ':' after it"
    if "unexpected end of stream" in problem:
        return opened + 1, "the quote that opens here is never closed"
    if "unknown escape character" in problem:
        return row + 1, f"\\{found} is no escape in double quotes; use single quotes"
    if "block" in context:
        return row + 1, "fits nothing above it; check this line's indentation, quotes and brackets"
    return row + 1, f"is not YAML: {problem}"


def _explain_flow(row: int, opened: int, found: str, lines: list[str]) -> tuple[int, str]:
    if found == "{":
        return row + 1, 'between { } or [ ] a value that contains { is quoted: "{service}"'
    for candidate in dict.fromkeys((opened, row - 1, row)):
        if 0 <= candidate < len(lines) and re.search(r"[:,\[{]\s+#", lines[candidate]):
            return candidate + 1, 'a # without quotes begins a comment; the string is "#"'
    return opened + 1, "a bracket opens here and is not closed, or a comma is missing"
