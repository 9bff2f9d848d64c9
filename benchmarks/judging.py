"""What a soak does when, and which DOWN lines are false ones.  Pure; doing it is `soak.py`'s."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from random import Random

from benchmarks.stage import Line

STOP, KILL, MONITOR_CUT, SERVICE_CUT = "broker stopped", "broker killed", "monitor cut", "cut"
ON_THE_WAY = 2.0  # seconds: for a line about a service that has its connection again


@dataclass(frozen=True, slots=True)
class Planned:
    at: float
    what: str
    service: str = ""


def plan(seconds: float, *, monitor_cuts: int, cut: list[str], random: Random) -> list[Planned]:
    """What happens when, in order: restarts at a third and two thirds, cuts spread over it all.

    One cut of the monitor falls into each of as many equal parts of the time, and so with the
    services'; the order of the services is drawn.
    """
    drawn = [Planned(seconds / 3, STOP), Planned(seconds * 2 / 3, KILL)]
    for number in range(monitor_cuts):
        drawn.append(Planned((number + random.random()) * seconds / monitor_cuts, MONITOR_CUT))
    for number, service in enumerate(random.sample(cut, len(cut))):
        moment = (number + random.random()) * seconds / len(cut)
        drawn.append(Planned(moment, SERVICE_CUT, service))
    return sorted(drawn, key=lambda planned: planned.at)


@dataclass(slots=True)
class Judge:
    """Reads the monitor's lines and tells false DOWNs from those that a cut excuses.  Pure.

    `excused_until`: for a service whose own connection was cut; infinite until it has another.
    """

    states: dict[str, str] = field(default_factory=dict)
    excused_until: dict[str, float] = field(default_factory=dict)
    false_downs: list[tuple[float, str, str]] = field(default_factory=list)
    excused: list[str] = field(default_factory=list)
    said: Counter[str] = field(default_factory=Counter)
    blind: list[tuple[float, float]] = field(default_factory=list)
    _blind_since: float | None = None

    def cut(self, service: str) -> None:
        self.excused_until[service] = math.inf

    def connected(self, service: str, now: float) -> None:
        """It has a connection again: it may say hello now, and lines may be on their way."""
        if self.excused_until.get(service) == math.inf:
            self.excused_until[service] = now + ON_THE_WAY

    def read(self, line: Line) -> None:
        event = line.said["event"]
        if event == "status":
            self._status(line)
            return
        self.said[event] += 1
        if event == "blind" and self._blind_since is None:
            self._blind_since = line.at
        elif event == "seeing" and self._blind_since is not None:
            self.blind.append((self._blind_since, line.at))
            self._blind_since = None

    def _status(self, line: Line) -> None:
        state, service = line.said["state"], line.service
        self.states[service] = state
        self.said[state] += 1
        if state == "UP":
            self.excused_until.pop(service, None)
        elif state == "DOWN":
            in_time = line.at <= self.excused_until.get(service, -math.inf)
            if in_time and line.said["reason"] == "no consumer":
                self.excused.append(service)
            else:
                self.false_downs.append((line.at, service, line.said["reason"]))

    @property
    def blind_for(self) -> float:
        return sum(end - start for start, end in self.blind)
