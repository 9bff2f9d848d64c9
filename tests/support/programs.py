"""The real commands as child processes: started, read line by line, ended by their own pid."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.support.waiting import eventually

ROOT = Path(__file__).resolve().parents[2]


class Program:
    """One process.  `lines` grows as it prints; standard error is in `errors`."""

    def __init__(
        self, *command: str, environ: Mapping[str, str] | None = None, cwd: Path = ROOT
    ) -> None:
        clean = {k: v for k, v in os.environ.items() if not k.endswith("_URL")}
        self.process = subprocess.Popen(
            [sys.executable, *command],
            cwd=cwd,
            env={**clean, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **(environ or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.lines: list[str] = []
        self.errors: list[str] = []
        self._readers = [
            threading.Thread(target=self._read, args=(stream, into), daemon=True)
            for stream, into in (
                (self.process.stdout, self.lines),
                (self.process.stderr, self.errors),
            )
        ]
        for reader in self._readers:
            reader.start()

    @staticmethod
    def _read(stream: Any, into: list[str]) -> None:
        with suppress(OSError):  # a test may stop reading
            for line in stream:
                into.append(line.rstrip("\n"))

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            self.process.send_signal(number)

    def wait(self, within: float = 15.0) -> int:
        """Its exit code, with everything it printed read."""
        code = self.process.wait(within)
        for reader in self._readers:
            reader.join(5)
        return code

    def says(self, text: str, within: float = 15.0) -> str:
        """The first line of its output that holds `text`."""

        def found() -> str | None:
            return next((line for line in (*self.lines, *self.errors) if text in line), None)

        try:
            line = eventually(found, within)
        except AssertionError:
            raise AssertionError(f"{text!r} not among {self.lines} {self.errors}") from None
        assert line is not None
        return line

    def stop_reading(self) -> None:
        """Close our end of its output, as `| head` does."""
        assert self.process.stdout is not None
        os.close(self.process.stdout.fileno())

    def end(self) -> None:
        """End the whole group that it leads, however it is."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)


class MonitorProgram(Program):
    """A monitor with --json: waits for states by reading what it prints."""

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in list(self.lines)]

    def state(self, service: str) -> str | None:
        """The latest state that it said."""
        said = [e for e in self.events if e["event"] == "status" and e["service"] == service]
        return said[-1]["state"] if said else None

    def eventually(
        self, service: str, state: str, within: float = 15.0, after: int = 0
    ) -> dict[str, Any]:
        """The first status line of that service and state, from line `after` on."""

        def found() -> dict[str, Any] | None:
            for event in self.events[after:]:
                if event["event"] == "status" and (event["service"], event["state"]) == (
                    service,
                    state,
                ):
                    return event
            return None

        try:
            event = eventually(found, within)
        except AssertionError:
            said = "\n".join([*self.lines, *self.errors])
            raise AssertionError(f"{service} not {state} within {within} s:\n{said}") from None
        assert event is not None
        return event

    def notices(self, kind: str, after: int = 0) -> list[dict[str, Any]]:
        return [event for event in self.events[after:] if event["event"] == kind]

    @property
    def mark(self) -> int:
        """How many lines it has printed: what comes after is new."""
        return len(self.lines)


def run(
    *command: str, environ: Mapping[str, str] | None = None, cwd: Path = ROOT, within: float = 30
) -> tuple[int, str, str]:
    """Run to the end: exit code, standard output, standard error."""
    program = Program(*command, environ=environ, cwd=cwd)
    try:
        code = program.wait(within)
    finally:
        program.end()
    return code, "\n".join(program.lines), "\n".join(program.errors)
