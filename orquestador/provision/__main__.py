"""`python -m orquestador.provision`; the command itself is `command.py`."""

import signal
import sys

# A Ctrl+C while Python still imports is no traceback; `entry.py` takes over from here.
signal.signal(signal.SIGINT, signal.SIG_DFL)

from orquestador.run.entry import provision  # noqa: E402

if __name__ == "__main__":
    sys.exit(provision())
