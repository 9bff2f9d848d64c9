"""Provisioning, beside what else declares a thousand queues: `python -m benchmarks.provision`.

Every row is a whole process on one RabbitMQ node, Python's start and reading the file included:
this project's verbs on a file of N classic queues, one binding each; a plain loop with pika's
blocking connection, one channel, that declares and binds the same; `rabbitmqctl
import_definitions` of the same.  Beside each the most memory that the process had.  "in step" is
a broker that has it all; "10 differ" one where ten queues, drawn at random, have another limit.
Every run that creates has a fresh vhost.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import pika

from benchmarks import results
from benchmarks.plot import Axis, Chart
from tests.support import rabbitmq

ROOT = Path(__file__).resolve().parents[1]
EXCHANGE = "work"
LIMIT, OTHER_LIMIT = 1000, 500
DIFFERENT = 10
PROVISION = (sys.executable, "-m", "orquestador.provision")
PLAIN = (sys.executable, "-m", "benchmarks.plain_declares")


@dataclass(slots=True)
class Row:
    """One way to do it: the seconds of each run, the most MiB that any of them had."""

    name: str
    seconds: list[float] = field(default_factory=list)
    memory: float = 0.0

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


class Stage:
    """A node, a folder with the file, and fresh vhosts as they are needed."""

    def __init__(self, node: rabbitmq.Node, folder: Path, queues: int) -> None:
        self.node, self.folder = node, folder
        self.names = [f"q{number:04}" for number in range(queues)]
        self._vhosts = (f"bench{number}" for number in count())
        (folder / "topology.yaml").write_text(_topology(self.names))

    def vhost(self) -> str:
        name = next(self._vhosts)
        self.node.add_vhosts([name])
        return name

    def timed(self, row: Row, command: Sequence[str], expected: int = 0) -> None:
        """Run it once in the folder; its seconds and its memory go into the row."""
        environ = {**os.environ, **self.node.environment, "PYTHONPATH": str(ROOT)}
        begun = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=self.folder, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        assert process.stderr is not None
        said = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        row.seconds.append(time.perf_counter() - begun)
        process.returncode = os.waitstatus_to_exitcode(status)
        process.stderr.close()
        row.memory = max(row.memory, usage.ru_maxrss / 1024)
        if process.returncode != expected:
            raise AssertionError(f"{' '.join(command)}: {process.returncode}: {said.decode()}")

    def provision(self, row: Row, vhost: str, *words: str, expected: int = 0) -> None:
        self.timed(row, (*PROVISION, *words, "--url", self.node.address(vhost)), expected)

    def plain(self, row: Row, vhost: str) -> None:
        self.timed(row, (*PLAIN, self.node.address(vhost), str(len(self.names))))

    def definitions(self, vhost: str) -> Path:
        """What `import_definitions` is given: made by hand, not by this project's export."""
        target = self.folder / f"{vhost}.json"
        target.write_text(json.dumps(_definitions(self.names, vhost)))
        return target

    def change(self, vhost: str, names: Sequence[str]) -> None:
        """Other limits for these, as somebody else's hand would leave them."""
        connection = pika.BlockingConnection(pika.URLParameters(self.node.address(vhost)))
        channel = connection.channel()
        for name in names:
            channel.queue_delete(name)
            channel.queue_declare(name, durable=True, arguments={"x-max-length": OTHER_LIMIT})
            channel.queue_bind(name, EXCHANGE, name)
        connection.close()


def _topology(names: Sequence[str]) -> str:
    queues = "".join(
        f"  {name}:\n    max_length: {LIMIT}\n"
        f"    bindings: [{{exchange: {EXCHANGE}, key: {name}}}]\n"
        for name in names
    )
    return f"version: 1\nexchanges:\n  {EXCHANGE}: {{type: direct}}\nqueues:\n{queues}"


