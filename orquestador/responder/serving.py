"""One start of a service that answers its pings: hello, echoes, goodbye, over all its sessions.

Runs on the caller's loop; `Responder` is the same on a thread of its own.  The consumer and the
ping that it holds are `consuming.py`'s, pings in work `work.py`'s.  Protocol, sections 1 and 2.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from orquestador.broker.channel import Channel
from orquestador.broker.connection import Connection, ended
from orquestador.broker.declaring import declare
from orquestador.broker.keeping import Established, keep, pause
from orquestador.broker.message import Outgoing
from orquestador.errors import BrokerError, EventError, NotFound
from orquestador.events import (
    CONTENT_TYPE,
    Echo,
    Event,
    Ping,
    encode,
    fresh_word,
    kind_of,
    timestamp,
)
from orquestador.responder.answer import Answer, Respond
from orquestador.responder.consuming import PREFETCH, Consuming, Owner
from orquestador.responder.lease import Lease, Terms
from orquestador.responder.work import Work
from orquestador.settings import Settings
from orquestador.topology.model import EVENTS, Queue, Topology, ping_queue

log = logging.getLogger("orquestador.responder")
HEARTBEAT = 10  # seconds, AMQP's own; protocol section 3
GOODBYE = 0.8  # seconds for goodbye and cancel; the close has the rest of its second
LOG_EVERY = 60.0  # seconds between two log lines about one kind of bad message
LOOK_AGAIN = 1.0  # seconds between looks at a queue that is not there


@dataclass(frozen=True, slots=True)
class Names:
    """What a responder uses on the broker; `declares` is empty for one without a topology."""

    events: str
    queue: str
    declares: tuple[Queue, ...] = ()
    topology: Topology | None = None
    user: str | None = None

    @classmethod
    def of(cls, service: str, topology: Topology | None, *, provision: bool) -> Names:
        """From the topology, else the protocol's own names."""
        if topology is None:
            return cls(EVENTS, ping_queue(service))
        entry = topology.services[service]
        owned = tuple(topology.queues[name] for name in entry.queues)
        return cls(
            events=topology.exchanges[EVENTS].name,
            queue=topology.queues[ping_queue(service)].name,
            declares=tuple(queue for queue in owned if not queue.unique) if provision else (),
            topology=topology,
            user=entry.options.get("user"),
        )


@dataclass(slots=True)
class Told:
    """Who is told what happens; each is called on the loop and must return at once."""

    received: Callable[[Event], None] = lambda _event: None
    published: Callable[[Event], None] = lambda _event: None
    rejected: Callable[[EventError], None] = lambda _fault: None
    connected: Callable[[str], None] = lambda _address: None
    lost: Callable[[str], None] = lambda _why: None


