"""The broker as a command: what it says, how soon, and what it says when it cannot."""

from __future__ import annotations

import errno
import signal
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

from plugins.broker.options import explain

ROOT = Path(__file__).parents[2]


def start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "plugins.broker", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def refused(*arguments: str) -> str:
    """The one line that it says when it cannot serve."""
    process = start(*arguments)
    said, fault = process.communicate(timeout=20)
    assert process.returncode == 64
    assert said == ""
    assert fault.count("\n") == 1, fault
    return fault.strip()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_says_its_address_and_ends_when_told(number: signal.Signals) -> None:
    process = start("--listen", "127.0.0.1:0")
    assert process.stdout is not None
    line = process.stdout.readline()

    process.send_signal(number)
    process.communicate(timeout=10)

    assert line.startswith("amqp://guest:guest@127.0.0.1:")
    assert "nothing is persisted" in line
    assert process.returncode == 0


def test_it_is_ready_soon() -> None:
    times = []
    for _ in range(5):
        begun = time.perf_counter()
        process = start("--listen", "127.0.0.1:0")
        assert process.stdout is not None
        process.stdout.readline()
        times.append(time.perf_counter() - begun)
        process.terminate()
        process.communicate(timeout=10)

    assert statistics.median(times) < 0.5, "150 ms on an idle machine; see benchmarks/broker.py"


def test_a_port_that_is_taken_is_named() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]

        line = refused("--listen", f"127.0.0.1:{port}")

    assert f"127.0.0.1:{port}: another program listens there" in line


def test_a_privileged_port_is_named() -> None:
    """Whether this process may listen there is the machine's affair: the refusal is handed in."""
    refusal = OSError(errno.EACCES, "Permission denied")

    said = str(explain(refusal, "--listen", "127.0.0.1", 80))
    assert said == "--listen 127.0.0.1:80: ports below 1024 need root; choose a higher one"


def test_other_machines_are_let_in_only_when_asked_for() -> None:
    assert "add --allow-remote" in refused("--listen", "0.0.0.0:0")

    process = start("--listen", "0.0.0.0:0", "--allow-remote")
    assert process.stdout is not None
    assert process.stdout.readline().startswith("amqp://")
    process.terminate()
    process.communicate(timeout=10)


@pytest.mark.parametrize(
    "address", ["5672", "127.0.0.1", "127.0.0.1:many", ":1", "127.0.0.1:99999"]
)
def test_a_faulty_address_says_what_to_write(address: str) -> None:
    assert "write HOST:PORT" in refused("--listen", address)


def test_faults_are_taken_on_loopback_only() -> None:
    assert "is not loopback" in refused("--listen", "127.0.0.1:0", "--control", "0.0.0.0:0")
