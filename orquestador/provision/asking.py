"""What a broker has under one name, asked by declares that create nothing.

A queue is declared with one argument more than it has, of a kind that its type never takes: where
it is there, RabbitMQ compares first and answers ok or names one difference; where it is not, it
refuses the argument.  docs/decisions/0017-asking-by-declaring.md.  Reading the answers is
`inequivalence.py`'s, which questions are asked `inspecting.py`'s.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import replace

from orquestador.broker.channel import Channel
from orquestador.broker.crew import Hand
from orquestador.broker.message import Declared
from orquestador.errors import BrokerError, Conflict, HungUp, Locked, NotFound, Refused
from orquestador.provision import inequivalence
from orquestador.provision.found import Difference, Found, Status
from orquestador.provision.inequivalence import TYPE, T
from orquestador.topology.arguments import CLASSIC, QUORUM, STREAM
from orquestador.topology.model import Exchange, Queue
from orquestador.topology.things import Id, Kind

NEVER = -1
EXTRA = {CLASSIC: "x-delivery-limit", QUORUM: "x-max-priority", STREAM: "x-max-priority"}
"""By a queue's type: the argument that it never takes.  Its value here is NEVER."""

TAKEN_BY = {"x-delivery-limit": QUORUM, "x-max-priority": CLASSIC}
"""Where the broker compares one of these nevertheless, its queue is of this type."""

MOST = 25  # differences: RabbitMQ compares some 15 properties of a queue
TRIAL_EXPIRES = 60_000  # ms
NO_ROOM = "PRECONDITION_FAILED - cannot declare queue '"
"""How RabbitMQ refuses a queue beyond a limit of the vhost, before it looks at the arguments."""

THERE_BUT_DOWN = re.compile("NOT_FOUND - (home node '|queue .* process is stopped by supervisor)")
"""How RabbitMQ's 404 reads where the queue is there and its node or process is not."""

FAULTS = (Refused, Locked, NotFound, Conflict)
"""What is an answer to a question: not the loss of its channel or connection."""

Declare = Callable[[Channel, T], Awaitable[Declared | None]]


async def queue(hand: Hand, wanted: Queue, *, directly: bool = True) -> Found:
    """What it is on the broker: one round trip where it is the same, one more a difference.

    `directly`: with the extra argument, on a broker that `explains`.  Else a passive declare goes
    first, and whoever deletes the queue within the next round trip has the plain one make it anew.

    Raises HungUp where the broker hangs up over it, Lost where it goes.
    """
    if not directly:
        there = await present(hand, Id(Kind.QUEUE, wanted.name))
        if there.status is not Status.PRESENT:
            return there
    return await _compare(
        hand, wanted, Channel.declare_queue, _with_extra if directly else _as_it_is
    )


async def exchange(hand: Hand, wanted: Exchange) -> Found:
    """What it is on the broker: two round trips where it is the same.

    No argument is refused by every exchange: a passive declare goes first, and whoever deletes the
    exchange within the next round trip has the active one make it anew, one of `owned: false` too.

    Raises HungUp where the broker hangs up over it, Lost where it goes.
    """
    there = await present(hand, Id(Kind.EXCHANGE, wanted.name))
    if there.status is not Status.PRESENT:
        return there
    return await _compare(hand, wanted, Channel.declare_exchange, _as_it_is)


async def present(hand: Hand, thing: Id) -> Found:
    """Whether it is there, and a queue's counts: a passive declare."""
    channel = await hand.channel()
    try:
        if thing.kind is Kind.EXCHANGE:
            await channel.declare_exchange(Exchange(thing.name), passive=True)
            return Found(Status.PRESENT)
        declared = await channel.declare_queue(Queue(thing.name), passive=True)
    except FAULTS as fault:
        return shown(fault)
    return Found(Status.PRESENT, messages=declared.messages, consumers=declared.consumers)


