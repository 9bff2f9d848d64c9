"""The embedded broker as a process on a free port: started, frozen, alarmed, ended, like a node.

Has what `rabbitmq.Node` has, but for RabbitMQ's own tools, users and vhosts.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.support.rabbitmq import free_port

ROOT = Path(__file__).resolve().parents[2]


class Embedded:
    """One broker.  Killed and started again it is on the same port, empty."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = self.address("%2F")
        self._process: subprocess.Popen[str] | None = None
        self._control = ""

    def start(self) -> Embedded:
        """Start, and wait until it says that clients can connect."""
        log = tempfile.TemporaryFile()  # noqa: SIM115 - the child has it
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "plugins.broker"),
                *("--listen", f"127.0.0.1:{self.port}", "--control", "127.0.0.1:0"),
            ],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,
        )
        assert self._process.stdout is not None
        ready = self._process.stdout.readline()
        self._control = self._process.stdout.readline().partition(" ")[2].strip()
        if "ready" not in ready or not self._control:
            log.seek(0)
            said = log.read().decode(errors="replace")
            self.stop()
            raise RuntimeError(f"the embedded broker did not start: {ready}{said}")
        log.close()
        return self

    def address(self, vhost: str, *, port: int | None = None) -> str:
        """The AMQP URI; `port`: of a proxy before the broker."""
        return f"amqp://guest:guest@127.0.0.1:{port or self.port}/{vhost}"

    def fault(self, name: str, **arguments: object) -> Any:
        """Inject a fault, as docs/embedded-broker.md lists them; its answer."""
        body = json.dumps(arguments).encode()
        with urllib.request.urlopen(self._control + name, body, 10) as answer:
            return json.load(answer)["result"]

    def alarm(self) -> None:
        """Block publishers, as a memory alarm does."""
        self.fault("block-publishers", reason="low on memory")

    def lift_alarm(self) -> None:
        self.fault("unblock-publishers")

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        if self._process is None:
            return
        self._signal(signal.SIGKILL)
        self._process.wait(10)
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._process = None

    def stop(self) -> None:
        self.kill()

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)
