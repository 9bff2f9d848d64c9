"""`python -m orquestador.provision VERB`: from a command line to an exit code.

What a verb does with a broker is `online.py`'s, with files alone `offline.py`'s.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from orquestador.errors import ConfigurationError
from orquestador.hooks import loading
from orquestador.hooks.registry import Registry
from orquestador.provision.command import offline, parser
from orquestador.run.exits import ending
from orquestador.run.surroundings import address, log_to_stderr, print_anyway
from orquestador.topology.load import load
from orquestador.topology.model import Topology

WITHIN_LIMITS = ("apply", "plan", "validate")
"""The verbs that make more of what a broker plan limits, or say that it can be made."""


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code."""
    return ending(lambda: _main(argv))


def _main(argv: Sequence[str] | None) -> int:
    given = parser.parse(argv)
    log_to_stderr(given.verbose)
    print_anyway()
    if given.verb == "import":
        return offline.import_from(given.object, given.vhost)
    registry = loading.load(Path(given.topology).parent, given.plugins).registry
    if given.verb == "export" and given.object == "schema":
        return offline.export_schema(registry)
    topology = load(given.topology, registry.vocabulary())
    if given.verb == "export":
        return offline.export(topology, registry, given)
    if given.verb in WITHIN_LIMITS:
        _within_limits(topology, registry)
    if given.verb == "validate":
        print(f"{given.topology}: valid")
        return 0
    return _on_broker(topology, registry, given)


def _within_limits(topology: Topology, registry: Registry) -> None:
    """What a broker plan does not allow is refused before the broker is asked."""
    from orquestador.provision import limits

    faults = limits.faults(topology, partial(registry.costs, topology))
    if faults:
        raise ConfigurationError(faults)


def _on_broker(topology: Topology, registry: Registry, given: argparse.Namespace) -> int:
    import asyncio  # with pika behind it, 90 ms that the other verbs do not need

    from orquestador.provision.command import online

    settings = address(given.url).in_vhost(topology.vhost)
    if given.verb == "doctor":
        return asyncio.run(online.doctor(topology, settings, given, registry.accesses))
    return asyncio.run(online.VERBS[given.verb](topology, settings, given))
