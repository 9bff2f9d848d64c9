"""--migrate: a queue is made anew, and its messages are in it afterwards.

Out to a temporary queue beside it (`waystation.py`) and back, each message taken off only when its
copy is confirmed; bindings are made before others are undone.  So none is lost, whenever this is
killed; some may be there twice, and it says how many at most.  There is no memory but the broker's:
each round looks at what is there and does the next thing, and so does the next run.

    the queue differs             its messages go out; empty and unused, it is deleted
    it is not there               it is declared
    it is as the file says        messages come back; the temporary queue, empty, is deleted

Where a person has to do something before it can be deleted, all goes back into it as it was.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from orquestador.broker.connection import Connection
from orquestador.broker.crew import Crew, Hand
from orquestador.broker.moving import IN_HAND, UNLIMITED, Ending, Moved, Room, move
from orquestador.errors import BrokerError, EventError, HungUp, Lost, NotFound, Refused
from orquestador.provision import making
from orquestador.provision.found import Found, Status
from orquestador.provision.making import InUse, Unbound
from orquestador.provision.outcome import Outcome, Result, counted
from orquestador.provision.plan import Step
from orquestador.provision.recreating import Keeping
from orquestador.provision.remedies import UNTYPED, consumers
from orquestador.provision.waystation import LONGEST, Busy, Waystation, lock, locked
from orquestador.topology.arguments import STREAM
from orquestador.topology.model import Queue
from orquestador.topology.things import Kind, Link

logger = logging.getLogger(__name__)

ROUNDS = 30
"""Each ends with the queue empty; more of them only if messages keep coming straight to it."""
WHOSE = "only that user, or one with the tag impersonator, can move that message"

Told = Callable[[str, int, int], None]
"""A queue's name, how many messages were moved, how many there are to move; twice each."""


class Stopped(BrokerError):
    """A person has to do something first; the text says what, and where the messages are."""


async def migrate(crew: Crew, step: Step, prefix: str, keeping: Keeping, told: Told) -> Outcome:
    """Raises a BrokerError where the broker says no before anything was changed, or goes."""
    assert isinstance(step.thing, Queue)
    kind, name = step.id.kind, step.id.name
    if len(lock(name).encode()) > LONGEST:
        text = "its name is too long: no temporary queue can be named after it"
        return Outcome(kind, name, Result.FAILED, text)
    links = [each for each in step.links if (each.kind, each.destination) == (Kind.QUEUE, name)]
    connection = await crew.another("migrate", verbatim=True)
    try:
        migration = Migration(connection, step.thing, links, prefix, told)
        async with locked(migration.hand, name):
            with keeping.intended(step.thing):
                unbound = await migration.run()
    except InUse as fault:
        return Outcome(kind, name, Result.CONFLICT, str(fault))
    except (Stopped, Busy, HungUp) as fault:
        return Outcome(kind, name, Result.FAILED, str(fault))
    finally:
        await connection.close()
    keeping.record(step.thing, links, unbound)
    text = "; ".join(filter(None, [migration.account(), *map(str, unbound)]))
    return Outcome(kind, name, Result.MIGRATED if migration.did else Result.THERE, text)


