"""What the verbs print: a plan, outcomes as they come, the doctor's lines; or all that as JSON.

The texts are `printing.py`'s, `outcome.py`'s and the doctor's.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from orquestador.provision import printing
from orquestador.provision.outcome import Outcome, Result
from orquestador.provision.outcome import summary as summary_of
from orquestador.provision.plan import Plan
from orquestador.settings import Settings
from orquestador.topology.model import Topology

if TYPE_CHECKING:
    from orquestador.provision.doctor import Check  # for the doctor alone: it costs 50 ms


class Screen:
    """Standard output, for one verb."""

    def __init__(self, topology: Topology, settings: Settings, given: argparse.Namespace) -> None:
        self._topology, self._where = topology, str(settings)
        self._json, self._all = given.json, bool(given.verbose)
        self._colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ

    def plan(self, plan: Plan) -> None:
        if self._json:
            _print_json(printing.as_json(plan, self._topology, self._where))
            return
        shown = printing.lines(
            plan, self._topology, self._where, colour=self._colour, all=self._all
        )
        print("\n".join(shown))

    def outcome(self, outcome: Outcome) -> None:
        """At once; what was in step already only with -v, or as JSON."""
        with _read_or_not():
            if self._json:
                _print_json(asdict(outcome))
            elif self._all or outcome.result is not Result.THERE:
                print(outcome, flush=True)

    def outcomes(self, outcomes: Sequence[Outcome], plan: Plan) -> None:
        """What the plan knows beside: remedies, notes; and the summary."""
        if self._json:
            return
        for step in plan.steps:
            for remedy in step.remedies:
                print(f"{step.id.name}: try: {remedy.name}: {remedy.text}")
        for note in plan.notes:
            print(f"note: {note}")
        print(summary_of(outcomes))

    def where(self) -> None:
        if not self._json:
            print(self._where, flush=True)

    def check(self, check: Check) -> None:
        from orquestador.provision.doctor.printing import lines

        if not self._json:
            print("\n".join(lines(check, colour=self._colour)), flush=True)

    def checks(self, checks: Sequence[Check]) -> None:
        from orquestador.provision.doctor.printing import as_json, summary

        if self._json:
            _print_json(as_json(checks, self._where))
        else:
            print(summary(checks))


@contextmanager
def _read_or_not() -> Iterator[None]:
    """Who stops reading (`| head`) does not stop what is being done to a broker."""
    try:
        yield
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _print_json(said: Any) -> None:
    print(json.dumps(said, ensure_ascii=False), flush=True)
