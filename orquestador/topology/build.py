"""A draft without a fault -> the model: names on the broker, AMQP arguments, lines of the file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from orquestador.topology import options
from orquestador.topology.arguments import ALTERNATE, queue_arguments
from orquestador.topology.expand import Concrete, Draft
from orquestador.topology.model import (
    Absent,
    Binding,
    Exchange,
    Limits,
    Queue,
    Service,
    Topology,
)
from orquestador.topology.things import Kind, Link, link
from orquestador.topology.vocabulary import Vocabulary

_OF_EXCHANGES = ("type", "durable", "auto_delete", "internal", "owned")


def topology(path: Path, draft: Draft, vocabulary: Vocabulary | None) -> Topology:
    known = vocabulary or Vocabulary()
    return Topology(
        path,
        {name: _exchange(draft, name, terms) for name, terms in draft.exchanges.items()},
        {concrete.name: _queue(draft, concrete) for concrete in draft.queues},
        {name: _service(draft, name, entry, known) for name, entry in draft.services.items()},
        draft.vhost,
        draft.prefix,
        _absent(draft),
        Limits(**draft.limits, lines=_lines(draft, "limits", draft.limits)),
    )


def _lines(draft: Draft, section: str, keys: Iterable[str]) -> dict[str, int]:
    return {key: draft.document.line((section, key)) for key in keys}


def _exchange(draft: Draft, name: str, terms: Mapping[str, Any]) -> Exchange:
    arguments = dict(terms.get("arguments", {}))
    if "alternate" in terms:
        arguments[ALTERNATE] = draft.on_broker(terms["alternate"])
    return Exchange(
        draft.on_broker(name),
        **{key: terms[key] for key in _OF_EXCHANGES if key in terms},
        arguments=arguments,
        bindings=_bindings(draft, terms),
        line=draft.document.line(("exchanges", name)),
    )


def _queue(draft: Draft, concrete: Concrete) -> Queue:
    terms = concrete.terms
    exclusive = terms.get("exclusive", False)
    return Queue(
        draft.prefix + concrete.name,
        # What goes with its connection needs no place on a disk.
        durable=terms.get("durable", not exclusive),
        exclusive=exclusive,
        auto_delete=terms.get("auto_delete", False),
        disposable=terms.get("disposable", False),
        retain=terms.get("on_remove") == "retain",
        arguments=queue_arguments({**terms, **_dead_letter(draft, terms)}),
        bindings=_bindings(draft, terms),
        line=draft.document.line(concrete.written.place),
    )


def _dead_letter(draft: Draft, terms: Mapping[str, Any]) -> dict[str, Any]:
    letter = terms.get("dead_letter")
    if letter is None:
        return {}
    exchange, key = letter["exchange"], letter.get("key")
    # Through the default exchange the key is a queue's name, and those have the prefix.
    key = draft.prefix + key if exchange == "" and key else key
    return {"dead_letter": {"exchange": draft.on_broker(exchange), "key": key}}


def _bindings(draft: Draft, terms: Mapping[str, Any]) -> tuple[Binding, ...]:
    return tuple(
        Binding(
            draft.on_broker(binding["exchange"]),
            binding.get("key") or "",
            binding.get("arguments") or {},
        )
        for binding in terms.get("bindings", ())
    )


def _service(draft: Draft, name: str, entry: Mapping[str, Any], vocabulary: Vocabulary) -> Service:
    role = draft.roles.get(entry["role"]) or {}
    published = (*(role.get("publishes") or ()), *(entry.get("publishes") or ()))
    return Service(
        name,
        entry["role"],
        draft.owned.get(name, ()),
        options.settled(entry, vocabulary),
        tuple(dict.fromkeys(map(draft.on_broker, published))),
    )


def _absent(draft: Draft) -> Absent:
    absent = draft.absent
    return Absent(
        tuple(draft.prefix + name for name in absent.get("exchanges") or ()),
        tuple(draft.prefix + name for name in absent.get("queues") or ()),
        tuple(_link(draft, terms) for terms in absent.get("bindings") or ()),
    )


def _link(draft: Draft, terms: Mapping[str, Any]) -> Link:
    kind, end = Kind.QUEUE, draft.prefix + (terms.get("queue") or "")
    if terms.get("to_exchange") is not None:
        kind, end = Kind.EXCHANGE, draft.on_broker(terms["to_exchange"])
    source = draft.on_broker(terms["exchange"])
    return link(source, kind, end, terms.get("key") or "", terms.get("arguments") or {})
