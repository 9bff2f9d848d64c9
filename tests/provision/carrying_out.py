"""Plans made and carried out in this process, as the command does it, without the command."""

from __future__ import annotations

import asyncio
import os
import signal
import traceback
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orquestador.broker.channel import Channel
from orquestador.broker.crew import Crew
from orquestador.provision import inspecting, planning
from orquestador.provision.applying import apply, nobody
from orquestador.provision.journal import Journal
from orquestador.provision.migrating import Told
from orquestador.provision.outcome import Outcome, Result
from orquestador.provision.plan import Plan, Wishes
from orquestador.provision.records import Section
from orquestador.provision.state import State, state_path
from orquestador.settings import settle
from orquestador.topology.model import Topology

BROKER = "a broker"


@dataclass
class Place:
    """One broker's vhost, and the folder where records are kept."""

    url: str
    folder: Path

    async def crew(self) -> Crew:
        return await Crew.open(settle(self.url, {}), "a test")

    @property
    def section(self) -> Section | None:
        return State.load(self._state).section(BROKER)

    @property
    def _state(self) -> Path:
        return state_path(self.folder / "topology.yaml")

    async def plan(self, crew: Crew, topology: Topology, **wishes: bool) -> Plan:
        asked = planning.asked(topology, self.section)
        snapshot = await inspecting.look(crew, topology, asked)
        return planning.make(topology, snapshot, self.section, Wishes(**wishes))

    async def apply(self, topology: Topology, moved: Told = nobody, **wishes: bool) -> Outcomes:
        """Plan and carry out."""
        async with await self.crew() as crew:
            plan = await self.plan(crew, topology, **wishes)
            return await self.carry_out(crew, plan, topology, moved=moved)

    async def carry_out(
        self,
        crew: Crew,
        plan: Plan,
        topology: Topology,
        *,
        moved: Told = nobody,
        told: Callable[[Outcome], None] = lambda _outcome: None,
    ) -> Outcomes:
        outcomes = Outcomes()
        with Journal.open(self._state, BROKER) as journal:
            async for outcome in apply(crew, plan, topology, journal, moved=moved):
                outcomes.append(outcome)
                told(outcome)
        return outcomes


class Outcomes(list[Outcome]):
    """`outcomes.of("work")`: that thing's; `.results` by name."""

    @property
    def results(self) -> dict[str, Result]:
        return {outcome.name: outcome.result for outcome in self}

    def of(self, name: str) -> Outcome:
        (found,) = (outcome for outcome in self if outcome.name == name)
        return found


class Child:
    """This process forked, to do that one thing.  Much cheaper than a Python started anew."""

    def __init__(self, work: Callable[[], object]) -> None:
        self._code: int | None = None
        self._pid = os.fork()
        if self._pid == 0:
            try:
                work()
            except BaseException:
                traceback.print_exc()
                os._exit(1)
            os._exit(0)

    def kill(self) -> None:
        if self._code is None:
            os.kill(self._pid, signal.SIGKILL)
            self.wait()

    def wait(self) -> int:
        """Its exit code."""
        if self._code is None:
            self._code = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
        return self._code


def killed_at(call: int, work: Callable[[], Coroutine[Any, Any, object]]) -> bool:
    """Run it in a child that SIGKILL ends as it begins its `call`th request to the broker.

    Whether it was ended so; a child that comes to an end before must have done well.
    """

    def counted() -> None:
        _count_down(call)
        asyncio.run(work())

    code = Child(counted).wait()
    assert code in (0, -signal.SIGKILL), f"the child ended with {code}"
    return code != 0


def _count_down(calls: int) -> None:
    """Requests, messages forwarded and messages acknowledged, in this process."""
    left = iter(range(calls - 1))

    def counted(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            if next(left, None) is None:
                os.kill(os.getpid(), signal.SIGKILL)
            return method(*args, **kwargs)

        return call

    for name in ("_call", "forward", "ack"):
        setattr(Channel, name, counted(getattr(Channel, name)))
