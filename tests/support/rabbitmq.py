"""A private RabbitMQ node on free loopback ports, in a temporary folder: started, frozen, ended.

Needs Debian's `rabbitmq-server` package; runs as any user, root too, without systemd.  Which tests
get it and under which names is `conftest.py`'s.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
CONTROL = SERVER.with_name("rabbitmqctl")
USER = PASSWORD = "guest"


def installed() -> bool:
    return SERVER.exists()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Node:
    """One broker.  `url` is its address; `stop()` ends it, its epmd and its folder."""

    def __init__(self, name: str = "orquestador", *, config: str = "") -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="orquestador-rabbitmq-"))
        self.name = f"{name}-{os.getpid()}@localhost"
        self.port, self._distribution, self._epmd = free_port(), free_port(), free_port()
        self.url = self.address("%2F")
        self._process: subprocess.Popen[bytes] | None = None
        (self.folder / "plugins").write_text("[].\n")
        (self.folder / "node.conf").write_text(f"listeners.tcp.1 = 127.0.0.1:{self.port}\n{config}")

    @property
    def environment(self) -> dict[str, str]:
        """What server and control tool must share; the Erlang cookie lives in HOME."""
        return {
            **os.environ,
            "HOME": str(self.folder),
            "RABBITMQ_NODENAME": self.name,
            "RABBITMQ_DIST_PORT": str(self._distribution),
            "ERL_EPMD_PORT": str(self._epmd),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_MNESIA_BASE": str(self.folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self.folder / "log"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "plugins"),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "node.conf"),
        }

    def start(self, *, within: float = 60.0) -> Node:
        """Start and wait until the port answers; a started one is left as it is."""
        log = (self.folder / "console.log").open("ab")
        self._process = subprocess.Popen(
            [str(SERVER)],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        log.close()
        deadline = time.monotonic() + within
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                said = (self.folder / "console.log").read_text(errors="replace")
                self.stop()
                raise RuntimeError(f"RabbitMQ did not start:\n{said[-3000:]}")
            time.sleep(0.05)
        return self

    def _answers(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 0.5) as probe:
            probe.settimeout(2.0)
            probe.sendall(b"AMQP\x00\x00\x09\x01")
            return probe.recv(1) == b"\x01"
        return False

    def control(self, *arguments: str) -> str:
        """`rabbitmqctl` with these arguments; its standard output.  Raises with both streams."""
        ran = subprocess.run(
            [str(CONTROL), "-q", "-n", self.name, *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
        if ran.returncode:
            raise RuntimeError(f"rabbitmqctl {arguments}: {ran.stdout}{ran.stderr}")
        return ran.stdout

    def address(self, vhost: str, *, port: int | None = None) -> str:
        """The AMQP URI of a vhost; `port`: of a proxy before the node."""
        return f"amqp://{USER}:{PASSWORD}@127.0.0.1:{port or self.port}/{vhost}"

    def add_vhosts(self, names: list[str]) -> None:
        """Make vhosts in which the user may do everything, all in one call."""
        listed = ",".join(f'<<"{name}">>' for name in names)
        everything = ",".join(['<<".*">>'] * 3)
        user, by = f'<<"{USER}">>', '<<"tests">>'
        grant = f"rabbit_auth_backend_internal:set_permissions({user}, V, {everything}, {by})"
        self.control("eval", f"[begin rabbit_vhost:add(V, {by}), {grant} end || V <- [{listed}]].")

    def alarm(self) -> None:
        """A memory alarm: publishers are blocked until it is lifted."""
        self.control("set_vm_memory_high_watermark", "0.000001")

    def lift_alarm(self) -> None:
        self.control("set_vm_memory_high_watermark", "0.4")

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """End the node at once; its folder stays, so that `start()` brings the same node back."""
        if self._process is None:
            return
        self._signal(signal.SIGKILL)
        self._process.wait(10)
        self._process = None
        self._end_epmd()

    def stop(self) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    def _end_epmd(self) -> None:
        """epmd leaves the node's process group; it is known by the port in its environment."""
        mine = f"ERL_EPMD_PORT={self._epmd}\0".encode()
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if (process / "comm").read_text().strip() != "epmd":
                    continue
                if mine in (process / "environ").read_bytes():
                    os.kill(int(process.name), signal.SIGKILL)