class Migration:
    """Of one queue.  `connection` was opened `verbatim`; `links` are the queue's own."""

    def __init__(
        self,
        connection: Connection,
        queue: Queue,
        links: Sequence[Link],
        prefix: str,
        told: Told,
    ) -> None:
        connection.on_blocked = _warn
        self.hand = Hand(connection)
        self._connection, self._queue, self._links, self._told = connection, queue, links, told
        self._beside = Waystation(self.hand, queue, prefix)
        self._moved = self._total = 0  # of both ways
        self._back = self._back_size = 0
        self._broken_off = False
        self._twice = 0
        self.did = False

    def account(self) -> str:
        """What was moved, and what of it may be there twice."""
        if not self.did:
            return ""
        text = f"{counted(self._back, 'message')} moved"
        if self._broken_off:
            return (
                f"{text}; it had been broken off: some may be there twice (at most {IN_HAND} each "
                "time, and what came while bindings changed)"
            )
        return f"{text}, at most {self._twice} of them twice" if self._twice else text

    async def run(self) -> list[Unbound]:
        """What could not be bound in the end.

        Raises InUse where the queue is as it was, Stopped where it is not; Lost.
        """
        self._broken_off = await self._beside.messages() is not None
        for _ in range(ROUNDS):
            try:
                if await self._round():
                    await self._beside.clear()  # what else a killed run may have left
                    return await making.make(self.hand, self._queue, self._links)
            except Lost:
                if self._connection.lost.done():
                    raise
                self._broken_off = True  # a channel only: look again
        raise Stopped(f"messages keep coming straight to it; {await self._where()}")

    async def _round(self) -> bool:
        """Do the next thing; True where there is none."""
        found = await making.look(self.hand, self._queue)
        try:
            match found.status:
                case Status.DIFFERS:
                    await self._out(found)
                case Status.ABSENT:
                    await making.declare(self.hand, self._queue)
                case Status.SAME if await self._beside.messages() is None:
                    return True
                case Status.SAME:
                    await self._back_in(found)
                case _:
                    raise Stopped(found.text or str(found.status))
            self.did = True
        except (InUse, Lost):
            raise
        except (BrokerError, EventError) as fault:
            raise Stopped(f"{fault}; {await self._where()}") from None
        return False

    async def _out(self, found: Found) -> None:
        """Its messages to the temporary queue; then it is deleted."""
        obstacle = await self._obstacle(found)
        if obstacle and await self._beside.messages() is None:
            raise InUse(f"{obstacle}; nothing was changed")
        if obstacle:
            raise Stopped(obstacle)
        try:
            await self._empty(found)
        except Lost:
            raise
        except (BrokerError, EventError) as fault:
            await self._undo(found, str(fault))

    async def _obstacle(self, found: Found) -> str:
        held = await making.counted(self.hand, self._queue.name, found.type)
        if found.type is None:
            return UNTYPED
        if held.consumers:
            return f"stop its {consumers(held)} first"
        if found.type == STREAM and held.messages:
            return "the messages of a stream cannot be moved: reading takes none out"
        if _on_broker(self._queue, found, "auto_delete"):
            return "auto_delete: whatever is in it goes with its last consumer, and so with us"
        return ""

    async def _empty(self, found: Found) -> None:
        name, beside = self._queue.name, self._beside
        await beside.build(found.type)
        await beside.lead(beside.name)
        ready = (await making.counted(self.hand, name, found.type)).messages
        self._total = self._moved + 2 * ready + (await beside.messages() or 0)
        if found.type == STREAM:
            await self._switch(to=beside.name, away=name)
        else:
            # Most go before the bindings change, so that what is new stays behind them.
            await self._move(name, enough=ready)
            await self._switch(to=beside.name, away=name)
            await self._move(name)
        await making.settled(
            self.hand,
            name,
            lambda: making.delete(self.hand, name, found.type, empty=True, unused=True),
        )

    async def _undo(self, found: Found, why: str) -> None:
        """Raises InUse where all is in the queue again, Stopped where it is not."""
        try:
            for _ in range(ROUNDS):
                if await self._in(found):
                    break
            else:
                raise Stopped(f"{why}; {await self._where()}")
        except (Lost, Stopped):
            raise
        except (BrokerError, EventError):
            raise Stopped(f"{why}; {await self._where()}") from None
        raise InUse(f"{why}; its messages and bindings are as they were")

    async def _in(self, found: Found) -> bool:
        """What waits comes in; whether all of it did, and the temporary queue is gone."""
        name, beside = self._queue.name, self._beside
        await beside.lead(name)
        waiting = await beside.messages() or 0
        self._total = max(self._total, self._moved + waiting)
        if waiting:
            await self._come(found, enough=waiting)
        await self._switch(to=name, away=beside.name)
        await self._come(found)
        return await making.settled(self.hand, beside.name, beside.clear)

    async def _back_in(self, found: Found) -> None:
        try:
            await self._in(found)
        except InUse as fault:  # the temporary queue is: somebody consumes it
            raise Stopped(f"{self._beside.name}: {fault}; {await self._where()}") from None

    async def _come(self, found: Found, enough: int | None = None) -> None:
        ending = Ending.FULL
        while ending is Ending.FULL:
            room = await self._room(found)
            moved = await self._move(self._beside.name, enough=enough, room=room)
            self._back, self._back_size = self._back + moved.messages, self._back_size + moved.size
            ending = moved.ending
            if ending is Ending.FULL and not moved.messages:
                raise Stopped("it takes no more: once some of what is in it is consumed, go on")

    async def _room(self, found: Found) -> Room:
        """Beyond it the queue would drop what it has.  Its bytes are known only if all are ours."""
        if found.type == STREAM:
            return UNLIMITED
        length = _on_broker(self._queue, found, "x-max-length")
        size = _on_broker(self._queue, found, "x-max-length-bytes")
        held = (await making.counted(self.hand, self._queue.name, found.type)).messages
        if size is not None:
            size = 0 if held and not self._back else size - self._back_size
        return Room(None if length is None else max(0, length - held), size)

    async def _move(
        self, queue: str, *, enough: int | None = None, room: Room = UNLIMITED
    ) -> Moved:
        before = self._moved

        def told(messages: int) -> None:
            done = before + messages
            self._told(self._queue.name, done, max(self._total, done))

        try:
            moved = await move(
                self._connection, queue, self._beside.name, enough=enough, room=room, told=told
            )
        except Refused as fault:
            raise Stopped(f"{fault}: {WHOSE}" if "user_id" in str(fault) else str(fault)) from None
        self._moved += moved.messages
        if moved.ending is Ending.STALLED:
            raise Stopped(f"the messages of {queue} are not given to us: others consume it")
        return moved

    async def _switch(self, *, to: str, away: str) -> None:
        """The known bindings: all are made before any is undone."""
        before = await self._beside.messages() or 0
        for link in self._links:
            with suppress(NotFound):  # of an exchange that is not there nothing comes
                await making.bind(self.hand, replace(link, destination=to))
        for link in self._links:
            await making.unbind(self.hand, replace(link, destination=away))
        self._twice += max(0, (await self._beside.messages() or 0) - before)

    async def _where(self) -> str:
        waiting = await self._beside.messages()
        if waiting is None:
            return "nothing was changed"
        return (
            # How many is not known yet: RabbitMQ still gives back what was in hand.
            f"the rest and what is new wait in {self._beside.name}: nothing "
            "is lost, and apply --migrate goes on from there"
        )


def _on_broker(queue: Queue, found: Found, property: str) -> Any:
    """Its value there: what the file says, but for what differs."""
    for each in found.differences:
        if each.property == property:
            return each.broker
    return queue.auto_delete if property == "auto_delete" else queue.arguments.get(property)


def _warn(reason: str | None) -> None:
    if reason is not None:
        logger.warning("the broker takes no messages now (%s): waiting for it", reason)
