"""`python -m orquestador`: the same as `runner.py`, wherever the library is installed."""

import sys

from orquestador.run.entry import runner

if __name__ == "__main__":
    sys.exit(runner())
