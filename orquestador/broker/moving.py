"""Moves the messages of a queue through an exchange: each is taken off when its copy is confirmed.

Killed at any moment it has lost nothing: what was not taken off yet goes back to the queue, and may
be there twice.  What is bound to the exchange, and what comes before and after, is the caller's.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

from orquestador.broker.channel import Channel
from orquestador.broker.connection import Connection
from orquestador.broker.verbatim import Parcel
from orquestador.errors import OrquestadorError
from orquestador.topology.model import Queue

IN_HAND = 100
"""Messages taken and not confirmed yet, at most: so many a killed run may have moved twice."""
QUIET = 0.2  # seconds without a message, after which the queue is asked whether it is empty
STALLED = 3.0  # seconds with messages in it, none of which is handed out

Told = Callable[[int], None]


class Ending(StrEnum):
    EMPTY = "empty"
    ENOUGH = "enough"  # as many as were asked for, or a few more
    FULL = "full"  # there is no room for the next one
    STALLED = "stalled"  # others are given what is in it, or nobody is


@dataclass(frozen=True, slots=True)
class Room:
    """How much may be moved; None: any amount.  `size` in bytes of bodies."""

    messages: int | None = None
    size: int | None = None

    def takes(self, messages: int, size: int) -> bool:
        return (self.messages is None or messages <= self.messages) and (
            self.size is None or size <= self.size
        )


UNLIMITED = Room()


@dataclass(frozen=True, slots=True)
class Moved:
    """`size` in bytes of bodies."""

    messages: int
    size: int
    ending: Ending


async def move(
    connection: Connection,
    queue: str,
    exchange: str,
    *,
    enough: int | None = None,
    room: Room = UNLIMITED,
    told: Told = lambda _messages: None,
) -> Moved:
    """Until it is empty, or as `Ending` says.  `told` learns now and then how many were moved.

    `connection` was opened `verbatim`: properties stay byte for byte what they are, and so does the
    routing key.  Their exchange becomes this one, and those with a time to live live anew.

    Raises Unroutable (nothing takes them there), NotConfirmed (the broker refuses one), Refused
    (one says a `user_id` that is another's), or what closed the channel.
    """
    channel = await connection.channel(confirms=True, prefetch=IN_HAND)
    try:
        mover = _Mover(channel, exchange, room, connection.address.user)
        return await mover.run(queue, enough, told)
    finally:
        await channel.close()


class _Mover:
    """A refusal ends it, and whatever else is under way then is ended well: it is not there twice.

    One refusal closes the channel, that of another's `user_id`: who has such a message sends it
    with no other beside it.
    """

    def __init__(self, channel: Channel, exchange: str, room: Room, user: str) -> None:
        self._channel, self._exchange, self._room, self._user = channel, exchange, room, user
        self._waiting: deque[Parcel] = deque()
        self._sent = self._sent_size = 0
        self._unconfirmed = 0
        self._alone = False
        self._moved = self._moved_size = 0
        self._full = False
        self._fault: BaseException | None = None
        self._stirred = asyncio.Event()
        channel.lost.add_done_callback(lambda _lost: self._stirred.set())

    async def run(self, queue: str, enough: int | None, told: Told) -> Moved:
        tag = await self._channel.consume_verbatim(queue, self._take)
        ending = await self._ending(queue, enough, told)
        if not self._channel.lost.done():
            await self._channel.cancel(tag)
        while self._busy and not self._channel.lost.done():  # what came before the cancel
            await self._stirs()
        self._check()
        assert ending is not None
        told(self._moved)
        return Moved(self._moved, self._moved_size, ending)

    async def _ending(self, queue: str, enough: int | None, told: Told) -> Ending | None:
        """None: by a fault."""
        quiet = 0.0
        while self._fault is None and not self._channel.lost.done():
            stirred = await self._stirs()
            told(self._moved)
            if self._full:
                return Ending.FULL
            if enough is not None and self._moved >= enough:
                return Ending.ENOUGH
            if stirred or self._busy:
                quiet = 0.0
                continue
            found = await self._channel.declare_queue(Queue(queue), passive=True)
            if not found.messages and not self._stirred.is_set():
                return Ending.EMPTY
            quiet += QUIET
            if quiet >= STALLED:
                return Ending.STALLED
        return None

    @property
    def _busy(self) -> bool:
        if self._fault is not None or self._full:
            return bool(self._unconfirmed)
        return bool(self._unconfirmed or self._waiting)

    def _take(self, message: Parcel) -> None:
        self._stirred.set()
        self._waiting.append(message)
        self._send()

    def _send(self) -> None:
        """What is not sent goes back with the channel."""
        while self._waiting and self._fault is None and not self._full:
            message = self._waiting[0]
            foreign = message.properties.user not in (None, self._user)
            if self._unconfirmed and (foreign or self._alone):
                return
            size = self._sent_size + len(message.body)
            if not self._room.takes(self._sent + 1, size):
                self._full = True
                return
            self._alone = foreign
            self._waiting.popleft()
            self._sent, self._sent_size = self._sent + 1, size
            self._unconfirmed += 1
            confirmed = self._channel.forward(self._exchange, message)
            confirmed.add_done_callback(partial(self._confirmed, message))

    def _confirmed(self, message: Parcel, confirmed: asyncio.Future[None]) -> None:
        self._stirred.set()
        self._unconfirmed -= 1
        fault = confirmed.exception()
        if fault is not None:
            self._fault = self._fault or fault
            return
        self._channel.ack(message.tag)
        self._moved += 1
        self._moved_size += len(message.body)
        self._send()

    async def _stirs(self) -> bool:
        """Whether a message or a confirm came before it was quiet."""
        self._stirred.clear()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stirred.wait(), QUIET)
        return self._stirred.is_set()

    def _check(self) -> None:
        if self._fault is not None:
            raise self._fault
        if self._channel.lost.done():
            fault = self._channel.lost.result()
            raise type(fault)(*fault.args) if isinstance(fault, OrquestadorError) else fault
