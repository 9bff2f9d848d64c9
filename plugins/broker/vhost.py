"""The virtual host: names, bindings, routing from exchange to queue, dead letters.

Knows no frame and no socket; consumers and owners are opaque.  Time is handed in.
Source: AMQP 0-9-1 specification, section 3; rabbitmq.com/docs/ae, /docs/e2e, /docs/dlx and
/docs/queues#exclusive-queues.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from secrets import token_urlsafe

from .arguments import (
    WITHOUT_BEHAVIOUR,
    QueueOptions,
    compare,
    compare_queue,
    printed,
    queue_options,
    queue_type,
)
from .deadletters import dead_letter, goes_in_a_circle
from .errors import (
    Refused,
    exchange_label,
    inequivalent,
    locked,
    no_exchange,
    no_queue,
    queue_label,
)
from .exchange import PREDECLARED, TYPES, Binding, Destination, Exchange
from .message import Message
from .queue import Queue, Surroundings, Timer
from .tables import Table


class VirtualHost:
    """Everything that has a name, and the ways between.

    `clock` counts seconds and never goes back; `later` runs a callback in so many seconds; `today`
    gives Unix time; `warn` takes a line for the person who runs the broker.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        later: Callable[[float, Callable[[], None]], Timer],
        today: Callable[[], float],
        warn: Callable[[str], None],
    ) -> None:
        self.exchanges = {name: Exchange(name, kind) for name, kind in PREDECLARED.items()}
        self.queues: dict[str, Queue] = {}
        self.weight = 0
        """Bytes of all messages held, ready or not."""
        self._today = today
        self._warn = warn
        self._graves: deque[tuple[Queue, Message, str]] = deque()
        self._surroundings = Surroundings(
            clock=clock,
            later=later,
            bury=self._bury,
            expired=self._expire,
            weigh=self._weigh,
        )

    def _weigh(self, change: int) -> None:
        self.weight += change

    def _expire(self, queue: Queue) -> None:
        self.delete_queue(queue)

    def _bury(self, queue: Queue, message: Message, reason: str) -> None:
        if queue.options.dead_letter_exchange is not None:
            self._graves.append((queue, message, reason))

    # Queues

    def declare_queue(
        self,
        name: str,
        *,
        owner: object,
        durable: bool,
        exclusive: bool,
        auto_delete: bool,
        arguments: Table,
    ) -> Queue:
        """The queue of that name, made if it is not there; an empty name gets one of ours.

        `owner` is who asks.  Raises 403, 405 or 406.
        """
        durable = durable and not exclusive
        if not name:
            if queue_type(arguments) != "classic":
                raise Refused(
                    "PRECONDITION_FAILED",
                    "Cannot declare a server-named queue for type "
                    f"rabbit_{queue_type(arguments)}_queue",
                )
            name = f"amq.gen-{token_urlsafe(16)}"
        elif name.startswith("amq.") and name not in self.queues:
            raise _reserved("queue", name)
        queue = self.queues.get(name)
        if queue is not None:
            _compare_queue(queue, owner if exclusive else None, durable, auto_delete, arguments)
            queue.touch()
            return queue
        options = queue_options(name, arguments)
        if options.type != "classic":
            _check_replicated(name, durable=durable, exclusive=exclusive, auto_delete=auto_delete)
        self._warn_of(name, options, arguments)
        queue = self.queues[name] = Queue(
            name,
            self._surroundings,
            durable=durable,
            auto_delete=auto_delete,
            owner=owner if exclusive else None,
            arguments=arguments,
            options=options,
        )
        return queue

    def _warn_of(self, name: str, options: QueueOptions, arguments: Table) -> None:
        if options.type != "classic":
            self._warn(f"{queue_label(name)} is declared {options.type} and behaves as classic")
        for key in arguments:
            if key in WITHOUT_BEHAVIOUR:
                self._warn(f"{key} of {queue_label(name)} is accepted and has no effect here")

    def queue(self, name: str, user: object) -> Queue:
        """An existing queue that `user` may touch.  Raises 404 or 405."""
        queue = self.queues.get(name)
        if queue is None:
            raise no_queue(name)
        if queue.owner is not None and queue.owner is not user:
            raise locked(name)
        return queue

    def delete_queue(self, queue: Queue) -> int:
        """Remove it, its bindings and its consumers; how many ready messages went with it."""
        count = len(queue)
        del self.queues[queue.name]
        for consumer in queue.close():
            consumer.cancelled()
        self._unbind_all(("queue", queue.name))
        return count

    def drop_if_unused(self, queue: Queue) -> bool:
        """An auto-delete queue whose last consumer has just gone is deleted; whether it was."""
        if queue.auto_delete and not queue.round.all and not queue.deleted:
            self.delete_queue(queue)
        return queue.deleted

    def delete_owned(self, owner: object) -> None:
        """The owner's connection ended: its exclusive queues go."""
        for queue in [queue for queue in self.queues.values() if queue.owner is owner]:
            self.delete_queue(queue)

    # Exchanges

    def declare_exchange(
        self,
        name: str,
        kind: str,
        *,
        durable: bool,
        auto_delete: bool,
        internal: bool,
        arguments: Table,
    ) -> None:
        """Make it if it is not there.  Raises 403, 406 or, for an unknown type, 503."""
        if kind not in TYPES:
            raise Refused("COMMAND_INVALID", f"unknown exchange type '{kind}'")
        _check_not_default(name)
        found = self.exchanges.get(name)
        if found is None:
            if name.startswith("amq."):
                raise _reserved("exchange", name)
            alternate = arguments.get("alternate-exchange")
            if alternate is not None and alternate.kind != "longstr":
                raise Refused(
                    "PRECONDITION_FAILED",
                    f"invalid type '{alternate.kind}' for arg 'alternate-exchange' in "
                    f"{exchange_label(name)}",
                )
            self.exchanges[name] = Exchange(
                name,
                kind,
                durable=durable,
                auto_delete=auto_delete,
                internal=internal,
                arguments=arguments,
            )
            return
        for key, new, old in (
            ("type", kind, found.type),
            ("durable", durable, found.durable),
            ("auto_delete", auto_delete, found.auto_delete),
            ("internal", internal, found.internal),
        ):
            _compare_field(key, exchange_label(name), new, old)
        compare(exchange_label(name), found.arguments, arguments, ("alternate-exchange",))

    def exchange(self, name: str) -> Exchange:
        """An existing exchange.  Raises 404."""
        found = self.exchanges.get(name)
        if found is None:
            raise no_exchange(name)
        return found

    def check_exchange(self, name: str) -> None:
        """What a passive declare asks.  Raises 403 for the default exchange, 404."""
        _check_not_default(name)
        self.exchange(name)

    def delete_exchange(self, name: str, *, if_unused: bool) -> None:
        """Remove it; one that is not there is fine.  Raises 403, 406."""
        _check_not_default(name)
        if name.startswith("amq."):
            raise Refused(
                "ACCESS_REFUSED", f"deletion of system {exchange_label(name)} not allowed"
            )
        found = self.exchanges.get(name)
        if found is None:
            return
        if if_unused and found.bindings:
            raise Refused("PRECONDITION_FAILED", f"{exchange_label(name)} in use")
        self._remove_exchange(found)

    def _remove_exchange(self, exchange: Exchange) -> None:
        del self.exchanges[exchange.name]
        self._unbind_all(("exchange", exchange.name))

    # Bindings

    def bind(
        self, source: str, destination: Destination, key: str, arguments: Table, user: object
    ) -> None:
        """Raises 403 for the default exchange, 404 for a missing end, 405, 406."""
        exchange = self._ends(source, destination, user)
        binding = Binding.make(destination, key, arguments)
        exchange.check(binding)
        exchange.bind(binding)

    def unbind(
        self, source: str, destination: Destination, key: str, arguments: Table, user: object
    ) -> None:
        """Remove a binding; where it or one of its ends is not there, all is well.

        Raises 403 for the default exchange, 405.
        """
        _check_ends(source, destination)
        exchange = self.exchanges.get(source)
        binding = Binding.make(destination, key, arguments)
        if exchange is None or binding not in exchange.bindings:
            return
        if destination[0] == "queue":
            self.queue(destination[1], user)
        exchange.unbind(binding)
        self._drop_if_unbound(exchange)

    def _ends(self, source: str, destination: Destination, user: object) -> Exchange:
        kind, name = destination
        _check_ends(source, destination)
        exchange = self.exchange(source)
        if kind == "exchange":
            self.exchange(name)
        else:
            self.queue(name, user)
        return exchange

    def _unbind_all(self, destination: Destination) -> None:
        for exchange in list(self.exchanges.values()):
            if exchange.drop(destination):
                self._drop_if_unbound(exchange)

    def _drop_if_unbound(self, exchange: Exchange) -> None:
        if exchange.auto_delete and not exchange.bindings and exchange.name in self.exchanges:
            self._remove_exchange(exchange)

    # Messages

    def route(self, exchange: Exchange, message: Message) -> list[Queue]:
        """The queues that a message reaches, each once, in the order of their names."""
        if not exchange.name:
            found = [self.queues[key] for key in message.keys if key in self.queues]
            return found if len(found) < 2 else list(dict.fromkeys(found))
        names = dict.fromkeys(self._reached(exchange, message))
        if len(names) < 2:
            return [self.queues[name] for name in names]
        return [self.queues[name] for name in sorted(names)]

    def _reached(self, start: Exchange, message: Message) -> Iterator[str]:
        seen, ahead = {start.name}, [start]
        while ahead:
            exchange = ahead.pop()
            headers = message.headers if exchange.type == "headers" else {}
            found = exchange.route(message.keys, headers)
            if not exchange.name:
                found = [("queue", key) for key in message.keys]
            if not found and exchange.alternate is not None:
                found = [("exchange", exchange.alternate)]
            for kind, name in found:
                if kind == "queue":
                    if name in self.queues:
                        yield name
                elif name not in seen and name in self.exchanges:
                    seen.add(name)
                    ahead.append(self.exchanges[name])

    def bury_all(self) -> None:
        """Publish the dead letters that have come up.  Never from within a queue's own work."""
        while self._graves:
            grave = self._graves.popleft()
            try:
                self._publish_dead(*grave)
            except Exception as fault:
                # It is not the fault of the client whose turn it happens to be.
                self._warn(f"a dead letter is lost by a fault of the broker's own: {fault!r}")

    def _publish_dead(self, queue: Queue, message: Message, reason: str) -> None:
        exchange = self.exchanges.get(queue.options.dead_letter_exchange or "")
        if exchange is None:
            return
        letter = dead_letter(message, queue.name, queue.options, reason, int(self._today()))
        for reached in self.route(exchange, letter):
            if reason != "rejected" and goes_in_a_circle(letter, reached.name):
                self._warn(f"a dead letter went in a circle to {queue_label(reached.name)}")
                continue
            reached.publish(letter)

    def forget(self, *, durable_too: bool) -> None:
        """What a restart loses: all that is not durable, or everything."""
        for queue in list(self.queues.values()):
            if durable_too or not queue.durable:
                self.delete_queue(queue)
        for exchange in list(self.exchanges.values()):
            gone = durable_too or not exchange.durable
            if exchange.name not in PREDECLARED and gone and exchange.name in self.exchanges:
                self._remove_exchange(exchange)