def _definitions(names: Sequence[str], vhost: str) -> dict[str, Any]:
    plain = {"vhost": vhost, "durable": True, "auto_delete": False}
    bound = {"vhost": vhost, "source": EXCHANGE, "destination_type": "queue", "arguments": {}}
    return {
        "exchanges": [
            {"name": EXCHANGE, "type": "direct", "internal": False, "arguments": {}, **plain}
        ],
        "queues": [{"name": name, "arguments": {"x-max-length": LIMIT}, **plain} for name in names],
        "bindings": [{"destination": name, "routing_key": name, **bound} for name in names],
    }


def measure(stage: Stage, runs: int, random: Random) -> list[Row]:
    rows = {
        name: Row(name)
        for name in (
            *("first apply", "plain loop, first", "import_definitions, first"),
            *("apply, in step", "plan, in step", "plain loop, in step"),
            *("import_definitions, in step", "plan, 10 differ"),
        )
    }
    for _ in range(runs):
        (stage.folder / "topology.state.json").unlink(missing_ok=True)  # of the run before
        ours, plain, imported = stage.vhost(), stage.vhost(), stage.vhost()
        importing = (str(rabbitmq.CONTROL), "-q", "-n", stage.node.name, "import_definitions")
        by_hand = (*importing, str(stage.definitions(imported)))
        stage.provision(rows["first apply"], ours)
        stage.plain(rows["plain loop, first"], plain)
        stage.timed(rows["import_definitions, first"], by_hand)
        # In an order drawn each time: the node is still busy with what was just made.
        in_step: list[Callable[[], None]] = [
            partial(stage.provision, rows["apply, in step"], ours),
            partial(stage.provision, rows["plan, in step"], ours, "plan", "--detailed-exitcode"),
            partial(stage.plain, rows["plain loop, in step"], plain),
            partial(stage.timed, rows["import_definitions, in step"], by_hand),
        ]
        random.shuffle(in_step)
        for run in in_step:
            run()
        stage.change(ours, random.sample(stage.names, DIFFERENT))
        stage.provision(rows["plan, 10 differ"], ours, "plan", expected=4)
    return list(rows.values())


@contextmanager
def staged(queues: int) -> Iterator[Stage]:
    with tempfile.TemporaryDirectory(prefix="provision-") as folder:
        node = rabbitmq.Node()
        try:
            yield Stage(node.start(), Path(folder), queues)
        finally:
            node.stop()


def chart(rows: Sequence[Row], queues: int) -> Chart:
    longest = max(row.median for row in rows)
    return Chart(
        title=f"{queues} queues, one binding each: whole processes",
        x=Axis("run, the fastest first", 1, max(2, len(rows[0].seconds))),
        y=Axis("seconds", 0, longest * 1.2),
        series=[(row.name, list(enumerate(sorted(row.seconds), start=1))) for row in rows],
    )


def figures(rows: Sequence[Row], queues: int) -> Mapping[str, Any]:
    return {
        "queues": queues,
        "rows": {
            row.name: {
                "seconds": [round(each, 3) for each in row.seconds],
                "median": round(row.median, 3),
                "memory_mib": round(row.memory, 1),
            }
            for row in rows
        },
    }


def table(rows: Sequence[Row]) -> str:
    return results.table(
        ("", "runs", "median", "shortest", "longest", "memory"),
        [
            (
                *(row.name, str(len(row.seconds)), f"{row.median:.2f} s"),
                *(f"{min(row.seconds):.2f} s", f"{max(row.seconds):.2f} s"),
                f"{row.memory:.0f} MiB",
            )
            for row in rows
        ],
    )


def main() -> int:
    parser = results.parser("provision", __doc__)
    parser.add_argument("--queues", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=7)
    arguments: argparse.Namespace = parser.parse_args()
    with staged(arguments.queues) as stage:
        rows = measure(stage, arguments.runs, Random(arguments.seed))
    print(results.machine_line())
    print(table(rows))
    queues = arguments.queues
    results.write("provision", arguments, figures(rows, queues), chart(rows, queues))
    return 0


if __name__ == "__main__":
    raise SystemExit(results.guarded(main))
