"""The contract against any broker: `python -m tests.contract --url amqp://user:password@host/vhost`.

Every case runs on the embedded broker and on that one, on names of its own which are removed again;
printed is what that broker does differently.  Exit: 0 alike, 1 different, 69 no broker there.
"""

from __future__ import annotations

import argparse
import sys
from fnmatch import fnmatchcase

import pika
from pika.exceptions import AMQPConnectionError

from plugins.broker.harness import BrokerProcess

from .cases import load
from .player import differences
from .running import perform


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.contract", description=__doc__)
    parser.add_argument("--url", required=True, help="the broker to compare with the embedded one")
    parser.add_argument("--case", default="*", metavar="NAME", help="only these cases; takes *")
    arguments = parser.parse_args()
    try:
        pika.BlockingConnection(pika.URLParameters(arguments.url)).close()
    except AMQPConnectionError as error:
        print(f"no broker answers there: {error!r}", file=sys.stderr)
        return 69
    cases = {name: case for name, case in load().items() if fnmatchcase(name, arguments.case)}
    broker = BrokerProcess()
    different = 0
    try:
        for name, case in cases.items():
            lines = differences(perform(case, broker.url), perform(case, arguments.url))
            if lines:
                different += 1
                print(f"{name}\n  (embedded, then this broker)")
                print("\n".join(f"  {line}" for line in lines), flush=True)
    finally:
        broker.stop()
    print(f"{len(cases)} cases, {different} different")
    return 1 if different else 0


if __name__ == "__main__":
    raise SystemExit(main())
