"""Whether a limit of the vhost or the account is met already, and the round trip to the broker.

RabbitMQ tells nobody its limits; it says which one is met: to a connection 530, to a channel 530
(closing the connection), to a queue 406.  https://www.rabbitmq.com/docs/vhosts#limits and
/docs/user-limits.
"""

from __future__ import annotations

import time
from statistics import median

from orquestador.broker.connection import Connection
from orquestador.broker.crew import HANDS, HEARTBEAT, Crew, Hand
from orquestador.errors import BrokerError
from orquestador.provision.doctor.check import REFUSED, Check, bare, fail, ok
from orquestador.provision.doctor.trial import Trial
from orquestador.settings import Settings

ROUNDS = 20
REMEDY = "delete or close what is not needed, or have the limit raised by who runs the broker"


async def limits(settings: Settings, trial: Trial) -> Check:
    """A second connection with all channels that provisioning works over, and one more queue."""
    try:
        connection = await Connection.open(settings, "doctor", heartbeat=HEARTBEAT)
        try:
            for _ in range(HANDS):
                await connection.channel()
        finally:
            await connection.close()
    except BrokerError as fault:
        if "limit" not in str(fault):
            raise
        return _met(fault, settings)
    if trial.fault is not None and "limit" in str(trial.fault):
        return _met(trial.fault, settings)
    text = f"none met: another connection, {HANDS} channels in it"
    return ok("limits", text + (", another queue" if trial.queue else ""))


def _met(fault: BrokerError, settings: Settings) -> Check:
    return fail("limits", bare(fault, settings.addresses[0]), REMEDY, REFUSED)


async def round_trip(crew: Crew) -> Check:
    """basic.qos, which every account may ask for: no broker looks anything up for it."""

    async def measure(hand: Hand) -> list[float]:
        channel = await hand.channel()
        took = []
        for _ in range(ROUNDS):
            began = time.perf_counter()
            await channel.prefetch(0)
            took.append((time.perf_counter() - began) * 1000)
        return took

    took = await crew.alone(measure)
    text = f"median {median(took):.1f} ms, p99 {max(took):.1f} ms (the longest of {ROUNDS})"
    return ok("round trip", text)
