"""`python -m orquestador.provision`: make a broker match the topology file, thing by thing."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from orquestador.errors import Lost
from orquestador.hooks import loading
from orquestador.provision.outcome import Outcome, exit_code, summary
from orquestador.run.arguments import Parser, add_common, program
from orquestador.run.exits import DONE, UNAVAILABLE, ending
from orquestador.run.surroundings import address, log_to_stderr, print_anyway
from orquestador.settings import Settings
from orquestador.topology.load import load
from orquestador.topology.model import Topology

EPILOG = """\
exit codes: 0 done or in step, 3 partly applied, 4 a conflict that cannot be changed in place,
64 usage, 69 no broker, 77 refused (credentials, permissions), 78 invalid files.
The broker's address: --url, else AMQP_URL, CLOUDAMQP_URL, RABBITMQ_URL, else a local one."""
HEARTBEAT = 10  # seconds, AMQP's own
PARTLY = 3


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code."""
    return ending(lambda: _main(argv))


def _main(argv: Sequence[str] | None) -> int:
    given = _parser().parse_args(argv)
    log_to_stderr(given.verbose)
    print_anyway()
    plugins = loading.load(Path(given.topology).parent, given.plugins)
    topology = load(given.topology, plugins.registry.vocabulary())
    if given.verb == "validate":
        print(f"{given.topology}: valid")
        return DONE
    return _apply(topology, given)


def _apply(topology: Topology, given: argparse.Namespace) -> int:
    import asyncio  # with pika behind it, 90 ms that `validate` does not need

    settings = address(given.url).in_vhost(topology.vhost)
    return asyncio.run(_apply_to(topology, settings, given))


async def _apply_to(topology: Topology, settings: Settings, given: argparse.Namespace) -> int:
    from orquestador.broker.connection import Connection
    from orquestador.provision.apply import apply

    connection = await Connection.open(settings, "provision", heartbeat=HEARTBEAT)
    outcomes: list[Outcome] = []
    try:
        async for outcome in apply(connection, topology):
            outcomes.append(outcome)
            _show(outcome, given)
    except Lost as fault:
        print(f"{fault}; what is not listed was not done", file=sys.stderr)
        return PARTLY if outcomes else UNAVAILABLE
    finally:
        await connection.close()
    if not given.json:
        print(summary(outcomes))
    return exit_code(outcomes)


def _show(outcome: Outcome, given: argparse.Namespace) -> None:
    print(json.dumps(asdict(outcome)) if given.json else outcome, flush=True)


def _parser() -> Parser:
    parser = Parser(
        prog=program("orquestador-provision", "python -m orquestador.provision"),
        description="Make the broker match topology.yaml, over plain AMQP.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "verb",
        nargs="?",
        choices=("apply", "validate"),
        default="apply",
        help="apply (the default), or validate: check the file, touch no broker",
    )
    add_common(parser)
    return parser
