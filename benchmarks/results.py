"""What a benchmark leaves behind: a table on standard output, JSON and an SVG chart in a folder,
and the machine and the versions beside each."""

from __future__ import annotations

import json
import math
import os
import platform
import re
import subprocess
import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.plot import Chart
from benchmarks.quantiles import Quantile, Times

OUT = Path(__file__).parent / "results"


def parser(module: str, doc: str | None, out: Path = OUT) -> ArgumentParser:
    """The command line that every benchmark has; --json and --svg stand before --out."""
    made = ArgumentParser(
        prog=f"python -m benchmarks.{module}",
        description=doc,
        formatter_class=RawDescriptionHelpFormatter,
    )
    made.add_argument("--seed", type=int, default=1, help="of every random draw")
    made.add_argument("--out", type=Path, default=out, metavar="DIR", help="for both files")
    made.add_argument("--json", type=Path, metavar="FILE", help=f"default: DIR/{module}.json")
    made.add_argument("--svg", type=Path, metavar="FILE", help=f"default: DIR/{module}.svg")
    return made


def guarded(main: Callable[[], int]) -> int:
    """Its exit code; 130 for a Ctrl+C, 1 and a line for what did not come to pass."""
    try:
        return main()
    except KeyboardInterrupt:
        return 130
    except AssertionError as fault:
        print(fault, file=sys.stderr)
        return 1


def write(module: str, arguments: Namespace, figures: Mapping[str, Any], chart: Chart) -> None:
    """Both files, the machine and the moment in the JSON; infinite and missing times are null."""
    target = arguments.json or arguments.out / f"{module}.json"
    picture = arguments.svg or arguments.out / f"{module}.svg"
    said = {
        "benchmark": module,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "seed": arguments.seed,
        "machine": machine(),
        **figures,
    }
    lines = re.sub(r"\[[-0-9.,e\s]+\]", _in_one_line, json.dumps(said, indent=2))
    for path, text in ((target, lines + "\n"), (picture, chart.svg())):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def _in_one_line(numbers: re.Match[str]) -> str:
    return re.sub(r"\s+", " ", numbers[0]).replace("[ ", "[").replace(" ]", "]")


def machine() -> dict[str, Any]:
    """Processor, cores, kernel and the versions of all that takes part."""
    cpus = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    models = [line.partition(":")[2].strip() for line in cpus if line.startswith("model name")]
    return {
        "processor": models[0] if models else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "kernel": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "RabbitMQ": _rabbitmq(),
        "pika": version("pika"),
        "msgspec": version("msgspec"),
    }


def machine_line() -> str:
    said = machine()
    rest = ", ".join(f"{name} {said[name]}" for name in ("Python", "RabbitMQ", "pika", "msgspec"))
    return f"{said['processor']}, {said['cores']} cores, {said['kernel']}, {rest}"


def _rabbitmq() -> str:
    """By its applications' folder: the tools of the server would have to start Erlang for it."""
    found = sorted(Path("/usr/lib/rabbitmq/lib").glob("rabbitmq_server-*"))
    if found:
        return found[-1].name.partition("-")[2]
    asked = subprocess.run(["rabbitmqctl", "version"], capture_output=True, text=True)
    return asked.stdout.strip() or "?"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as they need to be, the first one to the left, a line under the head."""
    widths = [max(len(row[at]) for row in (head, *rows)) for at in range(len(head))]

    def line(row: Sequence[str]) -> str:
        first, *rest = row
        cells = [first.ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True)]
        return "  ".join(cells).rstrip()

    return "\n".join([line(head), "  ".join("-" * width for width in widths), *map(line, rows)])


def milliseconds(seconds: float | None, limit: float = math.inf) -> str:
    """`4.6 ms`; `> 15 s` for one that was not seen within the limit; `n too small` for None."""
    if seconds is None:
        return "n too small"
    if math.isinf(seconds):
        return f"> {limit:g} s"
    ms = seconds * 1e3
    return f"{ms:.2f} ms" if ms < 10 else f"{ms:.1f} ms" if ms < 100 else f"{ms:,.0f} ms"


TIMES_HEAD = ("n", "never seen", "median", "95 % of it", "p99", "95 % below", "longest")


def times_row(times: Times) -> list[str]:
    """The cells under TIMES_HEAD: two-sided interval of the median, one-sided bound of the p99."""
    if not times.n:
        return ["0", "0", *["-"] * (len(TIMES_HEAD) - 2)]

    def text(seconds: float | None) -> str:
        return milliseconds(seconds, times.limit)

    median, p99 = times.median(), times.p99()
    between = f"n too small (n={times.n})"
    if median.low is not None:
        between = f"{text(median.low)} .. {text(median.high)}"
    bound = f"n too small (n={times.n})" if p99.high is None else text(p99.high)
    return [
        *(str(times.n), str(times.censored), text(median.estimate), between),
        *(text(p99.estimate), bound, text(times.longest)),
    ]


def times_json(times: Times) -> dict[str, Any]:
    """Seconds, with what was measured (evenly thinned, if it is very much) to count again."""
    if not times.n:
        return {"n": 0, "never_seen": 0, "seen": []}
    return {
        "n": times.n,
        "never_seen": times.censored,
        "limit": _finite(times.limit),
        "median": _quantile(times.median()),
        "p99": _quantile(times.p99()),
        "longest": _finite(times.longest),
        "seen": [round(seconds, 6) for _, seconds in times.thinned(1000)],
    }


def _quantile(quantile: Quantile) -> dict[str, float | None]:
    return {name: _finite(getattr(quantile, name)) for name in ("estimate", "low", "high")}


def _finite(value: float | None) -> float | None:
    return None if value is None or math.isinf(value) else round(value, 6)
