"""RabbitMQ's definitions JSON: what `rabbitmqctl import_definitions` and the management UI take.

Its form: https://www.rabbitmq.com/docs/definitions.  Importing creates what is missing; what is
there with other properties it leaves as it is.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from orquestador.provision.exports.permissions import Account
from orquestador.topology.model import Topology

SALT = 4  # bytes, RabbitMQ's
HASHING = "rabbit_password_hashing_sha256"


def definitions(
    topology: Topology,
    vhost: str,
    *,
    create_vhost: bool = False,
    accounts: Iterable[Account] = (),
    passwords: Mapping[str, str] | None = None,
    salt: Callable[[], bytes] = lambda: secrets.token_bytes(SALT),
) -> dict[str, Any]:
    """The topology's exchanges, lasting queues and bindings; ready for `json.dumps`.

    `create_vhost`: for a broker without the vhost; one that is there loses its description, tags
    and default queue type over it.  `accounts`: with their permissions; those whose password is in
    `passwords` (user -> password) are created, and changed where they are there already.  The
    import fails over the permissions of a user that is neither there nor created.
    """
    given = passwords or {}
    theirs = tuple(accounts)
    users = [_user(each.user, given[each.user], salt()) for each in theirs if each.user in given]
    parts: dict[str, list[dict[str, Any]]] = {
        "vhosts": [{"name": vhost}] if create_vhost else [],
        "users": users,
        "permissions": [_permission(each, vhost) for each in theirs],
        "topic_permissions": _topics(theirs, vhost),
    }
    held = _held(topology, vhost)
    return {key: part for key, part in parts.items() if part} | held


def _held(topology: Topology, vhost: str) -> dict[str, Any]:
    return {
        "exchanges": [
            {
                "name": exchange.name,
                "vhost": vhost,
                "type": exchange.type,
                "durable": exchange.durable,
                "auto_delete": exchange.auto_delete,
                "internal": exchange.internal,
                "arguments": dict(exchange.arguments),
            }
            for exchange in topology.exchanges.values()
            if exchange.owned
        ],
        "queues": [
            {
                "name": queue.name,
                "vhost": vhost,
                "durable": queue.durable,
                "auto_delete": queue.auto_delete,
                "arguments": dict(queue.arguments),
            }
            for queue in topology.lasting
        ],
        "bindings": [
            {
                "source": link.source,
                "vhost": vhost,
                "destination": link.destination,
                "destination_type": str(link.kind),
                "routing_key": link.key,
                "arguments": link.arguments,
            }
            for link in topology.links
        ],
    }


def _user(user: str, password: str, salt: bytes) -> dict[str, Any]:
    """RabbitMQ's hash: https://www.rabbitmq.com/docs/passwords#computing-password-hash."""
    digest = hashlib.sha256(salt + password.encode()).digest()
    return {
        "name": user,
        "password_hash": base64.b64encode(salt + digest).decode(),
        "hashing_algorithm": HASHING,
        "tags": "",
    }


def _permission(account: Account, vhost: str) -> dict[str, Any]:
    return {
        "user": account.user,
        "vhost": vhost,
        "configure": account.configure,
        "write": account.write,
        "read": account.read,
    }


def _topics(accounts: Iterable[Account], vhost: str) -> list[dict[str, Any]]:
    return [
        {
            "user": account.user,
            "vhost": vhost,
            "exchange": topic.exchange,
            "write": topic.write,
            "read": topic.read,
        }
        for account in accounts
        for topic in account.topics
    ]
