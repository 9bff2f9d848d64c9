"""What the broker says of itself, against what the topology and we need.  Pure."""

from __future__ import annotations

import re

from orquestador.broker.crew import HANDS
from orquestador.broker.greeting import Greeting
from orquestador.provision.doctor.check import UNREACHED, Check, fail, ok, warn
from orquestador.topology.arguments import QUORUM, STREAM
from orquestador.topology.model import Topology

RABBITMQ = "RabbitMQ"
_SINCE = {QUORUM: (3, 8), STREAM: (3, 9)}
"""The version that brought a type of queue: https://www.rabbitmq.com/docs/quorum-queues and
/docs/streams."""

_CONFIRMS, _BETWEEN_EXCHANGES = "publisher_confirms", "exchange_exchange_bindings"
_MISSED = {
    "basic.nack": "a message that a broker cannot keep is not told to who published it",
    "consumer_cancel_notify": "who consumes a queue does not learn that it was deleted",
    "connection.blocked": "a broker short of memory or disk looks like one that hangs",
}
"""Capabilities that we do without, and what that costs."""


def product(greeting: Greeting, topology: Topology) -> Check:
    text = f"{greeting.product} {greeting.version}".strip() or "it does not say what it is"
    numbers = re.match(r"(\d+)\.(\d+)", greeting.version)
    if greeting.product != RABBITMQ or numbers is None:
        return ok("product", text)
    version = int(numbers[1]), int(numbers[2])
    wanted = {queue.type for queue in topology.lasting}
    for kind, (major, minor) in _SINCE.items():
        if kind in wanted and version < (major, minor):
            text = f"{text} has no {kind} queues, and the topology has some"
            remedy = f"RabbitMQ {major}.{minor} or later, or another type for them"
            return fail("product", text, remedy, UNREACHED)
    return ok("product", text)


def capabilities(greeting: Greeting, topology: Topology) -> Check:
    between = any(exchange.bindings for exchange in topology.exchanges.values())
    needed = [_CONFIRMS, *([_BETWEEN_EXCHANGES] if between else ())]
    lacking = [name for name in needed if name not in greeting.capabilities]
    if lacking:
        text = f"it does not offer {', '.join(lacking)}"
        return fail("capabilities", text, "another broker, or a later version", UNREACHED)
    missed = [name for name in _MISSED if name not in greeting.capabilities]
    if missed:
        text = f"it does not offer {', '.join(missed)}"
        return warn("capabilities", text, "; ".join(_MISSED[name] for name in missed))
    return ok("capabilities", ", ".join([*needed, *_MISSED]))


def negotiated(greeting: Greeting) -> Check:
    """Channels, frames and heartbeats as both sides agreed on them."""
    text = f"{greeting.channels} channels, frames of {greeting.frame} bytes"
    if greeting.channels < HANDS:
        text = f"{text}: provisioning works over {HANDS} channels"
        return fail("negotiated", text, "raise channel_max on the broker", UNREACHED)
    if not greeting.heartbeat:
        text = f"{text}, no heartbeats: a cut cable is not noticed"
        return warn("negotiated", text, "raise heartbeat on the broker above 0")
    return ok("negotiated", f"{text}, a heartbeat each {greeting.heartbeat} s")
