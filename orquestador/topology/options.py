"""What services say beside the keys that all have, against what plugins let them say.

The plugins' schemas check the values; what is known at all, and under which role, is checked here.
Without a vocabulary only the roles' names are looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from orquestador.durations import parse
from orquestador.errors import Fault
from orquestador.schemas import findings, schema
from orquestador.topology.expand import Draft
from orquestador.topology.model import ping_queue
from orquestador.topology.vocabulary import RoleTerms, Vocabulary
from orquestador.wording import did_you_mean, misfit, nearest

RESPONDER = "responder"
EVERY = ("role", "queues", "publishes")
WATCHED = ("replicas", "grace", "user", "echo_within", "down_after")


def faults(draft: Draft, vocabulary: Vocabulary | None) -> Iterator[Fault]:
    for name, entry in draft.services.items():
        role = entry.get("role")
        if not isinstance(role, str):
            continue
        unknown = list(_unknown_role(draft, name, role, vocabulary))
        yield from unknown
        if vocabulary is not None and not unknown:
            yield from _Entry(draft, vocabulary, name, entry, role).faults()


def settled(entry: Mapping[str, Any], vocabulary: Vocabulary) -> dict[str, Any]:
    """What the entry says beside EVERY; durations, by the schemas, in seconds."""
    role = vocabulary.roles.get(entry["role"], RoleTerms())
    usual = _properties(role.options).get(RESPONDER, {}).get("default", "")
    responder = vocabulary.responders.get(entry.get(RESPONDER, usual), {})
    service = schema("topology")["$defs"]["service"]
    terms: dict[str, Any] = {}
    for source in (service, role.options, responder):
        terms.update(_properties(source))
    return {
        key: parse(value) if terms.get(key, {}).get("format") == "duration" else value
        for key, value in entry.items()
        if key not in EVERY
    }


def _unknown_role(
    draft: Draft, name: str, role: str, vocabulary: Vocabulary | None
) -> Iterator[Fault]:
    provided = vocabulary.roles if vocabulary else ()
    if role in draft.roles or role in provided or not draft.sound(("roles",)):
        return
    known = (*draft.roles, *provided)
    if vocabulary is None and not nearest(role, known):
        return  # a plugin may provide it: who loads without a vocabulary can't know
    where = f", and no plugin {_searched(vocabulary)}provides it" if vocabulary else ""
    text = f"{role!r} is not declared under roles{where}{did_you_mean(role, known)}"
    yield draft.document.fault(("services", name, "role"), text)


def _searched(vocabulary: Vocabulary) -> str:
    return f"in {', '.join(vocabulary.searched)} " if vocabulary.searched else ""


def _properties(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    properties: Mapping[str, Any] = schema.get("properties", {})
    return properties


class _Entry:
    """One service's entry, and the schemas that speak of it."""

    def __init__(
        self, draft: Draft, vocabulary: Vocabulary, name: str, entry: Mapping[str, Any], role: str
    ) -> None:
        self.draft, self.vocabulary = draft, vocabulary
        self.name, self.entry, self.role = name, entry, role
        self.place = ("services", name)
        self.terms = vocabulary.roles.get(role, RoleTerms())
        usual = _properties(self.terms.options).get(RESPONDER, {}).get("default")
        self.answers = self.terms.takes_responder and (RESPONDER in entry or usual is not None)
        self.responder = entry.get(RESPONDER, usual)

    def faults(self) -> Iterator[Fault]:
        schemas = [self.terms.options]
        if self.answers:
            refusal, place = self.refused_responder(), (*self.place, RESPONDER)
            if refusal and self.draft.sound(place):
                yield self.draft.document.fault(place, refusal)
            if refusal:
                return  # whose options the further keys are is not known
            schemas.append(self.vocabulary.responders[self.responder])
        known = {key for schema in schemas for key in _properties(schema)}
        if self.terms.takes_responder:
            known.add(RESPONDER)
        unknown = [key for key in self.entry if key not in known and key not in EVERY]
        yield from self.unknown_keys(unknown, known)
        for options in schemas:
            yield from self.values(options, unknown)

    def refused_responder(self) -> str | None:
        given, offered = self.responder, self.vocabulary.responders
        if not isinstance(given, str):
            source = self.draft.document.sources.get((*self.place, RESPONDER))
            return misfit(given, source, {"type": "string"})
        if given in offered:
            return None
        where = _searched(self.vocabulary)
        return f"no plugin {where}provides the responder {given!r}{did_you_mean(given, offered)}"

    def unknown_keys(self, unknown: list[str], known: set[str]) -> Iterator[Fault]:
        for key in unknown:
            if key not in WATCHED:
                text = f"unknown key{self.hint(key, known)}"
            elif self.draft.watched(self.name) or not self.draft.sound(("roles",), self.role):
                continue
            else:
                queue = ping_queue(self.name)
                text = f"is for watched services, and {self.name} has no queue {queue!r}"
            yield self.draft.document.fault((*self.place, key), text)

    def hint(self, key: str, known: set[str]) -> str:
        if self.role not in self.vocabulary.roles:
            why = f"; no plugin provides the role {self.role!r}, so it has no options"
            return why + did_you_mean(key, (*EVERY, *WATCHED))
        owners = [
            name
            for name, schema in self.vocabulary.responders.items()
            if key in _properties(schema)
        ]
        if self.terms.takes_responder and owners:
            return f"; it is an option of the responder {owners[0]}: add responder: {owners[0]}"
        allowed = sorted({*known, *EVERY, *WATCHED})
        return did_you_mean(key, allowed) or f"; known here: {', '.join(allowed)}"

    def values(self, schema: Mapping[str, Any], unknown: list[str]) -> Iterator[Fault]:
        document = self.draft.document
        for finding in findings(document, schema, self.place, only=_properties(schema)):
            # A key that is missing because it is misspelt was reported as unknown.
            misspelt = finding.lacks and finding.meant and nearest(str(finding.meant[-1]), unknown)
            if self.draft.sound(finding.place) and not misspelt:
                yield document.fault(finding.place, finding.text)
