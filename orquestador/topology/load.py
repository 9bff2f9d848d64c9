"""topology.yaml -> model: read, checked by the schema, expanded, cross-checked, built.

Each step is a module; none stops the next, so that everything wrong is reported at once.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orquestador import documents, schemas
from orquestador.errors import ConfigurationError
from orquestador.topology import check, expand, options
from orquestador.topology.arguments import ALTERNATE, queue_arguments
from orquestador.topology.expand import Concrete, Draft
from orquestador.topology.model import Binding, Exchange, Queue, Service, Topology
from orquestador.topology.vocabulary import Vocabulary


def load(
    path: str | Path,
    vocabulary: Vocabulary | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Topology:
    """The file's topology; ConfigurationError with all that is wrong in it.

    `vocabulary`: what plugins provide; without one the services' further keys are not checked.
    """
    document = documents.read(path, environ)
    misfits = schemas.findings(document, schemas.schema("topology"))
    draft = expand.draft(document, misfits)
    faults = {
        *document.faults,
        *(document.fault(misfit.place, misfit.text) for misfit in misfits),
        *check.faults(draft),
        *options.faults(draft, vocabulary),
    }
    if faults:
        raise ConfigurationError(tuple(faults))
    return _topology(Path(path), draft, vocabulary)


def _topology(path: Path, draft: Draft, vocabulary: Vocabulary | None) -> Topology:
    return Topology(
        path,
        {name: _exchange(draft, name, terms) for name, terms in draft.exchanges.items()},
        {concrete.name: _queue(draft, concrete) for concrete in draft.queues},
        {
            name: Service(
                name,
                entry["role"],
                draft.owned.get(name, ()),
                options.settled(entry, vocabulary or Vocabulary()),
            )
            for name, entry in draft.services.items()
        },
        draft.vhost,
        draft.prefix,
    )


def _exchange(draft: Draft, name: str, terms: Mapping[str, Any]) -> Exchange:
    plain = {key: value for key, value in terms.items() if key not in ("alternate", "arguments")}
    arguments = dict(terms.get("arguments", {}))
    if "alternate" in terms:
        arguments[ALTERNATE] = draft.on_broker(terms["alternate"])
    return Exchange(draft.on_broker(name), **plain, arguments=arguments)


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
        arguments=queue_arguments({**terms, **_dead_letter(draft, terms)}),
        bindings=tuple(_binding(draft, binding) for binding in terms.get("bindings", ())),
    )


def _dead_letter(draft: Draft, terms: Mapping[str, Any]) -> dict[str, Any]:
    letter = terms.get("dead_letter")
    if letter is None:
        return {}
    exchange, key = letter["exchange"], letter.get("key")
    # Through the default exchange the key is a queue's name, and those have the prefix.
    key = draft.prefix + key if exchange == "" and key else key
    return {"dead_letter": {"exchange": draft.on_broker(exchange), "key": key}}


def _binding(draft: Draft, terms: Mapping[str, Any]) -> Binding:
    exchange = draft.on_broker(terms["exchange"])
    return Binding(exchange, terms.get("key") or "", terms.get("arguments") or {})
