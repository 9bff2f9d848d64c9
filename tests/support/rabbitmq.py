"""A private RabbitMQ node on free loopback ports, in a temporary folder: started, frozen, ended.

Needs Debian's `rabbitmq-server` package; runs as any user, root too, without systemd.  Which tests
get it and under which names is `conftest.py`'s.
"""

from __future__ import annotations

import os
import secrets
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
PLUGINS = SERVER.with_name("rabbitmq-plugins")
USER = PASSWORD = "guest"
LOG_TAIL = 8000  # characters: Erlang says why first, then at length what came of it
PATIENCE = 5.0  # seconds
IMPATIENT = f"""\
[{{rabbit, [{{consumer_timeout, {PATIENCE * 1000:.0f}}}, {{channel_tick_interval, 1000}}]}}].
"""
"""The `advanced` of a node that closes the channel of who holds a message beyond `PATIENCE`."""


def installed() -> bool:
    return SERVER.exists()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Home:
    """What nodes that find each other share: a folder, the Erlang cookie in it, and one epmd.

    epmd is Erlang's register of names and ports; a node starts it where there is none.
    """

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="orquestador-rabbitmq-"))
        self.epmd = free_port()
        cookie = self.folder / ".erlang.cookie"
        cookie.write_text(secrets.token_hex(16))  # now: nodes started at once would each make one
        cookie.chmod(0o400)

    def clear(self) -> None:
        self.end_epmd()
        shutil.rmtree(self.folder, ignore_errors=True)

    def end_epmd(self) -> None:
        """epmd leaves the process group of its node; it is known by the port in its environment."""
        mine = f"ERL_EPMD_PORT={self.epmd}\0".encode()
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if (process / "comm").read_text().strip() != "epmd":
                    continue
                if mine in (process / "environ").read_bytes():
                    os.kill(int(process.name), signal.SIGKILL)


class Node:
    """One broker.  `url` is its address; `stop()` ends it and, but for a shared home's, its epmd.

    `config` has the form of rabbitmq.conf, `advanced` Erlang's.  `home`: of the cluster that it is
    in, which then is the cluster's to clear.
    """

    def __init__(
        self,
        name: str = "orquestador",
        *,
        config: str = "",
        advanced: str = "[].",
        home: Home | None = None,
    ) -> None:
        self._home, self._alone = home or Home(), home is None
        self.name = f"{name}-{os.getpid()}@localhost"
        self.folder = self._home.folder / name
        self.folder.mkdir()
        self.port, self._distribution, self._management = free_port(), free_port(), free_port()
        self._managed = False
        self.url = self.address("%2F")
        self.frozen = False
        self._process: subprocess.Popen[bytes] | None = None
        (self.folder / "plugins").write_text("[].\n")
        (self.folder / "advanced.config").write_text(advanced)
        self.configure(config)

    def configure(self, config: str) -> None:
        """What its file says beside the ports; read at its next start."""
        (self.folder / "node.conf").write_text(
            f"listeners.tcp.1 = 127.0.0.1:{self.port}\n"
            "management.tcp.ip = 127.0.0.1\n"
            f"management.tcp.port = {self._management}\n{config}"
        )

    @property
    def environment(self) -> dict[str, str]:
        """What server and control tool must share; the Erlang cookie lives in HOME."""
        return {
            **os.environ,
            "HOME": str(self._home.folder),
            "RABBITMQ_NODENAME": self.name,
            "RABBITMQ_DIST_PORT": str(self._distribution),
            "ERL_EPMD_PORT": str(self._home.epmd),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_MNESIA_BASE": str(self.folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self.folder / "log"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "plugins"),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "node.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(self.folder / "advanced.config"),
        }

    def start(self, *, within: float = 60.0) -> Node:
        """Start, and wait until the port answers."""
        self.launch()
        return self.ready(within=within)

    @property
    def running(self) -> bool:
        """Whether its process is there, frozen or not."""
        return self._process is not None and self._process.poll() is None

    def launch(self) -> None:
        """Start its process and come back at once; `ready()` waits for the broker in it."""
        log = (self.folder / "console.log").open("ab")
        self._process = subprocess.Popen(
            [str(SERVER)],
            cwd=self.folder,  # where a crash dump goes
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        log.close()

    def ready(self, *, within: float = 60.0) -> Node:
        """Wait until the port answers; one that does not come is ended, and the log's end told."""
        deadline = time.monotonic() + within
        while not self._answers():
            if not self.running or time.monotonic() > deadline:
                said = (self.folder / "console.log").read_text(errors="replace")
                self.stop()
                raise RuntimeError(f"RabbitMQ did not start:\n{said[-LOG_TAIL:]}")
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
        return self._run(CONTROL, *arguments)

    def management(self) -> str:
        """The URL of its management API; enabling the plugin takes two seconds, the first time."""
        if not self._managed:
            self._run(PLUGINS, "enable", "rabbitmq_management")
            self._managed = True
        return f"http://{USER}:{PASSWORD}@127.0.0.1:{self._management}"

    def _run(self, tool: Path, *arguments: str) -> str:
        ran = subprocess.run(
            [str(tool), "-q", "-n", self.name, *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
        if ran.returncode:
            raise RuntimeError(f"{tool.name} {arguments}: {ran.stdout}{ran.stderr}")
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
        self.frozen = True

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)
        self.frozen = False

    def kill(self) -> None:
        """End the node at once; its folder stays, so that `start()` brings the same node back."""
        if self._process is None:
            return
        self._signal(signal.SIGKILL)
        self._process.wait(10)
        self._process, self.frozen = None, False
        if self._alone:
            self._home.end_epmd()

    def stop(self) -> None:
        self.kill()
        if self._alone:
            self._home.clear()

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)