def _compare_queue(
    queue: Queue, owner: object, durable: bool, auto_delete: bool, arguments: Table
) -> None:
    if queue.owner is not owner:
        raise locked(queue.name)
    label = queue_label(queue.name)
    _compare_field("durable", label, durable, queue.durable)
    _compare_field("auto_delete", label, auto_delete, queue.auto_delete)
    compare_queue(queue.name, queue.arguments, arguments)


def _compare_field(key: str, label: str, new: object, old: object) -> None:
    if new != old:
        raise inequivalent(key, label, f"'{printed(new)}'", f"'{printed(old)}'")


def _check_replicated(name: str, *, durable: bool, exclusive: bool, auto_delete: bool) -> None:
    """Quorum queues and streams are always durable and shared."""
    for wrong, property_name in (
        (auto_delete, "auto-delete"),
        (exclusive, "exclusive-owner"),
        (not durable, "non-durable"),
    ):
        if wrong:
            raise Refused(
                "PRECONDITION_FAILED",
                f"invalid property '{property_name}' for {queue_label(name)}",
            )


def _check_not_default(name: str) -> None:
    if not name:
        raise Refused("ACCESS_REFUSED", "operation not permitted on the default exchange")


def _check_ends(source: str, destination: Destination) -> None:
    _check_not_default(source)
    if destination[0] == "exchange":
        _check_not_default(destination[1])


def _reserved(kind: str, name: str) -> Refused:
    return Refused("ACCESS_REFUSED", f"{kind} name '{name}' contains reserved prefix 'amq.*'")
