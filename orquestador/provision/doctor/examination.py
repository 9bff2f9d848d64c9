"""The doctor's order: first the way there, then what the broker and the account are good for.

Each line is told as it is known.  What a line takes and says is the other modules'.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

from orquestador.broker.crew import Crew
from orquestador.errors import BrokerError
from orquestador.provision.doctor import claims, harmless, limits, trial
from orquestador.provision.doctor.check import STEP, UNREACHED, Check, Verdict, bare, fail, skip
from orquestador.provision.doctor.needs import needs
from orquestador.provision.doctor.patience import Alarm, Patience
from orquestador.provision.doctor.reaching import reach
from orquestador.provision.doctor.rights import Told, examine_rights
from orquestador.provision.exports.usage import Accesses
from orquestador.settings import Address, Settings
from orquestador.topology.model import Topology


async def examine(
    settings: Settings,
    topology: Topology,
    accesses: Accesses | None = None,
    *,
    asked: Told = lambda _done, _total: None,
) -> AsyncGenerator[Check, None]:
    """Every line, each within seconds whatever the broker does; the first failures may end it.

    `accesses`: what the roles do beyond the file (Registry).  `asked(done, total)`: after each
    answer about one right.  It leaves nothing behind: close it, where it is not read to its end.
    """
    reached: list[Address] = []
    async with aclosing(_ways(settings, reached)) as ways:
        async for check in ways:
            yield check
    if not reached:
        return
    there = replace(settings, addresses=tuple(reached[:1]))
    try:
        async with aclosing(_inside(there, topology, accesses or {}, asked)) as checks:
            async for check in checks:
                yield check
    except (TimeoutError, BrokerError) as fault:
        yield _gone(fault, there.addresses[0])


async def _ways(settings: Settings, reached: list[Address]) -> AsyncGenerator[Check, None]:
    """To each address; of several, one that is reached will do."""
    if len(settings.addresses) == 1:
        address, well = settings.addresses[0], True
        async for check in reach(address):
            well = well and check.verdict is not Verdict.FAIL
            yield check
        reached += [address] * well
        return

    async def way(address: Address) -> list[Check]:
        return [check async for check in reach(address)]

    ways = await asyncio.gather(*map(way, settings.addresses))
    reached += [
        address
        for address, checks in zip(settings.addresses, ways, strict=True)
        if all(check.verdict is not Verdict.FAIL for check in checks)
    ]
    for address, checks in zip(settings.addresses, ways, strict=True):
        for check in checks:
            failed = check.verdict is Verdict.FAIL
            verdict = Verdict.WARN if failed and reached else check.verdict
            text = f"{address.host}:{address.port}: {check.text}"
            yield replace(check, verdict=verdict, text=text)


async def _inside(
    settings: Settings, topology: Topology, accesses: Accesses, asked: Told
) -> AsyncGenerator[Check, None]:
    crew = await Crew.open(settings, "doctor")
    within = Patience(crew.connection).within
    tried = trial.Trial(None)
    try:
        greeting = crew.connection.greeting
        yield claims.product(greeting, topology)
        yield claims.capabilities(greeting, topology)
        yield (negotiated := claims.negotiated(greeting))
        if negotiated.verdict is Verdict.FAIL:
            return
        tried = await within(trial.begin(crew, topology))
        yield (limited := await within(limits.limits(settings, tried)))
        known = greeting.product == claims.RABBITMQ
        manners = await within(harmless.manners(crew, tried.queue, known=known))
        exchanges = frozenset(exchange.name for exchange in topology.exchanges.values())
        wanted = needs(topology, accesses)
        async with aclosing(examine_rights(crew, wanted, exchanges, manners, asked)) as rights:
            async for check in rights:
                yield check
        yield await within(limits.round_trip(crew))
        if limited.verdict is Verdict.FAIL:
            yield skip("lease", "not tried: it takes another connection and its channels")
        else:
            yield await within(trial.bounces(crew, settings, tried))
        yield await within(trial.explained(crew, tried))
    finally:
        await trial.end(crew, settings, tried)
        await crew.close()


def _gone(fault: TimeoutError | BrokerError, address: Address) -> Check:
    match fault:
        case Alarm():
            text = f"the broker takes no messages: {fault}"
            remedy = "free memory or disk space on the broker; rabbitmqctl status shows its alarms"
            return fail("alarm", text, remedy, UNREACHED)
        case BrokerError():
            text = bare(fault, address)
        case TimeoutError():
            text = f"the broker has not answered for {STEP:g} s"
    return fail("connection", text, "is it overloaded, frozen or restarting? look again", UNREACHED)
