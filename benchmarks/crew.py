"""Many real services in one process: a Responder each, with its own thread and connection.

    python -m benchmarks.crew --topology FILE NAME=amqp://... NAME=amqp://...

Prints `{"event": "ready"}` when all are started; ends, with goodbyes, with its standard input.
"""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import ExitStack

from orquestador import Responder, Topology


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.crew", description=__doc__)
    parser.add_argument("--topology", required=True)
    parser.add_argument("services", nargs="+", metavar="NAME=URL")
    arguments = parser.parse_args()
    topology = Topology.load(arguments.topology)
    with ExitStack() as stack:
        for service in arguments.services:
            name, _, url = service.partition("=")
            stack.enter_context(Responder(name, topology, url=url))
        print(json.dumps({"event": "ready"}), flush=True)
        sys.stdin.read()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
