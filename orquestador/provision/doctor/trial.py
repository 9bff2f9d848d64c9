"""A queue of the doctor's own, and what it shows of the broker: a lease's bounce, a conflict.

It goes with the doctor; where that is killed, the broker drops it after `EXPIRES`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from orquestador.broker.connection import Connection
from orquestador.broker.crew import HEARTBEAT, Crew, Hand
from orquestador.broker.message import Declared, Delivery, Outgoing
from orquestador.errors import BrokerError, Lost, Refused
from orquestador.events import fresh_word
from orquestador.provision import asking
from orquestador.provision.doctor.check import Check, bare, ok, skip, warn
from orquestador.provision.found import Difference, Found, Status
from orquestador.settings import Settings
from orquestador.topology.arguments import CLASSIC
from orquestador.topology.model import Queue, Topology

EXPIRES = 60_000  # ms without a consumer or a declare
LENGTH, OTHER_LENGTH = 2, 3
SLOW, NEVER = 1000.0, 3000.0  # ms
ENDING = 1.0  # seconds


@dataclass(frozen=True, slots=True)
class Trial:
    """`queue`: its name, or None where there is none; `fault`: why."""

    queue: str | None
    fault: BrokerError | None = None


async def begin(crew: Crew, topology: Topology) -> Trial:
    """Under a name of our own, else under one that a service's exclusive queue may have."""
    word = fresh_word()
    names = [f"{topology.prefix}orquestador.trial.{word}"]
    names += [queue.fresh(word).name for queue in topology.queues.values() if queue.unique]
    said: BrokerError | None = None
    for name in names:
        try:
            await crew.alone(_declaring(_queue(name, LENGTH)))
            return Trial(name)
        except BrokerError as fault:
            if crew.connection.lost.done():
                raise
            said = fault
        if not isinstance(said, Refused):
            break
    return Trial(None, said)


async def end(crew: Crew, settings: Settings, trial: Trial) -> None:
    """Delete it, by another connection where the first is gone, blocked or silent."""
    if trial.queue is None:
        return
    try:
        await asyncio.wait_for(_delete(crew.connection, trial.queue), ENDING)
    except (TimeoutError, BrokerError):
        with suppress(TimeoutError, BrokerError):
            await asyncio.wait_for(_delete_anew(settings, trial.queue), 2 * ENDING)


async def _delete(connection: Connection, queue: str) -> None:
    await (await connection.channel()).delete_queue(queue)


async def _delete_anew(settings: Settings, queue: str) -> None:
    connection = await Connection.open(settings, "doctor", heartbeat=HEARTBEAT)
    try:
        await _delete(connection, queue)
    finally:
        await connection.close()


async def bounces(crew: Crew, settings: Settings, trial: Trial) -> Check:
    """Whether a message in the hands of a consumer that dies comes back, and how soon."""
    if trial.queue is None:
        return skip("lease", _none(trial))
    holder = await Connection.open(settings, "doctor", heartbeat=HEARTBEAT)
    try:
        try:
            held = await _take(holder, trial.queue)
            await _put(holder, trial.queue)
        except Refused as fault:
            said = f"not tried: {bare(fault, settings.addresses[0])}"
            return skip("lease", said, "an account that may can try it once")
        await held
        back = await _take(crew.connection, trial.queue)
        began = asyncio.get_running_loop().time()
    finally:
        holder.abandon(Lost("cut on purpose"))
    try:
        delivery, when = await asyncio.wait_for(back, NEVER / 1000)
    except TimeoutError:
        return _late(f"a message whose consumer died did not come back in {NEVER:g} ms")
    took = (when - began) * 1000
    text = f"a message whose consumer died came back after {took:.1f} ms"
    if not delivery.redelivered:
        return _late(f"{text}, but is not marked as redelivered")
    return ok("lease", text) if took <= SLOW else _late(text)


def _late(text: str) -> Check:
    return warn("lease", text, "count on silence to tell that a service is gone (echo_within)")


async def _take(connection: Connection, queue: str) -> asyncio.Future[tuple[Delivery, float]]:
    """One message, not acknowledged, with the time of its coming."""
    loop = asyncio.get_running_loop()
    taken: asyncio.Future[tuple[Delivery, float]] = loop.create_future()

    def on_delivery(delivery: Delivery) -> None:
        if not taken.done():
            taken.set_result((delivery, loop.time()))

    channel = await connection.channel(prefetch=1)
    await channel.consume(queue, on_delivery)
    return taken


async def _put(connection: Connection, queue: str) -> None:
    channel = await connection.channel(confirms=True)
    await channel.publish(Outgoing("", queue, b"a trial", fresh_word(), mandatory=True))


async def explained(crew: Crew, trial: Trial) -> Check:
    """Whether it can be learnt what differs: by the way of asking that `plan` has."""
    if trial.queue is None:
        return skip("conflicts", _none(trial))
    wanted = _queue(trial.queue, OTHER_LENGTH)

    async def ask(hand: Hand) -> Found:
        return await asking.queue(hand, wanted)

    found = await crew.alone(ask)
    if Difference("x-max-length", LENGTH, OTHER_LENGTH) in found.differences:
        return ok("conflicts", "a queue that differs is told with both values of what differs")
    if found.status is Status.SAME:
        remedy = "plan cannot see there what differs: compare by hand"
        return warn("conflicts", "a queue that differs is taken for the same", remedy)
    remedy = "plan says there that a queue differs, and no more: compare it by hand"
    return warn("conflicts", "it is told that a queue differs, but not in what", remedy)


def _queue(name: str, length: int) -> Queue:
    """Its type is said: a vhost may have another default."""
    arguments = {"x-queue-type": CLASSIC, "x-expires": EXPIRES, "x-max-length": length}
    return Queue(name, arguments=arguments)


def _declaring(queue: Queue) -> Callable[[Hand], Awaitable[Declared]]:
    async def declare(hand: Hand) -> Declared:
        return await (await hand.channel()).declare_queue(queue)

    return declare


def _none(trial: Trial) -> str:
    if isinstance(trial.fault, Refused):
        return "not tried: this account may not configure a queue of its own"
    return "not tried: there is no queue to try it on"
