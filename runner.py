"""Run one role of the topology: `python runner.py --role monitor`."""

import sys

from orquestador.run.cli import main

if __name__ == "__main__":
    sys.exit(main())
