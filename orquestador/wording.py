"""Sentences about a value that does not fit: what it is, what belongs, how YAML 1.1 misread it.

Which value fits where is `schemas.py`'s.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

from orquestador import durations

if TYPE_CHECKING:
    from orquestador.nodes import Source

_LONGEST = 60
_NAMES = {
    "object": "a mapping",
    "array": "a list",
    "string": "a string",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
}


def nearest(word: str, words: Iterable[str]) -> str | None:
    """The one of `words` that was probably meant; upper and lower case count as alike."""
    from difflib import get_close_matches  # only a faulty file pays for it

    folded = {candidate.casefold(): candidate for candidate in words}
    close = get_close_matches(word.casefold(), folded, n=1)
    return folded[close[0]] if close else None


def did_you_mean(word: str, words: Iterable[str]) -> str:
    """The end of a sentence: "; did you mean 'heartbeat'?", or nothing."""
    meant = nearest(word, words)
    return f"; did you mean {meant!r}?" if meant is not None else ""


def shown(value: Any) -> str:
    """A value in a sentence, cut where it gets long."""
    match value:
        case None:
            return "empty"
        case bool():
            return "true" if value else "false"
        case dict():
            return "a mapping"
        case list():
            return "a list"
        case str():
            text = repr(value)
            return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}...'"
        case date():
            return f"the date {value}"
    return str(value)


def belongs(schema: Mapping[str, Any]) -> str:
    """What a schema asks for: "a string", "a mapping or a list", "a duration such as ..."."""
    if schema.get("format") == "duration":
        return f"a duration such as {durations.EXAMPLES}"
    types = schema.get("type", [])
    names = [_NAMES[name] for name in _listed(types) if name in _NAMES]
    return " or ".join(names) or "something else"


def misfit(value: Any, source: Source | None, schema: Mapping[str, Any]) -> str:
    """Why `value` is not of the schema's type, with YAML's traps named."""
    wanted = set(_listed(schema.get("type", [])))
    trap = None
    if "string" in wanted:
        trap = _should_be_quoted(value, source, schema)
    elif isinstance(value, str) and source:
        trap = _should_not_be_quoted(value, source, wanted)
    if trap:
        return trap
    kind = {str: "the string ", bool: "", int: "the number ", float: "the number "}
    is_what = kind.get(type(value), "") + shown(value)
    example = "object" in wanted and schema.get("examples")
    such_as = f", such as {_flow(example[0])}" if example else ""
    return f"is {is_what} where {belongs(schema)} belongs{such_as}"


def _should_be_quoted(value: Any, source: Source | None, schema: Mapping[str, Any]) -> str | None:
    if isinstance(value, dict) and list(value.values()) == [None]:
        braced = "{" + next(iter(value)) + "}"
        return f'{braced} without quotes is read as a mapping; write "{braced}"'
    if source is None or not source.plain or schema.get("format") == "duration":
        return None
    if value is None and source.comment:
        comment = source.comment
        return f'is empty, as # without quotes begins a comment; the string is "{comment}"'
    if value is None and not source.raw:
        return None
    kind = "a number" if type(value) in (int, float) else shown(value)
    return f'{source.raw} without quotes is read as {kind}; the string is "{source.raw}"'


def _should_not_be_quoted(value: str, source: Source, wanted: set[str]) -> str | None:
    if "boolean" in wanted and value in ("true", "false"):
        return f"is the string {value!r} where true or false belongs; write it without quotes"
    if not wanted & {"integer", "number"}:
        return None
    try:
        number = float(value)
        plain = str(int(number)) if number == int(number) else str(number)
    except (ValueError, OverflowError):
        return None
    if source.plain:
        return f"{source.raw} is read as a string, not as a number, by YAML 1.1; write {plain}"
    return f"is the string {value!r} where a number belongs; write {plain} without quotes"


def _listed(types: Any) -> list[str]:
    return [types] if isinstance(types, str) else list(types)


def _flow(example: Any) -> str:
    """As YAML writes it between braces."""
    if isinstance(example, dict):
        return "{" + ", ".join(f"{key}: {_flow(value)}" for key, value in example.items()) + "}"
    if isinstance(example, list):
        return "[" + ", ".join(map(_flow, example)) + "]"
    return shown(example) if isinstance(example, bool) else str(example)
