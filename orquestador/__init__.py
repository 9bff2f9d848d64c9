"""Availability of services over a message broker: the names that programs and plugins import.

Loaded lazily (PEP 562): importing pika alone costs 50 ms, and a command that only checks a file
needs none of it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orquestador.broker.bus import Bus
    from orquestador.broker.channel import Channel
    from orquestador.broker.connection import Connection, ended
    from orquestador.broker.declaring import declare
    from orquestador.broker.keeping import keep, pause
    from orquestador.broker.message import Delivery, Outgoing
    from orquestador.broker.subscriber import Received
    from orquestador.errors import (
        BrokerError,
        ConfigurationError,
        Conflict,
        EventError,
        Locked,
        Lost,
        NotConfirmed,
        NotFound,
        OrquestadorError,
        Refused,
        UnknownName,
        Unreachable,
        Unroutable,
        UsageError,
    )
    from orquestador.hooks.hookspecs import hookimpl
    from orquestador.hooks.registry import Role, RoleContext
    from orquestador.responder.blocking import Responder
    from orquestador.responder.serving import Names, Serving, Told
    from orquestador.topology.access import Access, Costs, Rate
    from orquestador.topology.model import Binding, Exchange, Queue, Service, Topology

_HOMES = {
    "orquestador.broker.bus": ("Bus",),
    "orquestador.broker.channel": ("Channel",),
    "orquestador.broker.connection": ("Connection", "ended"),
    "orquestador.broker.declaring": ("declare",),
    "orquestador.broker.keeping": ("keep", "pause"),
    "orquestador.broker.message": ("Delivery", "Outgoing"),
    "orquestador.broker.subscriber": ("Received",),
    "orquestador.errors": (
        "BrokerError",
        "ConfigurationError",
        "Conflict",
        "EventError",
        "Locked",
        "Lost",
        "NotConfirmed",
        "NotFound",
        "OrquestadorError",
        "Refused",
        "UnknownName",
        "Unreachable",
        "Unroutable",
        "UsageError",
    ),
    "orquestador.hooks.hookspecs": ("hookimpl",),
    "orquestador.hooks.registry": ("Role", "RoleContext"),
    "orquestador.responder.blocking": ("Responder",),
    "orquestador.responder.serving": ("Names", "Serving", "Told"),
    "orquestador.topology.access": ("Access", "Costs", "Rate"),
    "orquestador.topology.model": ("Binding", "Exchange", "Queue", "Service", "Topology"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "Access",
    "Binding",
    "BrokerError",
    "Bus",
    "Channel",
    "ConfigurationError",
    "Conflict",
    "Connection",
    "Costs",
    "Delivery",
    "EventError",
    "Exchange",
    "Locked",
    "Lost",
    "Names",
    "NotConfirmed",
    "NotFound",
    "OrquestadorError",
    "Outgoing",
    "Queue",
    "Rate",
    "Received",
    "Refused",
    "Responder",
    "Role",
    "RoleContext",
    "Service",
    "Serving",
    "Told",
    "Topology",
    "UnknownName",
    "Unreachable",
    "Unroutable",
    "UsageError",
    "declare",
    "ended",
    "hookimpl",
    "keep",
    "pause",
]


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'orquestador' has no attribute {name!r}")
    return getattr(importlib.import_module(home), name)
