"""Brokers for tests: in a process or in a thread, with their address and their faults.

A process is what users run, and faster under load; a thread starts in a millisecond.  Both have
`url`, `fault(name, **arguments)` with the names of `faults.methods`, and `stop()`.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from .faults import Faults, methods
from .server import Broker, Limits

_WITHIN = 10.0
"""Seconds for a broker to start, and for a fault to be answered."""


class BrokerProcess:
    """A broker in a process of its own, on a free port of loopback.

    Its log goes to `log`, or nowhere.  Raises RuntimeError where it does not start.
    """

    def __init__(self, *, log: Path | None = None) -> None:
        # By folder, not by package: that of a plugin may exist in the process that loaded it alone.
        folder = Path(__file__).parent
        package = f"{folder.parent.name}.{folder.name}"
        errors: Any = log.open("ab") if log else subprocess.DEVNULL
        self._process = subprocess.Popen(
            [sys.executable, "-m", package, "--listen=127.0.0.1:0", "--control=127.0.0.1:0"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            cwd=folder.parent.parent,
            text=True,
        )
        if log:
            errors.close()
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().partition(" ")[0]
        self._control = self._process.stdout.readline().partition(" ")[2].strip()
        if not self._control:
            self.stop()
            raise RuntimeError("the embedded broker did not start")

    @property
    def pid(self) -> int:
        return self._process.pid

    def fault(self, name: str, **arguments: object) -> Any:
        """Inject a fault and wait until it has happened; its answer.  Raises RuntimeError."""
        body = json.dumps(arguments).encode()
        try:
            with urllib.request.urlopen(self._control + name, body, _WITHIN) as answer:
                return json.load(answer)["result"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(json.load(error)["error"]) from error

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(_WITHIN)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


class BrokerThread:
    """A broker in a thread of this process, on a free port of loopback."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.log: list[str] = []
        self._limits = limits
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="embedded broker", daemon=True)
        self._thread.start()
        if not self._started.wait(_WITHIN):
            raise RuntimeError("the embedded broker did not start")

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._run())
        self._loop.close()

    async def _run(self) -> None:
        self._stop = asyncio.Event()
        self.broker = Broker(self._limits, log=self.log.append)
        port = await self.broker.listen("127.0.0.1", 0)
        self._faults = methods(Faults(self.broker))
        self.url = f"amqp://guest:guest@127.0.0.1:{port}/"
        self._started.set()
        await self._stop.wait()
        await self.broker.close()

    def fault(self, name: str, **arguments: object) -> Any:
        """Inject a fault and wait until it has happened; its answer."""
        return self._call(self._inject(name, arguments))

    async def _inject(self, name: str, arguments: dict[str, object]) -> object:
        result = self._faults[name](**arguments)
        return await result if inspect.isawaitable(result) else result

    def _call(self, work: Coroutine[Any, Any, object]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_WITHIN)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(_WITHIN)
