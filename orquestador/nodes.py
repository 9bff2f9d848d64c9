"""YAML events -> nodes: plain values, each with its line and how it was written.

Knows no file and no schema; `documents.py` reads files and makes sentences of syntax errors.
Nodes are put together here from PyYAML's events, not by its composer: that one drops duplicate
keys, and recurses as deep as a hostile file tells it to.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

Place = tuple[str | int, ...]
"""Where a value stands: the keys and list positions that lead to it."""

DEEPEST = 30

_TAG = "tag:yaml.org,2002:"
_STRINGS = {f"{_TAG}str", f"{_TAG}value", f"{_TAG}merge"}
_KINDS = {"int": "a number", "float": "a number", "timestamp": "a date"}
_VARIABLE = re.compile(r"\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^{}]*))?\}|\$\{")


class Unreadable(Exception):
    """Nothing after this line can be trusted.  `line` counts from 1."""

    def __init__(self, line: int, text: str) -> None:
        super().__init__(text)
        self.line, self.text = line, text


@dataclass(frozen=True, slots=True)
class Source:
    """How a scalar was written: its text, whether plain, the comment if it is empty."""

    raw: str
    plain: bool = True
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Flaw:
    """One value that cannot be used; reading goes on after it."""

    line: int
    place: Place
    text: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A mapping's value under the line of its key."""

    line: int
    node: Node


@dataclass(frozen=True, slots=True)
class Node:
    """`value` is a scalar, a list of nodes, or a dict of entries."""

    line: int
    value: Any = None
    source: Source | None = None


def compose(text: str, environ: Mapping[str, str]) -> tuple[Node | None, list[Flaw]]:
    """The text's document, if any, and its flaws; YAMLError or Unreadable beyond repair."""
    try:
        return _compose(text, environ, _fastest(text))
    except yaml.YAMLError:
        # Only the parser in Python says what it found instead of what it sought.
        return _compose(text, environ, yaml.SafeLoader)


def _fastest(text: str) -> Any:
    # The one in C is 20 times faster, but not everywhere, and reads these two characters otherwise.
    if "\t" in text or "?" in text:
        return yaml.SafeLoader
    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _compose(text: str, environ: Mapping[str, str], loader: Any) -> tuple[Node | None, list[Flaw]]:
    composer = _Composer(yaml.parse(text, Loader=loader), text.splitlines(), environ)
    return composer.document(), composer.flaws


