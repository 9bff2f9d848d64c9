"""An AsyncAPI 3.0 document: exchanges and queues as channels, what services send and receive.

https://www.asyncapi.com/docs/reference/specification/v3.0.0, with the AMQP bindings 0.3.0.  Of the
heartbeat's messages the payloads are known; of yours a topology file says nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from orquestador import schemas
from orquestador.events import CONTENT_TYPE
from orquestador.provision.exports.usage import ANY, Accesses, Usage, usages
from orquestador.topology.model import EVENTS, HEARTBEAT, UNIQUE, Binding, Exchange, Queue, Topology

BINDING = {"bindingVersion": "0.3.0"}
SUMMARIES = {
    "ping": "asks the services whether they live",
    "echo": "answers a ping, greets or says goodbye",
    "status": "tells that the state of a service has changed",
}
FIRST_WORDS = {"echo": "echo", "status": "status"}
"""Of the routing keys on the exchange `events`, and their messages."""


def asyncapi(topology: Topology, vhost: str, accesses: Accesses) -> str:
    """The document, YAML."""
    used = usages(topology, accesses)
    carried = _carried(topology)
    ids = _ids(topology, used)
    told = {message for messages in carried.values() for message in messages}
    document: dict[str, Any] = {
        "asyncapi": "3.0.0",
        "info": {
            "title": topology.path.stem,
            "version": "1",
            "description": f"The exchanges, queues and services of {topology.path.name}.",
        },
        "defaultContentType": CONTENT_TYPE,
        "channels": dict(_channels(topology, vhost, ids, carried)),
        "operations": dict(_operations(used, ids, carried)),
    }
    if told:
        names = [name for name in SUMMARIES if name in told]
        document["components"] = {
            "messages": {name: _message(name) for name in names},
            "schemas": {name: embedded(schemas.schema(name)) for name in names},
        }
    text: str = yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)
    return text


class _Dumper(yaml.SafeDumper):
    """Without anchors: what is said twice is written twice."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


Ids = Mapping[tuple[str, str], str]
"""(exchange or queue, its name on the broker) -> its channel's key in the document."""

Carried = Mapping[tuple[str, str], Sequence[str]]
"""The same -> the names of the messages that are known to pass there."""


def _ids(topology: Topology, used: Sequence[Usage]) -> Ids:
    """Keys that a reference can name unescaped, no two the same."""
    things = [("exchange", exchange.name) for exchange in topology.exchanges.values()]
    things += [("queue", queue.name) for queue in topology.queues.values()]
    things += [("exchange", name) for usage in used for name in usage.publishes]
    ids: dict[tuple[str, str], str] = {}
    taken: set[str] = set()
    for kind, name in dict.fromkeys(things):
        stem = f"{kind}.{_word(name or 'default')}"
        key, number = stem, 1
        while key in taken:
            number += 1
            key = f"{stem}.{number}"
        taken.add(key)
        ids[kind, name] = key
    return ids


def _word(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "_", text).strip("_") or "_"


# -- which messages pass where


def _carried(topology: Topology) -> Carried:
    """Only where services are watched do these exchanges carry what the protocol says."""
    if not topology.watched:
        return {}
    heartbeat, events = (topology.exchanges[name].name for name in (HEARTBEAT, EVENTS))
    carried: dict[tuple[str, str], Sequence[str]] = {
        ("exchange", heartbeat): ("ping",),
        ("exchange", events): tuple(FIRST_WORDS.values()),
    }
    for queue in topology.queues.values():
        found = {
            message for binding in queue.bindings for message in _by(binding, heartbeat, events)
        }
        if found:
            carried["queue", queue.name] = [name for name in SUMMARIES if name in found]
    return carried


def _by(binding: Binding, heartbeat: str, events: str) -> Iterator[str]:
    if binding.exchange == heartbeat:
        yield "ping"
    if binding.exchange == events:
        first = binding.key.split(".")[0]
        yield from ([FIRST_WORDS[first]] if first in FIRST_WORDS else FIRST_WORDS.values())


# -- channels


def _channels(
    topology: Topology, vhost: str, ids: Ids, carried: Carried
) -> Iterator[tuple[str, dict[str, Any]]]:
    exchanges = {exchange.name: exchange for exchange in topology.exchanges.values()}
    queues = {queue.name: queue for queue in topology.queues.values()}
    for (kind, name), key in ids.items():
        if kind == "queue":
            channel = _queue(queues[name], vhost)
        else:
            channel = _exchange(exchanges.get(name) or _broker_s_own(name), vhost)
        if messages := carried.get((kind, name)):
            refs = {each: {"$ref": f"#/components/messages/{each}"} for each in messages}
            channel["messages"] = refs
        yield key, channel


