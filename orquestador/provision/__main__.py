"""`python -m orquestador.provision`; the command itself is `command.py`."""

import sys

from orquestador.run.entry import provision

if __name__ == "__main__":
    sys.exit(provision())