@dataclass(slots=True)
class Serving:
    """`respond` is asked for each ping, on a worker; `run(stop)` serves until `stop` is set.

    `instance` is the word of this start, kept over reconnects.  `counts`: pings answered, dropped
    (two were in work), silent (the responder said nothing) and rejected.  `terms`: how long a ping
    is held, and silence borne.
    """

    service: str
    respond: Respond
    names: Names
    settings: Settings
    told: Told = field(default_factory=Told)
    instance: str = field(default_factory=fresh_word)
    started_at: str = field(default_factory=timestamp)
    counts: Counter[str] = field(default_factory=Counter)
    terms: Terms = field(default_factory=Terms)
    _work: Work = field(init=False)
    _lease: Lease = field(init=False)
    _channel: Channel | None = None
    _silent: bool = False
    _logged: float = float("-inf")

    def __post_init__(self) -> None:
        self._work = Work(self.service, self.respond, self.counts)
        self._lease = Lease(self.terms)

    async def run(self, stop: asyncio.Event) -> None:
        """Raises Refused and Conflict at start; anything else of the broker's is waited out."""

        async def session(established: Established) -> None:
            await self._session(established, stop)

        try:
            await keep(session, stop, lost=lambda fault: self.told.lost(str(fault)))
        finally:
            self._work.close()

    async def _session(self, established: Established, stop: asyncio.Event) -> None:
        connection = await Connection.open(
            self.settings, f"{self.service} ({self.instance})", heartbeat=HEARTBEAT
        )
        try:
            await self._declare(connection, stop)
            channel = await connection.channel(confirms=True, prefetch=PREFETCH)
            if stop.is_set():
                return
            owner = self._owner(channel, str(connection.address))
            consuming = Consuming(connection, channel, self.names.queue, self._lease, owner)
            self._channel = channel
            try:
                await self._serve(connection, channel, consuming, established, stop)
            finally:
                self._channel = None
                consuming.release()
                self._lease = consuming.lease
        finally:
            await connection.close()

    async def _serve(
        self,
        connection: Connection,
        channel: Channel,
        consuming: Consuming,
        established: Established,
        stop: asyncio.Event,
    ) -> None:
        await consuming.start()
        hello, taken = self._publish(channel, self._echo("hello")), asyncio.Event()
        hello.add_done_callback(lambda _done: taken.set())
        await ended(connection.lost, channel.lost, until=(taken, stop))
        if not stop.is_set():
            await hello  # a wrong `user:`, a missing exchange or right to publish shows here
            established()
            self._silent = False
            self.told.connected(str(connection.address))
            await consuming.attend(stop)
        await self._leave(channel, consuming)

    def _owner(self, channel: Channel, address: str) -> Owner:
        def received(ping: Ping, redelivered: bool) -> None:
            if self._silent:
                self._silent = False
                self.told.connected(address)
            self.told.received(ping)
            self._work.ask(ping, partial(self._answered, ping, redelivered))

        def resumed() -> None:
            self._publish(channel, self._echo("hello"))

        return Owner(received, self._rejected, self._silence, resumed)

    async def _declare(self, connection: Connection, stop: asyncio.Event) -> None:
        """Make sure of the queues, or wait for the ping queue where we may not declare."""
        channel = await connection.channel()
        topology = self.names.topology
        if topology is not None and self.names.declares:
            await declare(channel, topology, self.names.declares, (EVENTS,))
        told = False
        while not stop.is_set():
            try:
                await channel.declare_queue(Queue(self.names.queue), passive=True)
                break
            except NotFound:
                if not told:
                    hint = "provision the topology first (python -m orquestador.provision)"
                    self.told.lost(f"queue {self.names.queue!r} is missing; {hint}")
                told = True
                await pause(LOOK_AGAIN, stop)
                channel = await connection.channel()
        await channel.close()

    async def _leave(self, channel: Channel, consuming: Consuming) -> None:
        """Goodbye first, so that the ping sent around the cancel finds us known to be leaving."""
        self._work.stop()
        try:
            async with asyncio.timeout(GOODBYE):
                await self._publish(channel, self._echo("goodbye"))
                await consuming.cancel()
        except (BrokerError, TimeoutError) as fault:
            log.warning("%s: no goodbye: %s", self.service, str(fault) or "the broker is slow")

    def _rejected(self, fault: EventError) -> None:
        self.counts["rejected"] += 1
        self.told.rejected(fault)
        if time.monotonic() - self._logged > LOG_EVERY:
            self._logged = time.monotonic()
            log.warning("%s: a message is rejected: %s", self.service, fault)

    def _silence(self, why: str) -> None:
        """Said once, until a ping comes."""
        if not self._silent:
            self._silent = True
            self.told.lost(why)

    def _answered(self, ping: Ping, redelivered: bool, said: Answer) -> None:
        """On the channel of now: the one by which the ping came may be long lost."""
        if self._channel is not None:
            self._publish(self._channel, self._echo("alive", ping, said, redelivered))

    def _echo(
        self,
        phase: Literal["hello", "alive", "goodbye"],
        ping: Ping | None = None,
        said: Answer | None = None,
        redelivered: bool = False,
    ) -> Echo:
        said = said or Answer()
        return Echo(
            phase=phase,
            ping=ping.id if ping else None,
            sequence=ping.sequence if ping else None,
            service=self.service,
            instance=self.instance,
            started_at=self.started_at,
            redelivered=redelivered,
            health=said.health,
            details=said.details,
        )

    def _publish(self, channel: Channel, echo: Echo) -> asyncio.Future[None]:
        confirmed = channel.publish(
            Outgoing(
                exchange=self.names.events,
                routing_key=f"echo.{self.service}",
                body=encode(echo),
                type=kind_of(echo),
                app_id=self.service,
                message_id=fresh_word(),
                correlation_id=echo.ping,
                user_id=self.names.user,
                content_type=CONTENT_TYPE,
                timestamp=int(time.time()),
            )
        )
        self.told.published(echo)
        return confirmed