def _broker_s_own(name: str) -> Exchange:
    return Exchange(
        name, {"": "default", "amq.match": "headers"}.get(name, name.removeprefix("amq."))
    )


def _exchange(exchange: Exchange, vhost: str) -> dict[str, Any]:
    held: dict[str, Any] = {
        "title": exchange.name or "the default exchange",
        "address": None,  # the routing key, which each operation has of its own
        "bindings": {
            "amqp": {
                "is": "routingKey",
                "exchange": {
                    "name": exchange.name,
                    "type": exchange.type,
                    "durable": exchange.durable,
                    "autoDelete": exchange.auto_delete,
                    "vhost": vhost,
                },
                **BINDING,
            }
        },
    }
    return held | _beyond(exchange)


def _queue(queue: Queue, vhost: str) -> dict[str, Any]:
    held: dict[str, Any] = {"title": queue.name, "address": queue.name}
    if queue.unique:
        word = UNIQUE.strip("{}")
        held["parameters"] = {word: {"description": "a fresh word for each connection"}}
    held["bindings"] = {
        "amqp": {
            "is": "queue",
            "queue": {
                "name": queue.name,
                "durable": queue.durable,
                "exclusive": queue.exclusive,
                "autoDelete": queue.auto_delete,
                "vhost": vhost,
            },
            **BINDING,
        }
    }
    return held | _beyond(queue)


def _beyond(thing: Exchange | Queue) -> dict[str, Any]:
    """What AsyncAPI has no place for."""
    held: dict[str, Any] = {}
    if thing.arguments:
        held["x-arguments"] = dict(thing.arguments)
    if thing.bindings:
        held["x-bindings"] = [_binding(binding) for binding in thing.bindings]
    return held


def _binding(binding: Binding) -> dict[str, Any]:
    held: dict[str, Any] = {"exchange": binding.exchange, "key": binding.key}
    return held | ({"arguments": dict(binding.arguments)} if binding.arguments else {})


# -- operations


def _operations(
    used: Sequence[Usage], ids: Ids, carried: Carried
) -> Iterator[tuple[str, dict[str, Any]]]:
    for usage in used:
        for exchange, keys in usage.publishes.items():
            key = ids["exchange", exchange]
            sent = _sent(carried.get(("exchange", exchange), ()), keys)
            named = {} if ANY in keys else {"cc": sorted(keys)}
            bindings = {"bindings": {"amqp": {**named, **BINDING}}} if named else {}
            yield _operation(usage, "send", key, sent, bindings)
        for queue in usage.consumes:
            messages = carried.get(("queue", queue), ())
            yield _operation(usage, "receive", ids["queue", queue], messages, {})


def _sent(messages: Sequence[str], keys: frozenset[str]) -> Sequence[str]:
    firsts = {key.split(".")[0] for key in keys}
    if len(messages) < 2 or not firsts <= set(FIRST_WORDS):
        return messages
    return [message for message in messages if message in {FIRST_WORDS[first] for first in firsts}]


def _operation(
    usage: Usage, action: str, channel: str, messages: Sequence[str], more: Mapping[str, Any]
) -> tuple[str, dict[str, Any]]:
    name = usage.service.name
    held: dict[str, Any] = {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "tags": [{"name": name}],
        **more,
    }
    if messages:
        held["messages"] = [
            {"$ref": f"#/channels/{channel}/messages/{message}"} for message in messages
        ]
    return f"{name}.{action}s.{channel}", held


# -- messages


def _message(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "title": name,
        "summary": SUMMARIES[name],
        "contentType": CONTENT_TYPE,
        "payload": {"$ref": f"#/components/schemas/{name}"},
        "bindings": {"amqp": {"messageType": name, **BINDING}},
    }


def embedded(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A JSON Schema of ours as an AsyncAPI schema object: its `$defs` in the places that name them.

    That is a superset of draft 07, where a `$ref` has no siblings: ours stand beside one another.
    """
    definitions = schema.get("$defs", {})

    def resolved(value: Any) -> Any:
        if isinstance(value, list):
            return [resolved(each) for each in value]
        if not isinstance(value, Mapping):
            return value
        held = {key: resolved(each) for key, each in value.items() if key != "$ref"}
        named = str(value.get("$ref", "")).removeprefix("#/$defs/")
        return {**resolved(definitions[named]), **held} if named else held

    outer = {key: value for key, value in schema.items() if key not in ("$schema", "$defs")}
    inlined: dict[str, Any] = resolved(outer)
    return inlined
