"""Many questions to one broker at once, over several channels: each gets its own answer or fault.

AMQP closes the channel over most refusals, and RabbitMQ the whole connection over some (540, 541):
who asked for it learns why, the others are asked again.  What is asked is the caller's; it must do
no harm twice.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from types import TracebackType
from typing import TypeVar

from orquestador.broker.channel import Channel
from orquestador.broker.connection import Connection
from orquestador.errors import BrokerError, HungUp
from orquestador.settings import Settings

T = TypeVar("T")
HANDS = 16
"""Channels: pika sends one request at a time on each, so that so many are under way at once."""
HEARTBEAT = 10  # seconds, AMQP's own


class Hand:
    """One of a crew's channels, opened anew where a refusal has closed it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._channel: Channel | None = None

    async def channel(self) -> Channel:
        if self._channel is None or self._channel.lost.done():
            self._channel = await self._connection.channel()
        return self._channel


Question = Callable[[Hand], Awaitable[T]]
Answer = tuple[int, T | BrokerError]


class Crew:
    """Made by `await Crew.open(...)`; an asynchronous context that closes its connection.

    It does one thing at a time: neither `each` nor `alone` while another is under way.
    """

    def __init__(self, settings: Settings, name: str, hands: int) -> None:
        self._settings, self._name, self._many = settings, name, hands
        self._hands: list[Hand] = []
        self.connection: Connection

    @classmethod
    async def open(cls, settings: Settings, name: str, *, hands: int = HANDS) -> Crew:
        """Raises Refused or Unreachable.  `name` is shown in the broker's list of connections."""
        self = cls(settings, name, hands)
        await self._connect()
        return self

    async def __aenter__(self) -> Crew:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        await self.connection.close()

    async def another(self, name: str, *, verbatim: bool = False) -> Connection:
        """One more connection, at the same address if it answers; the caller closes it."""
        return await Connection.open(
            self._settings, name, heartbeat=HEARTBEAT, beside=self.connection, verbatim=verbatim
        )

    async def alone(self, question: Question[T]) -> T:
        """One question's answer; raises its fault.

        Where it made the broker hang up, there is a new connection already.  Raises Lost, or what a
        reconnection raises, where the broker goes.
        """
        await self._replace_if_hung_up()
        try:
            return await question(self._hands[0])
        except BrokerError:
            await self._replace_if_hung_up()
            raise
        except asyncio.CancelledError:
            self._let_go()
            raise

    async def each(self, questions: Sequence[Question[T]]) -> AsyncGenerator[Answer[T], None]:
        """Each question's position with its answer or fault, as they come.

        Raises Lost, or what a reconnection raises, where the broker goes; what a question raises
        that is no BrokerError.
        """
        todo = deque(range(len(questions)))
        while todo:
            suspects: list[int] = []
            async with aclosing(self._together(questions, todo, suspects)) as answers:
                async for answer in answers:
                    yield answer
            # The connection ended under these: one of them was the cause, and only alone shows.
            await self._replace_if_hung_up()
            for position in suspects:
                try:
                    yield position, await self.alone(questions[position])
                except BrokerError as fault:
                    if self.connection.lost.done():
                        raise
                    yield position, fault

    async def _together(
        self, questions: Sequence[Question[T]], todo: deque[int], suspects: list[int]
    ) -> AsyncGenerator[Answer[T], None]:
        """Until `todo` is empty, or the connection gone: `suspects` then has what was under way."""
        lost = self.connection.lost
        answers: asyncio.Queue[Answer[T] | asyncio.Task[None]] = asyncio.Queue()

        async def work(hand: Hand) -> None:
            while todo and not lost.done():
                position = todo.popleft()
                try:
                    answers.put_nowait((position, await questions[position](hand)))
                except BrokerError as fault:
                    if lost.done():
                        suspects.append(position)
                    else:
                        answers.put_nowait((position, fault))

        workers = [asyncio.create_task(work(hand)) for hand in self._hands[: len(todo)]]
        for worker in workers:
            worker.add_done_callback(answers.put_nowait)
        try:
            at_work = len(workers)
            while at_work:
                answer = await answers.get()
                if isinstance(answer, asyncio.Task):
                    answer.result()  # a defect in a question is raised here
                    at_work -= 1
                else:
                    yield answer
        finally:
            if not all(worker.done() for worker in workers):
                for worker in workers:
                    worker.cancel()
                await asyncio.wait(workers)
                self._let_go()

    def _let_go(self) -> None:
        """Other channels than those that still wait for an answer which nobody wants any more."""
        many = min(self._many, self.connection.greeting.channels)
        self._hands = [Hand(self.connection) for _ in range(many)]

    async def _replace_if_hung_up(self) -> None:
        lost = self.connection.lost
        if not lost.done():
            return
        if not isinstance(lost.result(), HungUp):
            raise lost.result()
        await self._connect()

    async def _connect(self) -> None:
        self.connection = await Connection.open(self._settings, self._name, heartbeat=HEARTBEAT)
        self._let_go()
