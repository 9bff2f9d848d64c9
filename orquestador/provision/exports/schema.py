"""The topology file's JSON Schema as editors want it: plain 2020-12, the plugins' options in it.

`schemas/topology.schema.json` is for our own checks, which read durations and variables first, and
look at plugins' options apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

from orquestador.schemas import schema
from orquestador.topology.options import RESPONDER
from orquestador.topology.vocabulary import RoleTerms, Vocabulary

DURATION = r"^[0-9]{1,9}(\.[0-9]{1,6})?(ms|s|m|h)$"
VARIABLE = {"type": "string", "pattern": r"\$\{"}
"""A value that a variable of the environment stands in for: what it will be no editor knows."""

ANNOTATIONS = ("description", "default", "examples")
SCALARS = ("integer", "number", "boolean")

Schema = dict[str, Any]


def editor_schema(vocabulary: Vocabulary) -> Schema:
    """A schema of its own, ready for `json.dumps`."""
    made: Schema = _for_editors(schema("topology"))
    terms = _Terms(made, vocabulary)
    service = made["$defs"]["service"]
    service["properties"][_ROLE] |= {
        "anyOf": [{"enum": sorted(vocabulary.roles)}, {"type": "string"}]
    }
    service["allOf"] = list(terms.cases())
    return made


_ROLE = "role"


class _Terms:
    """What a service may say beside the keys that all have, case by case."""

    def __init__(self, made: Schema, vocabulary: Vocabulary) -> None:
        self._vocabulary, self._definitions = vocabulary, made["$defs"]
        self._common = tuple(made["$defs"]["service"]["properties"])
        for name, terms in vocabulary.roles.items():
            self._define(f"role {name}", terms.options)
        for name, options in vocabulary.responders.items():
            self._define(f"{RESPONDER} {name}", options)

    def cases(self) -> Iterator[Schema]:
        roles = self._vocabulary.roles
        for name, terms in roles.items():
            yield _when({_ROLE: {"const": name}}, {"allOf": list(self._role(name, terms))})
        known = {"anyOf": [{"enum": sorted(roles)}, VARIABLE]}
        yield {"if": {"properties": {_ROLE: known}}, "else": self._closed(())}

    def _role(self, name: str, terms: RoleTerms) -> Iterator[Schema]:
        own = f"role {name}"
        if not terms.takes_responder:
            yield self._closed((own,))
            return
        responders = self._vocabulary.responders
        usual = terms.options.get("properties", {}).get(RESPONDER, {}).get("default")
        yield {"properties": {RESPONDER: {"anyOf": [{"enum": sorted(responders)}, VARIABLE]}}}
        for each in responders:
            needs = () if each == usual else (RESPONDER,)
            closed = self._closed((own, f"{RESPONDER} {each}"))
            yield _when({RESPONDER: {"const": each}}, closed, needs)
        if usual is None:
            yield {"if": {"not": {"required": [RESPONDER]}}, "then": self._closed((own,))}

    def _closed(self, owners: Iterable[str]) -> Schema:
        """These options, what all services may say, and no more."""
        refs = [{"$ref": _pointer(owner)} for owner in owners]
        named = [self._definitions[owner].get("properties", {}) for owner in owners]
        known = dict.fromkeys((*self._common, *(key for keys in named for key in keys)), True)
        if any(owner.startswith(RESPONDER) for owner in owners):
            known[RESPONDER] = True
        held: Schema = {"properties": known, "additionalProperties": False}
        return held | ({"allOf": refs} if refs else {})

    def _define(self, name: str, options: Mapping[str, Any]) -> None:
        """The rest of the entry is none of the plugin's: what it says of other keys is dropped."""
        made = _for_editors(options, _pointer(name))
        made.pop("additionalProperties", None)
        self._definitions[name] = made


def _when(properties: Schema, then: Schema, needs: Iterable[str] = (_ROLE,)) -> Schema:
    required = list(needs)
    condition: Schema = {"properties": properties}
    return {"if": condition | ({"required": required} if required else {}), "then": then}


def _pointer(definition: str) -> str:
    return "#/$defs/" + quote(definition.replace("~", "~0").replace("/", "~1"), safe="~")


def _for_editors(value: Any, root: str = "#") -> Any:
    """A copy without our own keywords.  `root`: where what it calls # now stands."""
    if isinstance(value, list):
        return [_for_editors(each, root) for each in value]
    if not isinstance(value, Mapping):
        return value
    made = {
        key: each if key in ANNOTATIONS else _inner(key, each, root) for key, each in value.items()
    }
    if isinstance(made.get("$ref"), str):
        made["$ref"] = made["$ref"].replace("#", root, 1)
    if made.get("format") == "duration":
        made = _duration(made)
    return _or_variable(made) if _narrow(made) else made


def _inner(key: str, value: Any, root: str) -> Any:
    # Names are what these have for keys, whatever schemas have under the same.
    if key in ("properties", "$defs", "patternProperties") and isinstance(value, Mapping):
        return {name: _for_editors(each, root) for name, each in value.items()}
    return _for_editors(value, root)


def _duration(made: Schema) -> Schema:
    """`format: duration` is ISO 8601's elsewhere."""
    bounds = [
        f"{word} {made[key]}" for key, word in (("shortest", "from"), ("longest", "to"))
        if key in made
    ]  # fmt: skip
    rest = {key: each for key, each in made.items() if key not in ("format", "shortest", "longest")}
    told = made.get("description", "A duration, such as 500ms, 1.5s, 2m or 1h.")
    more = f" ({' '.join(bounds)})" if bounds else ""
    return {**rest, "pattern": DURATION, "description": f"{told}{more}"}


def _narrow(made: Schema) -> bool:
    """Whether a string with a variable in it may not fit, though its value does."""
    kind = made.get("type")
    if kind == "string":
        return any(key in made for key in ("pattern", "enum", "anyOf", "not"))
    return kind in SCALARS


def _or_variable(made: Schema) -> Schema:
    told = {key: made.pop(key) for key in ANNOTATIONS if key in made}
    return {"anyOf": [made, VARIABLE], **told}
