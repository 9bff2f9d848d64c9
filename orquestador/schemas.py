"""JSON Schema checks (2020-12) whose results are sentences: file:line: key: fault; did you mean.

The sentences about values are `wording.py`'s.  Beyond the standard: `format: duration` is ours
("500ms"), and `shortest` and `longest` bound one.  jsonschema is imported when first needed: it
costs 70 ms, a third of a short command.
"""

from __future__ import annotations

import json
from collections.abc import Container, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from orquestador import durations
from orquestador.documents import Document
from orquestador.errors import Fault
from orquestador.nodes import Place
from orquestador.wording import belongs, did_you_mean, misfit, nearest, shown

if TYPE_CHECKING:
    from jsonschema import ValidationError

__all__ = [
    "Finding",
    "did_you_mean",
    "faults",
    "findings",
    "folder",
    "nearest",
    "schema",
    "without_references",
]


class Finding(NamedTuple):
    """What is wrong at a place.

    `meant`: the place that a misspelt key was probably meant for.  `lacks`: the value is fine but
    for what it does not have.
    """

    place: Place
    text: str
    meant: Place | None = None
    lacks: bool = False


@cache
def folder() -> Path:
    """Where the schemas are: in the wheel beside this module, in a checkout at its root."""
    package = Path(__file__).parent
    packed = package / "_schemas"
    return packed if packed.is_dir() else package.parent / "schemas"


@cache
def schema(name: str) -> dict[str, Any]:
    """`schemas/<name>.schema.json`; shared, so not to be changed."""
    loaded: dict[str, Any] = json.loads((folder() / f"{name}.schema.json").read_bytes())
    return loaded


