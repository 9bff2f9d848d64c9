"""The verbs that touch no broker: export and import.

What they write is `exports/`'s and `importing/`'s; standard output gets it.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from orquestador.errors import ConfigurationError
from orquestador.hooks.registry import Registry
from orquestador.run.exits import DONE
from orquestador.run.surroundings import address
from orquestador.topology.model import Topology


def export(topology: Topology, registry: Registry, given: argparse.Namespace) -> int:
    """Any format but `schema`, which needs no topology: that is `export_schema`'s."""
    vhost = given.vhost or address(given.url).in_vhost(topology.vhost).addresses[0].vhost
    accesses = registry.accesses
    match given.object:
        case "definitions":
            text = _definitions(topology, registry, vhost, given)
        case "permissions":
            from orquestador.provision.exports.permissions import accounts
            from orquestador.provision.exports.rabbitmqctl import script

            text = script(accounts(topology, accesses), vhost, str(topology.path))
        case "asyncapi":
            from orquestador.provision.exports.asyncapi import asyncapi

            text = asyncapi(topology, vhost, accesses)
        case _:
            from orquestador.provision.exports.mermaid import mermaid

            text = mermaid(topology, accesses)
    print(text.rstrip("\n"))
    return DONE


def _definitions(
    topology: Topology, registry: Registry, vhost: str, given: argparse.Namespace
) -> str:
    from orquestador.provision.exports.definitions import definitions
    from orquestador.provision.exports.permissions import accounts
    from orquestador.provision.exports.rabbitmqctl import variables

    theirs = accounts(topology, registry.accesses) if given.accounts else ()
    named = variables(account.user for account in theirs)
    passwords = {user: os.environ[name] for user, name in named.items() if os.environ.get(name)}
    missing = [name for user, name in named.items() if user not in passwords]
    if missing:
        print(
            f"not set, so that their accounts have to be there already: {', '.join(missing)}",
            file=sys.stderr,
        )
    held = definitions(
        topology, vhost, create_vhost=given.create_vhost, accounts=theirs, passwords=passwords
    )
    return json.dumps(held, indent=2, ensure_ascii=False)


def export_schema(registry: Registry) -> int:
    """For editors: the file's schema, with the options of the plugins that are there."""
    from orquestador.provision.exports.schema import editor_schema

    print(json.dumps(editor_schema(registry.vocabulary()), indent=2, ensure_ascii=False))
    return DONE


def import_from(source: str, vhost: str | None) -> int:
    """`source`: a file of definitions, or `-`.  Raises ConfigurationError where it is none."""
    from orquestador.provision.importing import topology_yaml

    text, file = (sys.stdin.read(), "<stdin>") if source == "-" else (_text(source), source)
    print(topology_yaml(text, vhost=vhost, file=file), end="")
    return DONE


def _text(source: str) -> str:
    try:
        return Path(source).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigurationError(f"{source}:1: is not UTF-8 text") from None
    except OSError as fault:
        raise ConfigurationError(f"{source}:1: cannot be read: {fault.strerror}") from None
