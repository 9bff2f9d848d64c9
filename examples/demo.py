"""`make demo`: monitor, mock1 and mock2 live on an embedded broker; nothing stays behind.

On a terminal it shows the live table until Ctrl+C.  Without one it plays the story once: all up,
mock2 killed, seen inactive, started again, up again; each step with the time it took.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.programs import MonitorProgram, Program

ROOT = Path(__file__).resolve().parents[1]
TOPOLOGY = str(ROOT / "topology.yaml")
RUNNER = str(ROOT / "runner.py")


def main() -> int:
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGHUP, _interrupt)
    try:
        if sys.stdout.isatty():
            return watch()
        with broker() as url:
            return story(url)
    except KeyboardInterrupt:
        return 0


@contextmanager
def broker() -> Iterator[str]:
    """The embedded broker on a free port; its address."""
    program = Program(RUNNER, "--role", "broker", "--listen", "127.0.0.1:0")
    try:
        yield program.says("amqp://").partition(" ")[0]
    finally:
        program.signal(signal.SIGINT)
        program.wait()
        program.end()


def watch() -> int:
    """The live table, until Ctrl+C."""
    here = {name: value for name, value in os.environ.items() if not name.endswith("_URL")}
    runner = subprocess.Popen([sys.executable, RUNNER, "--all", "--topology", TOPOLOGY], env=here)
    try:
        return runner.wait()
    except KeyboardInterrupt as end:
        # A Ctrl+C reaches the runner in the same terminal; what is sent to us alone does not.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        if isinstance(end, Told):
            runner.terminate()
        runner.wait()
        return 0


def story(url: str) -> int:
    """Played once; 0 if every step was seen."""
    started: list[Program] = []

    def start(*role: str, monitor: bool = False) -> Program:
        kind = MonitorProgram if monitor else Program
        program = kind(RUNNER, "--topology", TOPOLOGY, "--url", url, "--role", *role)
        started.append(program)
        return program

    try:
        since = time.monotonic()
        monitor = start("monitor", "--json", monitor=True)
        assert isinstance(monitor, MonitorProgram)
        mock1, mock2 = start("mock", "--name", "mock1"), start("mock", "--name", "mock2")
        monitor.eventually("mock1", "UP")
        monitor.eventually("mock2", "UP")
        tell(since, f"all up: monitor {monitor.pid}, mock1 {mock1.pid}, mock2 {mock2.pid}")

        since, mark = time.monotonic(), monitor.mark
        mock2.signal(signal.SIGKILL)
        down = monitor.eventually("mock2", "DOWN", after=mark)
        tell(since, f"mock2 killed, seen inactive: {down['state']}, {down['text']}")

        since, mark = time.monotonic(), monitor.mark
        start("mock", "--name", "mock2")
        monitor.eventually("mock2", "UP", after=mark)
        tell(since, "mock2 started again, seen up")
        return 0
    finally:
        for program in started:
            program.signal(signal.SIGINT)
        for program in started:
            program.wait()
            program.end()
        print("everything stopped", flush=True)


def tell(since: float, text: str) -> None:
    print(f"{time.monotonic() - since:6.2f} s  {text}", flush=True)


class Told(KeyboardInterrupt):
    """SIGTERM or SIGHUP."""


def _interrupt(_number: int, _frame: object) -> None:
    raise Told


if __name__ == "__main__":
    sys.exit(main())
