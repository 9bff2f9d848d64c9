"""The verbs that ask a broker: plan, apply, verify, destroy, doctor.

Each is a coroutine from topology, settings and command line to an exit code; what is asked, decided
and done is the modules' beside this package, what is printed `showing.py`'s.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from contextlib import aclosing
from dataclasses import replace

from orquestador.broker.crew import Crew
from orquestador.errors import BrokerError, ConfigurationError, UsageError
from orquestador.provision import inspecting, planning
from orquestador.provision.applying import apply as carry_out
from orquestador.provision.command.progress import Bar
from orquestador.provision.command.showing import Screen
from orquestador.provision.exports.usage import Accesses
from orquestador.provision.found import Snapshot
from orquestador.provision.journal import Journal
from orquestador.provision.outcome import Outcome, exit_code
from orquestador.provision.plan import Action, Plan, Wishes
from orquestador.provision.records import Section
from orquestador.provision.state import State, broker_key, state_path
from orquestador.run.exits import CONFLICT, DONE, PARTLY, REFUSED
from orquestador.settings import Settings
from orquestador.topology.model import Topology
from orquestador.topology.things import Link

PENDING = DRIFT = 2
NAME = "provision"
"""Of the connection, in the broker's list."""

Verb = Callable[[Topology, Settings, argparse.Namespace], Coroutine[None, None, int]]


async def plan(topology: Topology, settings: Settings, given: argparse.Namespace) -> int:
    section = _recorded(topology, settings)
    async with await Crew.open(settings, NAME) as crew:
        snapshot = await _look(crew, topology, section, given)
    made = planning.make(topology, snapshot, section, _wishes(given))
    Screen(topology, settings, given).plan(made)
    if made.counts[Action.CONFLICT]:
        return CONFLICT
    if made.counts[Action.UNKNOWN]:
        return _unasked(made)
    return PENDING if given.detailed_exitcode and made.pending else DONE


async def verify(topology: Topology, settings: Settings, given: argparse.Namespace) -> int:
    section = _recorded(topology, settings)
    async with await Crew.open(settings, NAME) as crew:
        snapshot = await _look(crew, topology, section, given)
    made = planning.make(topology, snapshot, section, Wishes())
    if snapshot.links is None and topology.links:
        unchecked = "bindings are not checked: AMQP lists none, --management URL checks them"
        made = replace(made, notes=(*made.notes, unchecked))
    Screen(topology, settings, given).plan(made)
    if made.pending or made.counts[Action.CONFLICT] or made.counts[Action.HELD]:
        return DRIFT
    if made.counts[Action.UNKNOWN]:
        return _unasked(made)
    # Bindings that were to be checked and are not: nobody who reads exit codes alone is told more.
    return PARTLY if given.management and snapshot.links is None else DONE


async def apply(topology: Topology, settings: Settings, given: argparse.Namespace) -> int:
    def made(snapshot: Snapshot, section: Section | None) -> Plan:
        return planning.make(topology, snapshot, section, _wishes(given))

    return await _carry_out(topology, settings, given, made)


async def destroy(topology: Topology, settings: Settings, given: argparse.Namespace) -> int:
    def made(snapshot: Snapshot, section: Section | None) -> Plan:
        return planning.removal(topology, snapshot, section, with_messages=given.force)

    return await _carry_out(topology, settings, given, made)


async def doctor(
    topology: Topology, settings: Settings, given: argparse.Namespace, accesses: Accesses
) -> int:
    from orquestador.provision.doctor import examine
    from orquestador.provision.doctor import exit_code as doctors_exit_code

    screen = Screen(topology, settings, given)
    checks = []
    screen.where()
    with Bar("asking for rights") as bar:
        async with aclosing(examine(settings, topology, accesses, asked=bar.to)) as examined:
            async for check in examined:
                checks.append(check)
                screen.check(check)
    screen.checks(checks)
    return doctors_exit_code(checks)


VERBS: Mapping[str, Verb] = {
    "plan": plan,
    "verify": verify,
    "apply": apply,
    "destroy": destroy,
}
"""All but `doctor`, which is told besides what the roles do."""


async def _carry_out(
    topology: Topology,
    settings: Settings,
    given: argparse.Namespace,
    make: Callable[[Snapshot, Section | None], Plan],
) -> int:
    screen = Screen(topology, settings, given)
    outcomes: list[Outcome] = []
    section = _recorded(topology, settings)
    with Journal.open(state_path(topology.path), broker_key(settings)) as journal:
        async with await Crew.open(settings, NAME) as crew:
            made = make(await _look(crew, topology, section, given), section)
            try:
                async with aclosing(_with_bar(crew, made, topology, journal)) as doing:
                    async for outcome in doing:
                        outcomes.append(outcome)
                        screen.outcome(outcome)
            except (BrokerError, ConfigurationError) as fault:
                if not outcomes:
                    raise
                print(f"{fault}; what is not listed was not done", file=sys.stderr)
                return PARTLY
    screen.outcomes(outcomes, made)
    return exit_code(outcomes)


async def _with_bar(
    crew: Crew, plan: Plan, topology: Topology, journal: Journal
) -> AsyncGenerator[Outcome, None]:
    """The outcomes, with a bar over things; over a queue's messages, while they are moved."""
    done = 0
    with Bar("applying") as bar:

        def moved(queue: str, messages: int, of: int) -> None:
            bar.to(messages, of, f"moving {queue}")

        doing = carry_out(crew, plan, topology, journal, moved=moved)
        async with aclosing(doing) as outcomes:
            async for outcome in outcomes:
                done += 1
                bar.to(done, len(plan.steps))
                yield outcome


async def _look(
    crew: Crew, topology: Topology, section: Section | None, given: argparse.Namespace
) -> Snapshot:
    with Bar("asking the broker") as bar:
        leftovers = planning.asked(topology, section)
        snapshot = await inspecting.look(crew, topology, leftovers, asked=bar.to)
    if not given.management:
        return snapshot
    links = await _links(given.management, crew.connection.address.vhost)
    return replace(snapshot, links=links)


async def _links(management_url: str, vhost: str) -> frozenset[Link] | None:
    """On a worker: AMQP's heartbeats go on meanwhile.  None, and why, where nobody answers."""
    from orquestador.provision import management  # HTTP and its TLS: 40 ms

    try:
        return await asyncio.to_thread(management.links, management_url, vhost)
    except ConfigurationError as fault:
        raise UsageError(f"--management: {fault}") from None
    except BrokerError as fault:
        print(f"bindings are not checked: {fault}", file=sys.stderr)
        return None


def _recorded(topology: Topology, settings: Settings) -> Section | None:
    return State.load(state_path(topology.path)).section(broker_key(settings))


def _wishes(given: argparse.Namespace) -> Wishes:
    return Wishes(given.recreate, given.migrate, given.prune)


def _unasked(plan: Plan) -> int:
    """77 where all that was asked was refused, else 3: some of it is not known."""
    asked = [step for step in plan.steps if step.found is not None]
    refused = all(step.action is Action.UNKNOWN for step in asked)
    return REFUSED if refused else PARTLY
