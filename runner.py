"""Run one role of the topology: `python runner.py --role monitor`."""

import sys

from orquestador.run.entry import runner

if __name__ == "__main__":
    sys.exit(runner())
