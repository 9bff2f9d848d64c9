"""The command line of provisioning: verbs, and the options that go with each.

An option that a verb does not use is refused (64), not ignored; the address goes with all of them.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from orquestador.errors import UsageError
from orquestador.run.arguments import Parser, add_common, program
from orquestador.wording import did_you_mean

EPILOG = """\
exit codes: 0 done or in step; 2 plan --detailed-exitcode with changes pending, verify with drift;
3 partly applied; 4 a conflict that cannot be changed in place; 64 usage; 69 no broker; 77 refused
(credentials, permissions); 78 invalid files.
The broker's address: --url, else AMQP_URL, CLOUDAMQP_URL, RABBITMQ_URL, else a local one."""

VERBS = {
    "apply": "make the broker match the file (this is what no verb means)",
    "plan": "ask the broker, show what apply would do; changes nothing",
    "verify": "compare, for cron and CI: exit 2 where the broker has drifted",
    "validate": "check the file; touches no broker",
    "doctor": "say whether this broker and this account will do, and what to do if not",
    "destroy": "remove what the file owns; queues with messages or consumers stay, unless --force",
    "export": "write definitions, permissions, asyncapi, mermaid or schema to standard output",
    "import": "write a topology file to standard output from RabbitMQ's definitions (- is stdin)",
}
FORMATS = ("definitions", "permissions", "asyncapi", "mermaid", "schema")

_REPLACING = ("apply", "plan")
_GOES_WITH = {
    "recreate": _REPLACING,
    "migrate": _REPLACING,
    "prune": _REPLACING,
    "management": ("apply", "plan", "verify", "destroy"),
    "detailed_exitcode": ("plan",),
    "force": ("destroy",),
    "vhost": ("export", "import"),
    "accounts": ("export",),
    "create_vhost": ("export",),
    "json": ("apply", "plan", "verify", "doctor", "destroy"),
}
_WITH_OBJECT = {"export": "FORMAT", "import": "SOURCE"}


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Exits with 64 on what argparse refuses; raises UsageError on what does not go together."""
    given = _parser().parse_args(argv)
    for option, verbs in _GOES_WITH.items():
        if getattr(given, option) and given.verb not in verbs:
            name = "--" + option.replace("_", "-")
            raise UsageError(f"{name} goes with {_listed(verbs)}, not with {given.verb}")
    wanted = _WITH_OBJECT.get(given.verb)
    if wanted and given.object is None:
        what = f"one of {', '.join(FORMATS)}" if wanted == "FORMAT" else "a file, or - for stdin"
        raise UsageError(f"{given.verb} needs a {wanted}: {what}")
    if wanted == "FORMAT" and given.object not in FORMATS:
        near = did_you_mean(given.object, FORMATS) or f"; there are {', '.join(FORMATS)}"
        raise UsageError(f"{given.object!r} is no format{near}")
    if (given.accounts or given.create_vhost) and given.object != "definitions":
        option = "--accounts" if given.accounts else "--create-vhost"
        raise UsageError(f"{option} goes with export definitions")
    if given.object is not None and not wanted:
        raise UsageError(f"{given.object!r} is one word too many after {given.verb}")
    return given


def _listed(verbs: Sequence[str]) -> str:
    return verbs[0] if len(verbs) == 1 else f"{', '.join(verbs[:-1])} and {verbs[-1]}"


def _parser() -> Parser:
    verbs = "\n".join(f"  {verb:<9} {text}" for verb, text in VERBS.items())
    parser = Parser(
        prog=program("orquestador-provision", "python -m orquestador.provision"),
        description=f"Make the broker match topology.yaml, over plain AMQP.\n\nverbs:\n{verbs}",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("verb", nargs="?", choices=tuple(VERBS), default="apply", metavar="VERB")
    parser.add_argument("object", nargs="?", metavar="FORMAT|SOURCE", help="of export and import")
    add_common(parser)
    differing = parser.add_argument_group("what differs, or is no longer in the file")
    differing.add_argument(
        "--recreate", action="store_true", help="make anew what differs and is empty and unused"
    )
    differing.add_argument(
        "--migrate", action="store_true", help="make queues anew that differ, keep their messages"
    )
    differing.add_argument(
        "--prune", action="store_true", help="remove what was applied and the file dropped"
    )
    differing.add_argument(
        "--force", action="store_true", help="destroy queues with messages and consumers, too"
    )
    parser.add_argument(
        "--management",
        metavar="URL",
        help="RabbitMQ's management API, to see bindings: http://user:password@host:15672",
    )
    parser.add_argument(
        "--detailed-exitcode", action="store_true", help="plan: exit 2 where changes are pending"
    )
    parser.add_argument(
        "--accounts",
        action="store_true",
        help="export definitions: with each service's account; its password from the environment"
        " variable that export permissions names",
    )
    parser.add_argument(
        "--create-vhost",
        action="store_true",
        help="export definitions: with the virtual host, for a broker that lacks it",
    )
    parser.add_argument("--vhost", help="export, import: the virtual host in the definitions")
    return parser
