"""The command line of `runner.py`: its options, and those that the chosen role adds.

argparse exits with 2 on a wrong one; sysexits.h has 64 for it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from orquestador.hooks.registry import Role
from orquestador.run.exits import USAGE

EPILOG = """\
exit codes: 0 done, 1 --once and not all up, 4 conflict on its own queue, 64 usage, 69 no broker
(--once), 70 a defect, 74 output not writable, 77 refused by the broker, 78 invalid files, 130 ended
by a second Ctrl+C, or --once by the first.
The broker's address: --url, else AMQP_URL, CLOUDAMQP_URL, RABBITMQ_URL, else a local one."""


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(USAGE, f"{self.prog}: {message}\n")


class Version(argparse.Action):
    """Asked only when it is wanted: looking it up costs more than the rest of the parsing."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import PackageNotFoundError, version

        try:
            said = version("orquestador")
        except PackageNotFoundError:
            said = "(not installed: a checkout)"
        print(f"orquestador {said}")
        parser.exit()


def parse_first(argv: Sequence[str]) -> argparse.Namespace:
    """What says where the plugins are; unknown words may be the role's own options."""
    return _parser().parse_known_args(
        [word for word in argv if word not in ("-h", "--help", "--version")]
    )[0]


def parse_for(role: Role | None, argv: Sequence[str]) -> argparse.Namespace:
    """Everything, the role's own options too; exits 64 on a wrong one, 0 after --help."""
    parser = _parser()
    if role is not None and role.arguments is not None:
        role.arguments(parser)
    return parser.parse_args(argv)


def program(script: str, module: str) -> str:
    """What the person typed: the script or console script, or `python -m` and the module."""
    name = Path(sys.argv[0]).name
    return module if name == "__main__.py" else name or script


def add_common(parser: argparse.ArgumentParser) -> None:
    """What every command takes."""
    parser.add_argument(
        "--topology", metavar="FILE", default="topology.yaml", help="default: ./topology.yaml"
    )
    parser.add_argument("--url", help="amqp://user:password@host:port/vhost, or amqps://")
    parser.add_argument(
        "--plugins", metavar="DIR", action="append", default=[], help="a folder of more plugins"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("-v", "--verbose", action="count", default=0, help="log more; twice: all")


def _parser() -> Parser:
    parser = Parser(
        prog=program("runner.py", "python -m orquestador"),
        description="Run one service of the topology by its role: a built-in one or your plugin's.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=Version, nargs=0, help="the version, then exit")
    what = parser.add_argument_group("what to run")
    what.add_argument("--role", metavar="ROLE", help="the role; --list shows them")
    what.add_argument("--name", metavar="SERVICE", help="the service, where its role has several")
    what.add_argument("--all", action="store_true", help="every service of the file, the demo")
    what.add_argument("--list", action="store_true", help="roles, responders, plugins, services")
    add_common(parser)
    parser.add_argument("--once", action="store_true", help="look once, show it and exit")
    parser.add_argument(
        "--no-provision", action="store_true", help="declare nothing: the account may not"
    )
    return parser
