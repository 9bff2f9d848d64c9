"""`python -m orquestador`: the same as `runner.py`, wherever the library is installed."""

import signal
import sys

# A Ctrl+C while Python still imports is no traceback; `entry.py` takes over from here.
signal.signal(signal.SIGINT, signal.SIG_DFL)

from orquestador.run.entry import runner  # noqa: E402

if __name__ == "__main__":
    sys.exit(runner())