async def explains(hand: Hand, name: str, kind: str = CLASSIC) -> bool:
    """Whether this broker can be asked `directly` for queues of that type.

    `name` is nobody's.  A broker that creates a queue of it (LavinMQ may) has it deleted again, or
    drops it after a minute by itself, unless it is a stream.  Raises HungUp where there is no such
    type of queue: then asking creates nothing either.
    """
    expires = {} if kind == STREAM else {"x-expires": TRIAL_EXPIRES}
    channel = await hand.channel()
    try:
        await channel.declare_queue(_with_extra(Queue(name, arguments={TYPE: kind, **expires})))
    except FAULTS as fault:
        return inequivalence.refused(str(fault)) is not None
    await channel.delete_queue(name)
    return False


def shown(fault: BrokerError) -> Found:
    """What a refusal shows of the thing that was asked for."""
    text = str(fault)
    match fault:
        case Refused():
            return Found(Status.REFUSED, text=text)
        case Locked():
            return Found(Status.LOCKED, text=text)
        case NotFound() if not THERE_BUT_DOWN.match(text):
            return Found(Status.ABSENT)
        case HungUp():
            return Found(Status.UNSUPPORTED, text=text)
        case Conflict() if inequivalence.refused(text):
            return Found(Status.UNSUPPORTED, text=text)
    return Found(Status.UNKNOWN, text=text)


async def _compare(hand: Hand, wanted: T, declare: Declare[T], worded: Callable[[T], T]) -> Found:
    """Declare it with one more of the broker's values each time, until both are equal."""
    asked, learnt, said = wanted, dict[str, Difference](), ""
    while len(learnt) < MOST:
        sent = worded(asked)
        try:
            declared = await declare(await hand.channel(), sent)
        except FAULTS as fault:
            said = str(fault)
            named = _named(said, sent)
            if named is None:
                found = _refusal(fault, sent)
                if found.status is Status.ABSENT or not (learnt or found.status is Status.UNKNOWN):
                    return found
                break
            again = named.property in learnt
            learnt.setdefault(named.property, named)
            if again or not named.known:
                break
            asked = inequivalence.adopted(asked, named)
        else:
            return _equal(asked, tuple(learnt.values()), declared)
    return await _in_part(hand, wanted, tuple(learnt.values()), said)


def _equal(
    asked: Exchange | Queue, learnt: tuple[Difference, ...], declared: Declared | None
) -> Found:
    status = Status.DIFFERS if learnt else Status.SAME
    if declared is None:
        return Found(status, learnt)
    return Found(status, learnt, asked.type, declared.messages, declared.consumers)


async def _in_part(
    hand: Hand, wanted: Exchange | Queue, learnt: tuple[Difference, ...], said: str
) -> Found:
    """It differs, and nobody knows in what else; the counts come from a passive declare."""
    kind = Kind.QUEUE if isinstance(wanted, Queue) else Kind.EXCHANGE
    there = await present(hand, Id(kind, wanted.name))
    if there.status is Status.ABSENT and not learnt:
        return Found(Status.UNKNOWN, text=said)
    if there.status is not Status.PRESENT:
        return there
    types = (each.broker for each in learnt if each.property == TYPE and each.known)
    return replace(
        there,
        status=Status.DIFFERS,
        differences=learnt,
        type=next(types, None),
        complete=False,
        text=said,
    )


def _named(said: str, sent: Exchange | Queue) -> Difference | None:
    """What differs.  Where our own argument does, the type is another than we took it for."""
    named = inequivalence.difference(said, sent)
    if named is not None and _is_extra(named.property, sent):
        return Difference(TYPE, TAKEN_BY[named.property], sent.type)
    return named


def _refusal(fault: BrokerError, sent: Exchange | Queue) -> Found:
    """What the answer to an active declare shows, where it names no difference."""
    said = str(fault)
    if _is_extra(inequivalence.refused(said), sent):
        return Found(Status.ABSENT)
    if said.startswith(NO_ROOM):
        return Found(Status.ABSENT, text=said)
    return shown(fault)


def _with_extra(queue: Queue) -> Queue:
    """Its type is said always: a vhost may have another default (RabbitMQ 3.11 and later)."""
    kind = queue.type
    extra = {TYPE: kind, EXTRA.get(kind, EXTRA[QUORUM]): NEVER}
    return replace(queue, arguments={**queue.arguments, **extra})


def _is_extra(argument: str | None, sent: Exchange | Queue) -> bool:
    return argument in TAKEN_BY and sent.arguments.get(argument) == NEVER


def _as_it_is(thing: T) -> T:
    return thing
