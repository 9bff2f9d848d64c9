"""Where the benchmarks play: a RabbitMQ node of their own and the real commands as processes.

Everything that a stage starts is ended with it, whatever happens, by its own pid.  Each line that a
process prints is stamped when it is read, by a thread that does nothing else, on the clock that the
faults are stamped with (CLOCK_MONOTONIC, the same for all processes of a machine).
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from types import TracebackType
from typing import Any, Self

import yaml

from tests.support import rabbitmq

ROOT = Path(__file__).resolve().parents[1]
MONITOR = "monitor"


@dataclass(frozen=True, slots=True)
class Line:
    """What one process printed, and when it was read."""

    at: float
    source: str
    said: Mapping[str, Any]

    def is_status(self, *states: str) -> bool:
        return self.said.get("event") == "status" and self.said.get("state") in states

    @property
    def service(self) -> str:
        return str(self.said.get("service"))


class Process:
    """One running command.  What it prints goes to `lines`, what it complains of to a file."""

    def __init__(
        self, source: str, command: Iterable[str], lines: SimpleQueue[Line], errors: Path
    ) -> None:
        self.source = source
        self.errors = errors
        clean = {name: value for name, value in os.environ.items() if not name.endswith("_URL")}
        with errors.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, *command],
                cwd=ROOT,
                env={**clean, "PYTHONPATH": str(ROOT)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        self.pid = self._process.pid
        Thread(target=self._read, args=(lines,), daemon=True).start()

    def _read(self, lines: SimpleQueue[Line]) -> None:
        assert self._process.stdout is not None
        for text in self._process.stdout:
            at = time.monotonic()
            with suppress(ValueError):  # a mock says what it does in plain words
                lines.put(Line(at, self.source, json.loads(text)))
        self._process.stdout.close()

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def signal(self, number: signal.Signals) -> float:
        """The moment just before the signal."""
        at = time.monotonic()
        os.kill(self.pid, number)
        return at

    def tell(self, word: str) -> None:
        """A line for its standard input."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{word}\n".encode())
        self._process.stdin.flush()

    def end(self) -> None:
        """However it is, and all that it started."""
        if self.running:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
        self._process.wait(10)
        if self._process.stdin is not None:
            with suppress(OSError):
                self._process.stdin.close()

    def processor_seconds(self) -> float:
        """User and system time, all threads."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> dict[str, float]:
        """MB in memory now, and at most so far."""
        status = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        found = dict(line.split(":", 1) for line in status if line.startswith("Vm"))
        return {name: int(found[name].split()[0]) * 1024 / 1e6 for name in ("VmRSS", "VmHWM")}


class Stage:
    """A node, a folder, and the processes on it.  A context manager."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._stack = ExitStack()
        self._processes: list[Process] = []
        self.lines: SimpleQueue[Line] = SimpleQueue()

    def __enter__(self) -> Self:
        if not rabbitmq.installed():
            raise SystemExit("RabbitMQ is not installed here: make rabbitmq")
        with self._stack as stack:  # closed here, too, if the start is interrupted
            stack.callback(signal.signal, signal.SIGTERM, signal.getsignal(signal.SIGTERM))
            signal.signal(signal.SIGTERM, _leave)
            self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            self.node = rabbitmq.Node(self._name)
            stack.callback(self.node.stop)
            self.node.start()
            stack.callback(self._end_all)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        if kind is AssertionError:
            self._show_errors()
        self._stack.close()

    def _end_all(self) -> None:
        for process in self._processes:
            process.end()

    def _show_errors(self) -> None:
        for errors in sorted(self.folder.glob("*.err")):
            if text := errors.read_text(errors="replace").strip():
                print(f"--- {errors.stem}\n{text[-2000:]}", file=sys.stderr)

    def topology(self, services: Mapping[str, Mapping[str, Any]], **monitor: str | int) -> Path:
        """The project's own topology with these services; `monitor`: options of its entry."""
        drawn = yaml.safe_load((ROOT / "topology.yaml").read_text(encoding="utf-8"))
        entry = {**drawn["services"][MONITOR], **monitor}
        watched = {name: {"role": "mock", **options} for name, options in services.items()}
        drawn["services"] = {MONITOR: entry, **watched}
        path = self.folder / "topology.yaml"
        path.write_text(yaml.safe_dump(drawn, sort_keys=False), encoding="utf-8")
        return path

    def start(self, source: str, *command: str) -> Process:
        process = Process(source, command, self.lines, self.folder / f"{source}.err")
        self._processes.append(process)
        return process

    def monitor(self, topology: Path, *, url: str | None = None, source: str = MONITOR) -> Process:
        """`runner.py --role monitor --json`; its lines have this source."""
        where = ("--topology", str(topology), "--url", url or self.node.url)
        return self.start(source, "runner.py", "--role", "monitor", "--json", *where)

    def provision(self, topology: Path) -> None:
        """`python -m orquestador.provision`, to its end."""
        where = ("--topology", str(topology), "--url", self.node.url)
        command = [sys.executable, "-m", "orquestador.provision", *where]
        quiet = subprocess.DEVNULL
        subprocess.run(command, cwd=ROOT, check=True, stdout=quiet, start_new_session=True)

    def forget(self, process: Process) -> None:
        """End it, and keep no handle."""
        process.end()
        self._processes.remove(process)

    def next_line(self, until: float) -> Line | None:
        """The next line of any process; None at that moment of time.monotonic()."""
        try:
            return self.lines.get(timeout=max(0.0, until - time.monotonic()))
        except Empty:
            return None

    def wait(self, done: Callable[[Line], bool], within: float, what: str) -> Line:
        """The first line for which `done` says so; AssertionError if none does in time."""
        until = time.monotonic() + within
        while (line := self.next_line(until)) is not None:
            if done(line):
                return line
        raise AssertionError(f"{what}: not within {within:g} s")

    def all_in(self, state: str, services: Iterable[str], within: float) -> list[Line]:
        """Wait until the monitor has said this state of each; the lines that said it."""
        missing, said = set(services), []

        def done(line: Line) -> bool:
            if line.source == MONITOR and line.is_status(state) and line.service in missing:
                missing.discard(line.service)
                said.append(line)
            return not missing

        if missing:
            self.wait(done, within, f"all {len(missing)} {state}")
        return said


def _leave(*_: object) -> None:
    raise SystemExit(143)
