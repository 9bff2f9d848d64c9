"""A Mermaid flowchart: services, exchanges, queues; who publishes where, what reaches which queue.

Syntax: https://mermaid.js.org/syntax/flowchart.html.  Its viewers draw 500 arrows and 50,000
characters at most unless told otherwise: services of one role that are alike are drawn as one.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from orquestador.provision.exports.usage import ANY, Accesses, Usage, usages
from orquestador.topology.arguments import ALTERNATE, DEAD_LETTER_KEY, TERMS
from orquestador.topology.expand import SERVICE
from orquestador.topology.model import Binding, Exchange, Queue, Topology

FEW = 8
"""So many services that are alike are drawn one by one."""

KEYS_SHOWN = 4
DEAD_LETTER = TERMS["dead_letter"].argument
DEFAULT_EXCHANGE = "(default exchange)"
SHAPES = {"service": ('(["', '"])'), "exchange": ('{{"', '"}}'), "queue": ('[("', '")]')}


def mermaid(topology: Topology, accesses: Accesses) -> str:
    """The whole topology, ending in a newline.  Dead letters and alternates are dashed arrows."""
    used = usages(topology, accesses)
    drawing = _Drawing(_folded(used))
    for exchange in topology.exchanges.values():
        drawing.node("exchange", exchange.name)
    for queue in topology.queues.values():
        drawing.node("queue", queue.name)
    for exchange in topology.exchanges.values():
        drawing.exchange(exchange)
    for queue in topology.queues.values():
        drawing.queue(queue)
    for usage in used:
        drawing.service(usage)
    return drawing.text()


@dataclass(frozen=True, slots=True)
class _Folded:
    """Services that are drawn as one, with its title; and their queues, likewise."""

    services: Mapping[str, str] = field(default_factory=dict)
    queues: frozenset[str] = frozenset()

    def name(self, kind: str, name: str) -> str:
        if kind == "service":
            return self.services.get(name, name)
        return _general(name, self.services) if name in self.queues else name


def _folded(used: Iterable[Usage]) -> _Folded:
    alike: defaultdict[object, list[Usage]] = defaultdict(list)
    for usage in used:
        alike[_shape(usage)].append(usage)
    services: dict[str, str] = {}
    queues: set[str] = set()
    for group in alike.values():
        if len(group) <= FEW:
            continue
        first, last = group[0].service, group[-1].service
        title = f"{len(group)} services of role {first.role}: {first.name} to {last.name}"
        services |= dict.fromkeys((usage.service.name for usage in group), title)
        queues |= {queue.name for usage in group for queue in usage.queues}
    return _Folded(services, frozenset(queues))


def _shape(usage: Usage) -> object:
    """The same for services that differ in nothing but their names."""
    drawn = [
        (queue.name, sorted(queue.arguments.items(), key=str), queue.bindings)
        for queue in usage.queues
    ]
    does = (sorted(usage.consumes), sorted((x, sorted(k)) for x, k in usage.publishes.items()))
    return usage.service.role, _general(repr((drawn, does)), {usage.service.name})


def _general(text: str, services: Iterable[str]) -> str:
    """`{service}` in the place of each word that is the name of one."""
    return re.sub(r"[A-Za-z0-9_-]+", lambda word: SERVICE if word[0] in services else word[0], text)


@dataclass(slots=True)
class _Drawing:
    """Nodes by kind and title; arrows by their ends, with the labels of all that they stand for."""

    folded: _Folded
    ids: dict[tuple[str, str], str] = field(default_factory=dict)
    arrows: dict[tuple[str, str, bool], dict[str, None]] = field(default_factory=dict)

    def exchange(self, exchange: Exchange) -> None:
        self.bindings("exchange", exchange.name, exchange.bindings)
        if ALTERNATE in exchange.arguments:
            self.arrow(
                self.node("exchange", exchange.name),
                self.node("exchange", exchange.arguments[ALTERNATE]),
                "unrouted",
                dashed=True,
            )

    def queue(self, queue: Queue) -> None:
        self.bindings("queue", queue.name, queue.bindings)
        exchange, key = (queue.arguments.get(name) for name in (DEAD_LETTER, DEAD_LETTER_KEY))
        if exchange is None:
            return
        # Through the default exchange the key is a queue's name.
        end = ("queue", key) if exchange == "" and key else ("exchange", exchange)
        label = "dead letters" if end[0] == "queue" or not key else f"dead letters: {key}"
        self.arrow(self.node("queue", queue.name), self.node(*end), label, dashed=True)

    def bindings(self, kind: str, name: str, bindings: Iterable[Binding]) -> None:
        for binding in bindings:
            terms = json.dumps(dict(binding.arguments)) if binding.arguments else ""
            label = " ".join(part for part in (binding.key, terms) if part)
            self.arrow(self.node("exchange", binding.exchange), self.node(kind, name), label)

    def service(self, usage: Usage) -> None:
        node = self.node("service", usage.service.name)
        for exchange, keys in usage.publishes.items():
            for key in sorted(keys):
                self.arrow(node, self.node("exchange", exchange), "" if key == ANY else key)
        for queue in usage.consumes:
            self.arrow(self.node("queue", queue), node)

    def node(self, kind: str, name: str) -> str:
        title = self.folded.name(kind, name) or DEFAULT_EXCHANGE
        return self.ids.setdefault((kind, title), f"{kind[0]}{len(self.ids)}")

    def arrow(self, start: str, end: str, label: str = "", *, dashed: bool = False) -> None:
        labels = self.arrows.setdefault((start, end, dashed), {})
        labels[_general(label, self.folded.services)] = None

    def text(self) -> str:
        lines = ["flowchart LR"]
        for (kind, title), node in self.ids.items():
            before, after = SHAPES[kind]
            lines.append(f"    {node}{before}{_escaped(title)}{after}")
        for (start, end, dashed), labels in self.arrows.items():
            lines.append(f"    {start} {'-.->' if dashed else '-->'}{_label(labels)} {end}")
        return "\n".join(lines) + "\n"


def _label(labels: Iterable[str]) -> str:
    told = [label for label in labels if label]
    if not told:
        return ""
    more = f" and {len(told) - KEYS_SHOWN} more" if len(told) > KEYS_SHOWN else ""
    return f'|"{_escaped(", ".join(told[:KEYS_SHOWN]) + more)}"|'


def _escaped(text: str) -> str:
    """What means something to Mermaid, Markdown or HTML by its number, as its syntax has it."""
    return "".join(
        letter if letter.isalnum() or letter in " .,:/*+=@-_(){}" else f"#{ord(letter)};"
        for letter in text
    )
