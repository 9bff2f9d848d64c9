"""One AMQP connection on the running loop, as awaitables; pika's callbacks end here.

Stands on pika's AsyncioConnection.  Its channels are `channel.py`'s, connecting again is
`keeping.py`'s.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Collection
from functools import wraps
from random import Random
from typing import Any, ParamSpec

from pika import ConnectionParameters, PlainCredentials, SSLOptions, exceptions
from pika.adapters.asyncio_connection import AsyncioConnection

from orquestador.broker import faults, greeting
from orquestador.broker.channel import Channel
from orquestador.broker.greeting import Greeting
from orquestador.broker.verbatim import VerbatimConnection
from orquestador.errors import BrokerError, ConfigurationError, Lost, Refused, Unreachable
from orquestador.settings import Address, Settings

OPENING = 5.0  # seconds for TCP, TLS and AMQP of one address, where it is the only one
OPENING_IN_CLUSTER = 2.0  # protocol, section 6: pika's own 15 s outlast every patience
CLOSING = 1.0

P = ParamSpec("P")


class Connection:
    """An open connection.  `lost` is done once it is gone, with the fault as its result.

    An exception in a callback is a defect of ours, never an outage: it is then that fault, and
    whoever waits gets it as it is (pika alone would report a lost stream and we would reconnect
    for ever).
    """

    def __init__(self, address: Address) -> None:
        self.address = address
        self.lost: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()
        self.on_blocked: Callable[[str | None], None] = lambda _reason: None
        self._raw: AsyncioConnection

    @classmethod
    async def open(
        cls,
        settings: Settings,
        name: str,
        *,
        heartbeat: int,
        beside: Connection | None = None,
        random: Random | None = None,
        verbatim: bool = False,
    ) -> Connection:
        """The first of the shuffled addresses that answers; `name` is shown in the broker's list.

        `beside`: its address is tried first, so that what belongs together is lost together.
        `verbatim`: for `Channel.consume_verbatim` and `forward`, and for no other consuming.

        Raises Refused (credentials, vhost), else Unreachable naming every address tried.
        """
        order = list(settings.addresses)
        (random or Random()).shuffle(order)
        if beside is not None:
            order.sort(key=lambda address: address != beside.address)
        patience = OPENING if len(order) == 1 else OPENING_IN_CLUSTER
        said: list[BrokerError] = []
        for address in order:
            try:
                return await cls._open(address, name, heartbeat, patience, verbatim)
            except BrokerError as fault:
                said.append(fault)
        refused = next((fault for fault in said if isinstance(fault, Refused)), None)
        raise refused or Unreachable("; ".join(map(str, said)))

    @classmethod
    async def _open(
        cls, address: Address, name: str, heartbeat: int, patience: float, verbatim: bool
    ) -> Connection:
        self = cls(address)
        opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def on_open(_raw: object) -> None:
            if not opened.done():
                opened.set_result(None)

        def on_open_error(_raw: object, reason: BaseException) -> None:
            fault = faults.not_opened(address, reason)
            self._lose(fault)  # pika calls no other, and `close` waits for it
            if not opened.done():
                opened.set_exception(fault)

        parameters = _parameters(address, name, heartbeat, patience)
        adapter = VerbatimConnection if verbatim else AsyncioConnection
        self._raw = adapter(
            parameters, on_open, on_open_error, self._on_closed, asyncio.get_running_loop()
        )
        self._raw.add_on_connection_blocked_callback(
            self.guard(lambda _raw, frame: self.on_blocked(frame.method.reason or "blocked"))
        )
        self._raw.add_on_connection_unblocked_callback(
            self.guard(lambda _raw, _frame: self.on_blocked(None))
        )
        try:
            # pika's own timer covers each step; this one also a name look-up that hangs.
            await asyncio.wait_for(opened, patience + 1.0)
        except TimeoutError as fault:
            await self.close()
            raise faults.not_opened(address, fault) from None
        except asyncio.CancelledError:
            await self.close()
            raise
        return self

    @property
    def greeting(self) -> Greeting:
        return greeting.read(self._raw)

    async def channel(self, *, confirms: bool = False, prefetch: int = 0) -> Channel:
        """A new channel.  `confirms`: publishes are confirmed; `prefetch`: 0 is no limit."""
        if self.lost.done():
            raise self.lost.result()
        channel = Channel(self.guard)
        await channel.open(self._raw, self.lost)
        if confirms:
            await channel.select_confirms()
        if prefetch:
            await channel.prefetch(prefetch)
        return channel

    async def close(self) -> None:
        """Close and wait for it, at most a second; closing twice, or a lost one, does nothing."""
        if self.lost.done():
            return
        try:
            self._raw.close()
        except exceptions.ConnectionWrongStateError:
            return
        await asyncio.wait([self.lost], timeout=CLOSING)
        if not self.lost.done():
            self.abandon(Lost("the broker did not answer the close"))

    def abandon(self, fault: Exception) -> None:
        """Drop the socket without a word to the broker; `lost` is done with `fault`."""
        self._lose(fault)
        if not self._raw.is_closed:
            # Not public, yet the only way in pika 1.4 to end a stream that no longer answers.
            self._raw._terminate_stream(exceptions.StreamLostError(str(fault)))

    def guard(self, callback: Callable[P, None]) -> Callable[P, None]:
        """The callback, with its exceptions kept from pika and shown to who waits."""

        @wraps(callback)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> None:
            try:
                callback(*args, **kwargs)
            except Exception as defect:
                self.abandon(defect)

        return guarded

    def _lose(self, fault: Exception) -> None:
        if not self.lost.done():
            self.lost.set_result(fault)

    def _on_closed(self, _raw: object, reason: BaseException) -> None:
        self._lose(faults.connection_closed(reason))


def _parameters(
    address: Address, name: str, heartbeat: int, patience: float
) -> ConnectionParameters:
    return ConnectionParameters(
        host=address.host,
        port=address.port,
        virtual_host=address.vhost,
        credentials=PlainCredentials(address.user, address.password),
        heartbeat=heartbeat,
        socket_timeout=patience,
        stack_timeout=patience,
        ssl_options=SSLOptions(tls_context(address), address.host) if address.tls else None,
        client_properties={"connection_name": name, "product": "orquestador"},
    )


def tls_context(address: Address) -> ssl.SSLContext:
    """Certificates and host names are checked, always.

    Raises ConfigurationError where a file that the address names cannot be used.
    """
    try:
        context = ssl.create_default_context(cafile=address.cacertfile)
        if address.certfile:
            context.load_cert_chain(address.certfile, address.keyfile)
    except (OSError, ssl.SSLError) as fault:
        raise ConfigurationError(f"a TLS file of {address} cannot be used: {fault}") from None
    return context


async def ended(*losses: asyncio.Future[Exception], until: Collection[asyncio.Event]) -> None:
    """Wait until one of the events is set (then return) or a connection or channel is lost.

    Raises what was lost.
    """
    waits = [asyncio.ensure_future(event.wait()) for event in until]
    anything: list[asyncio.Future[Any]] = [*losses, *waits]
    try:
        await asyncio.wait(anything, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
    if any(event.is_set() for event in until):
        return
    raise next(loss.result() for loss in losses if loss.done())