@dataclass(slots=True)
class _Composer:
    events: Iterator[Any]
    lines: list[str]
    environ: Mapping[str, str]
    flaws: list[Flaw] = field(default_factory=list)
    anchors: dict[str, Node] = field(default_factory=dict)
    resolver: Any = field(default_factory=lambda: yaml.SafeLoader(""))

    def document(self) -> Node | None:
        next(self.events)  # the stream's start
        if isinstance(next(self.events), yaml.StreamEndEvent):
            return None
        root = self.node(next(self.events), ())
        next(self.events)  # the document's end
        after = next(self.events)
        if not isinstance(after, yaml.StreamEndEvent):
            raise Unreadable(_line(after), "a second document begins here; one file holds one")
        return root

    def node(self, event: Any, place: Place) -> Node:
        if len(place) > DEEPEST:
            raise Unreadable(_line(event), f"is nested more than {DEEPEST} deep")
        if isinstance(event, yaml.AliasEvent):
            return self.alias(event, place)
        if isinstance(event, yaml.ScalarEvent):
            node = self.scalar(event, place)
        else:
            if event.tag not in (None, "!", f"{_TAG}map", f"{_TAG}seq"):
                self.flaw(event, place, f"the tag {_short(event.tag)} is not used here; remove it")
            many = isinstance(event, yaml.MappingStartEvent)
            node = Node(_line(event), self.mapping(place) if many else self.sequence(place))
        if event.anchor:
            self.anchors[event.anchor] = node
        return node

    def alias(self, event: Any, place: Place) -> Node:
        # An anchor is known from its node's end on: a value that holds itself finds nothing here.
        if event.anchor in self.anchors:
            return self.anchors[event.anchor]
        name = f"*{event.anchor}"
        self.flaw(event, place, f'{name} names no anchor above it; a string is "{name}"')
        return Node(_line(event))

    def sequence(self, place: Place) -> list[Node]:
        items: list[Node] = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            items.append(self.node(event, (*place, len(items))))
        return items

    def mapping(self, place: Place) -> dict[str, Entry]:
        entries: dict[str, Entry] = {}
        merged: list[Node] = []
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            key, line = self.key(event, place), _line(event)
            node = self.node(next(self.events), (*place, key))
            if key == "<<" and getattr(event, "style", "*") in (None, ""):
                merged += node.value if isinstance(node.value, list) else [node]
            elif key in entries:
                text = f"duplicate key; it stands on line {entries[key].line} already"
                self.flaws.append(Flaw(line, (*place, key), text))
            else:
                entries[key] = Entry(line, node)
        for node in merged:
            if isinstance(node.value, dict):
                entries = {**node.value, **entries}
            else:
                self.flaws.append(Flaw(node.line, (*place, "<<"), "merges mappings only"))
        return entries

    def key(self, event: Any, place: Place) -> str:
        known = len(self.flaws)
        node = self.node(event, (*place, "?"))
        if isinstance(node.value, str):
            return node.value
        raw = node.source.raw if node.source else "?"
        if len(self.flaws) == known:
            self.flaw(event, (*place, raw), f'a key is a string; write it in quotes: "{raw}"')
        return raw

    def scalar(self, event: Any, place: Place) -> Node:
        line, plain = _line(event), event.style in (None, "")
        source = Source(event.value, plain, "" if event.value else self.comment(event))
        try:
            text = substitute(event.value, self.environ)
            text.encode()
            value = self.value(event, text)
        except UnicodeEncodeError:
            self.flaw(event, place, "holds half of a surrogate pair, which is no character")
        except ValueError as error:
            self.flaw(event, place, str(error))
        else:
            return Node(line, value, source)
        return Node(line, None, source)

    def value(self, event: Any, text: str) -> Any:
        if event.tag not in (None, "!", f"{_TAG}str"):
            raise ValueError(f"the tag {_short(event.tag)} is not used here; remove it")
        tag = event.tag or self.resolver.resolve(yaml.ScalarNode, text, event.implicit)
        if tag == "!" or tag in _STRINGS:
            return text
        try:
            value = self.resolver.construct_object(yaml.ScalarNode(tag, text))
            usable = not isinstance(value, (int, float)) or abs(value) < 2**63
        except (ValueError, OverflowError):
            usable = False
        if not usable:
            raw, kind = text[:40], _KINDS[tag.removeprefix(_TAG)]
            raise ValueError(
                f'{raw} without quotes is read as {kind}, but is no usable one; a string is "{raw}"'
            )
        return value

    def comment(self, event: Any) -> str:
        mark = event.start_mark
        rest = self.lines[mark.line][mark.column :] if mark.line < len(self.lines) else ""
        found = re.match(r"\s*(#\S*)", rest)
        return found[1].rstrip(",]}") if found else ""

    def flaw(self, event: Any, place: Place, text: str) -> None:
        self.flaws.append(Flaw(_line(event), place, text))


def substitute(text: str, environ: Mapping[str, str]) -> str:
    """`${NAME}` and `${NAME:-default}` (if unset or empty) replaced; `$${` is a literal `${`."""

    def value(found: re.Match[str]) -> str:
        name, default = found[1], found[2]
        if found[0] == "$${":
            return "${"
        if name is None:
            raise ValueError(f"{text!r} holds '${{', but no variable: write ${{NAME}}, or $${{")
        if default is not None:
            return environ.get(name) or default
        if name not in environ:
            raise ValueError(
                f"the environment has no {name}; set it, or write ${{{name}:-a default}}"
            )
        return environ[name]

    return _VARIABLE.sub(value, text) if "${" in text else text


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


def _short(tag: str) -> str:
    return tag.replace(_TAG, "!!")