@cache
def without_references(name: str) -> dict[str, Any]:
    """The same schema with what each `$ref` points to in its place: it checks in two thirds of
    the time.  What that says outranks what stands beside the `$ref`.
    """
    whole = schema(name)

    def inlined(part: Any) -> Any:
        if isinstance(part, list):
            return [inlined(item) for item in part]
        if not isinstance(part, dict):
            return part
        held = {key: inlined(value) for key, value in part.items() if key not in ("$ref", "$defs")}
        if "$ref" not in part:
            return held
        target: Any = whole
        for step in part["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        return held | inlined(target)

    replaced: dict[str, Any] = inlined(whole)
    return replaced


def faults(
    document: Document,
    schema: Mapping[str, Any],
    at: Place = (),
    only: Container[str] | None = None,
) -> list[Fault]:
    """Every way in which the document, from `at` on, does not fit the schema."""
    found = findings(document, schema, at, only)
    return [document.fault(finding.place, finding.text) for finding in found]


def findings(
    document: Document,
    schema: Mapping[str, Any],
    at: Place = (),
    only: Container[str] | None = None,
) -> list[Finding]:
    """`faults` by place.  `only`: the keys of the mapping `at` that the schema speaks of."""
    value = document.at(at)
    if only is not None:
        value = {key: held for key, held in value.items() if key in only}
    validator = _validator_class()(schema, format_checker=_formats())
    errors = list(validator.iter_errors(value))
    mistyped = {tuple(error.absolute_path) for error in errors if error.validator == "type"}
    found: dict[Finding, None] = {}
    for error in errors:
        # One sentence a value: of the wrong type, it is outside the enumeration too.
        if error.validator == "type" or tuple(error.absolute_path) not in mistyped:
            found |= dict.fromkeys(_translated(error, document, at))
    return [finding for finding in found if not _reported(document, finding.place)]


def _reported(document: Document, place: Place) -> bool:
    """Whether nothing is there because it could not be read."""
    return place in document.unsound and document.at(place) is None


def _translated(error: ValidationError, document: Document, at: Place) -> Iterator[Finding]:
    place = (*at, *error.absolute_path)
    rules: Any = error.schema
    value: Any = error.instance
    if "propertyNames" in error.absolute_schema_path:
        yield Finding((*place, value), f"{shown(value)} is no possible name: {_described(rules)}")
        return
    match error.validator:
        case "additionalProperties":
            yield from _unknown_keys(value, rules, place)
        case "required":
            yield from _missing_keys(value, rules, place)
        case "type":
            yield Finding(place, misfit(value, document.sources.get(place), rules))
        case "anyOf" | "oneOf":
            yield from _none_of(error, document, at)
        case _:
            yield Finding(place, _sentence(error))


def _unknown_keys(value: Mapping[str, Any], rules: Any, place: Place) -> Iterator[Finding]:
    known = rules.get("properties", {})
    for key in value:
        if key not in known:
            meant = nearest(key, known)
            end = did_you_mean(key, known) or f"; known here: {', '.join(known)}"
            yield Finding((*place, key), f"unknown key{end}", (*place, meant) if meant else None)


def _missing_keys(value: Mapping[str, Any], rules: Any, place: Place) -> Iterator[Finding]:
    known = rules.get("properties", {})
    unknown = [key for key in value if key not in known]
    for key in rules["required"]:
        misspelt = nearest(key, unknown)
        if key in value or (misspelt and rules.get("additionalProperties") is False):
            continue  # a misspelt key is reported as such, not as a missing one too
        if misspelt:
            such_as = f"; is it meant by {misspelt!r}?"
        elif "const" in known.get(key, {}):
            such_as = f"; write {key}: {known[key]['const']}"
        else:
            such_as = "".join(
                f", such as {key}: {it}" for it in known.get(key, {}).get("examples", ())
            )
        yield Finding(place, f"{key!r} is missing{such_as}", (*place, key), lacks=True)


def _none_of(error: ValidationError, document: Document, at: Place) -> Iterator[Finding]:
    causes = error.context or []
    if all(cause.validator == "type" and not cause.path for cause in causes):
        place = (*at, *error.absolute_path)
        kinds = " or ".join(belongs(cause.schema) for cause in causes)  # type: ignore[arg-type]
        yield Finding(place, f"is {shown(error.instance)} where {kinds} belongs")
        return
    # The alternative that gets furthest is the one that was meant.
    deepest = max(causes, key=lambda cause: (len(cause.path), cause.validator != "type"))
    yield from _translated(deepest, document, at)


def _sentence(error: ValidationError) -> str:
    value: Any = error.instance
    limit: Any = error.validator_value
    is_what = f"is {shown(value)}"
    match error.validator:
        case "enum":
            choices = [choice for choice in limit if choice is not None]
            meant = did_you_mean(str(value), (str(choice) for choice in choices))
            return f"{is_what}, not one of {', '.join(map(str, choices))}{meant}"
        case "const":
            return f"{is_what}; only {limit} is known here"
        case "format" if limit == "duration":
            return _refusal(value)
        case "pattern" | "not":
            return f"{is_what}, which is not allowed: {_described(error.schema)}"
        case "minimum":
            return f"{is_what}; the least is {limit}"
        case "maximum":
            return f"{is_what}; the most is {limit}"
        case "exclusiveMinimum":
            return f"{is_what}; it must be more than {limit}"
        case "exclusiveMaximum":
            return f"{is_what}; it must be less than {limit}"
        case "shortest":
            return f"{is_what}; the shortest is {limit}"
        case "longest":
            return f"{is_what}; the longest is {limit}"
        case "minLength":
            return "is empty" if not value else f"{is_what}, shorter than {limit} characters"
        case "maxLength":
            return f"{is_what}, longer than {limit} characters"
        case "minItems" | "minProperties":
            return f"has {len(value)} entries; the fewest is {limit}"
        case "maxItems" | "maxProperties":
            return f"has {len(value)} entries; the most is {limit}"
        case "format":
            return f"{is_what}, which is not of the format {limit}"
    return f"does not fit: {' '.join(error.message.split())[:200]}"


def _described(rules: Any) -> str:
    return str(rules.get("description") or rules.get("pattern") or rules.get("not"))


def _refusal(text: str) -> str:
    try:
        durations.parse(text)
    except ValueError as error:
        return str(error)
    return "is not a duration"


@cache
def _formats() -> Any:
    from jsonschema import FormatChecker

    formats = FormatChecker()

    @formats.checks("duration", raises=ValueError)
    def _is_duration(value: object) -> bool:
        return not isinstance(value, str) or durations.parse(value) >= 0

    return formats


@cache
def _validator_class() -> Any:
    from jsonschema import Draft202012Validator, ValidationError, validators

    def bound(holds: Any) -> Any:
        def check(
            _validator: Any, limit: str, value: Any, _schema: Any
        ) -> Iterator[ValidationError]:
            try:
                fits = not isinstance(value, str) or holds(
                    durations.parse(value), durations.parse(limit)
                )
            except ValueError:
                return  # `format` says so
            if not fits:
                yield ValidationError("out of bounds")

        return check

    bounds = {
        "shortest": bound(lambda held, limit: held >= limit),
        "longest": bound(lambda held, limit: held <= limit),
    }
    # In the standard 1.0 is a whole number too; as a broker's argument it is not.
    whole = Draft202012Validator.TYPE_CHECKER.redefine(
        "integer", lambda _, value: isinstance(value, int) and not isinstance(value, bool)
    )
    extend: Any = validators.extend
    return extend(Draft202012Validator, bounds, type_checker=whole)
