"""`runner.py` and the console script `orquestador`: from a command line to a running role."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from orquestador.errors import UsageError
from orquestador.hooks import loading
from orquestador.hooks.registry import Role
from orquestador.run import arguments as command_line
from orquestador.run import choosing, listing
from orquestador.run.exits import DONE, ending
from orquestador.run.surroundings import address, log_to_stderr, print_anyway
from orquestador.settings import Settings, settle
from orquestador.topology.model import Service, Topology


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code."""
    return ending(lambda: _main(sys.argv[1:] if argv is None else argv))


def _main(argv: Sequence[str]) -> int:
    first = command_line.parse_first(argv)
    plugins = loading.load(Path(first.topology).parent, first.plugins)
    role = choosing.role(plugins.registry, first.role) if first.role else None
    given = command_line.parse_for(role, argv)
    _check(given, role)
    log_to_stderr(given.verbose)
    print_anyway()
    if role is not None and role.standalone:
        return _run_standalone(role, given, plugins)
    if given.list:
        print("\n".join(listing.of_plugins(plugins)))
    from orquestador.topology.load import load  # YAML, which a standalone role does without

    topology = load(given.topology, plugins.registry.vocabulary())
    if given.list:
        print("\n".join(listing.of_services(topology)))
        return DONE
    settings = address(given.url).in_vhost(topology.vhost)
    if role is None:
        from orquestador.run.everything import run_all

        return run_all(topology, settings, given, plugins.registry)
    service = choosing.service(topology, role.name, given.name)
    return _run(role, service, topology, settings, given, plugins)


def _check(given: argparse.Namespace, role: Role | None) -> None:
    """What does not go together is refused, not ignored."""
    if sum([bool(given.role), given.all, given.list]) != 1:
        raise UsageError("say exactly one of --role ROLE, --all and --list; --help shows more")
    if given.name and (role is None or role.standalone):
        raise UsageError("--name goes with a --role that services have")
    if given.once and (role is None or not role.display):
        raise UsageError("--once goes with a role that shows something")
    if given.json and (given.list or (role is not None and not role.display)):
        raise UsageError("--json goes with --all, or with a role that shows something")


def _run_standalone(role: Role, given: argparse.Namespace, plugins: loading.Plugins) -> int:
    nothing = Topology(Path(given.topology), {}, {}, {})
    settings = settle(None, {})
    return _run(role, Service(role.name, role.name), nothing, settings, given, plugins)


def _run(
    role: Role,
    service: Service,
    topology: Topology,
    settings: Settings,
    given: argparse.Namespace,
    plugins: loading.Plugins,
) -> int:
    import asyncio

    from orquestador.run.lifecycle import run

    return asyncio.run(run(role, service, topology, settings, given, plugins))
