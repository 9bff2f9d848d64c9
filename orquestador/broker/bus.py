"""`Bus`: publish events and subscribe to queues of a topology, from plain blocking code.

Its connections are `bus_session.py`'s, on a loop of its own thread; handlers run on workers.  What
a message means is the program's.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import msgspec

from orquestador.broker.bus_session import BusSession
from orquestador.broker.loop_thread import LoopThread
from orquestador.broker.message import Outgoing
from orquestador.broker.subscriber import Handler, Subscription
from orquestador.broker.workers import Workers
from orquestador.errors import ConfigurationError, EventError, NotConfirmed, UnknownName
from orquestador.events import CONTENT_TYPE, fresh_word
from orquestador.settings import settle
from orquestador.topology.model import Topology
from orquestador.wording import did_you_mean

PREFETCH_MAX = 65_535  # two bytes, in basic.qos

HandlerT = TypeVar("HandlerT", bound=Handler)
ThingT = TypeVar("ThingT")


class Bus:
    """The connections of one program.  Use it as a context manager.

    `service` names the program in the broker's list and, if the topology has it, whose queues are
    made sure of.  `patience`: seconds that `publish` waits for a broker and its confirm.
    `provision=False`: declare nothing, for accounts that may not configure.
    """

    def __init__(
        self,
        topology: Topology | str | Path,
        service: str = "bus",
        *,
        url: str | None = None,
        patience: float = 30.0,
        provision: bool = True,
    ) -> None:
        self.topology = topology if isinstance(topology, Topology) else Topology.load(topology)
        self.service = service
        self._settings = settle(url, os.environ).in_vhost(self.topology.vhost)
        self._patience = patience
        self._subscriptions: list[Subscription] = []
        self._session = BusSession(
            self.service, self.topology, self._settings, self._subscriptions, provision=provision
        )
        self._thread: LoopThread | None = None
        self._closed = threading.Event()

    def __enter__(self) -> Self:
        self._thread = LoopThread(f"bus {self.service}", self._session.live)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def publish(
        self,
        exchange: str,
        routing_key: str,
        data: Any,
        *,
        headers: Mapping[str, Any] | None = None,
        persistent: bool = True,
        mandatory: bool = True,
    ) -> str:
        """Publish and wait for the broker's confirm; the message id.

        `data`: bytes as they are, anything else as JSON.  While the connection is away it waits,
        and publishes again under the same id what was not confirmed (at least once).  Raises
        UnknownName (exchange not declared), EventError (JSON or AMQP cannot carry it), Unroutable
        (no queue takes it; not with `mandatory=False`), NotConfirmed (refused, or `patience` is
        over), and what ended the bus: Refused, Conflict.
        """
        exchange, routing_key = self._on_broker(exchange, routing_key)
        message = Outgoing(
            exchange=exchange,
            routing_key=routing_key,
            body=data if isinstance(data, bytes) else _json(data),
            content_type=None if isinstance(data, bytes) else CONTENT_TYPE,
            message_id=fresh_word(),
            app_id=self.service,
            headers=headers,
            persistent=persistent,
            mandatory=mandatory,
        )
        try:
            self._running().call(self._session.send(message), self._patience)
        except TimeoutError:
            text = f"no confirm from {self._settings} in {self._patience:g} s"
            raise NotConfirmed(text) from None
        except CancelledError:
            self._raise_failure()
            raise NotConfirmed("the bus is closed") from None
        return message.message_id

    def subscribe(self, queue: str, *, prefetch: int = 1) -> Callable[[HandlerT], HandlerT]:
        """Decorator: call the function with each message of a declared queue.

        Acknowledged when it returns.  If it raises, the message is requeued once, and rejected the
        second time: dead-lettered where the queue has a `dead_letter`, else dropped, which the log
        says.  `prefetch` messages are in work at once, each on a worker.  A queue that conflicts,
        or is refused, from the first ends the bus: `publish` and `run` raise it.
        """
        if not 1 <= prefetch <= PREFETCH_MAX:
            raise ConfigurationError(f"prefetch is 1 to {PREFETCH_MAX}, not {prefetch}")
        self._declared("queue", self.topology.queues, queue)

        def register(handler: HandlerT) -> HandlerT:
            workers = Workers(prefetch, f"{self.service} {queue}")
            subscription = Subscription(queue, handler, prefetch, workers)
            self._subscriptions.append(subscription)
            if self._thread is not None:
                self._thread.post(self._session.on_subscribed)
            return handler

        return register

    def run(self) -> None:
        """Serve until `close()` (from a handler or another thread) or Ctrl+C."""
        thread = self._running()
        try:
            while not (thread.done.wait(0.2) or self._closed.is_set()):
                pass
        except KeyboardInterrupt:
            self.close()
        self._raise_failure()

    def close(self) -> None:
        """Stop consuming, let handlers in work end (0.8 s), close: within about three seconds.

        What is not acknowledged by then goes back to the queue.  From a handler it returns at once,
        so that the handler can end; `run()` then returns.
        """
        self._closed.set()
        if self._thread is not None:
            within = any(subscription.workers.here for subscription in self._subscriptions)
            self._thread.stop(timeout=0.0 if within else 3.0)
        for subscription in self._subscriptions:
            subscription.workers.close()

    def _running(self) -> LoopThread:
        if self._thread is None:
            raise RuntimeError("use it as a context manager: with Bus(...) as bus")
        self._raise_failure()
        return self._thread

    def _raise_failure(self) -> None:
        if self._thread is not None and self._thread.failed is not None:
            raise self._thread.failed

    def _on_broker(self, exchange: str, routing_key: str) -> tuple[str, str]:
        """Names of the file -> names on the broker; a key is a name only with exchange ''."""
        if exchange == "":
            return "", self._declared("queue", self.topology.queues, routing_key).name
        return self._declared("exchange", self.topology.exchanges, exchange).name, routing_key

    def _declared(self, kind: str, things: Mapping[str, ThingT], name: str) -> ThingT:
        try:
            return things[name]
        except KeyError:
            near = did_you_mean(name, things)
            text = f"{kind} {name!r} is not declared in {self.topology.path}{near}"
            raise UnknownName(text) from None


def _json(data: Any) -> bytes:
    try:
        return msgspec.json.encode(data)
    except (TypeError, ValueError, RecursionError) as fault:
        raise EventError(f"the event cannot be written as JSON: {fault}") from None
