"""What has to go: a binding is undone, a queue or exchange deleted if nobody has anything on it.

What was planned may have changed meanwhile: the broker's own conditions decide (if-empty,
if-unused), and the counts just before where its type of queue has none.
"""

from __future__ import annotations

from orquestador.broker.crew import Hand
from orquestador.errors import Conflict
from orquestador.provision import making
from orquestador.provision.found import UNASKED, Status
from orquestador.provision.making import InUse
from orquestador.provision.outcome import Outcome, Result, counted
from orquestador.provision.plan import Action, Step
from orquestador.topology.model import Queue
from orquestador.topology.things import Kind, Link

GONE = "it was gone already"
BOUND = "bindings that are not this file's are on it: unbind them first"


async def remove(hand: Hand, step: Step) -> Outcome:
    """REMOVED (UNBOUND: whether it was there, nobody can say), or NOT_REMOVED with the reason."""
    try:
        text = await _remove(hand, step)
    except InUse as fault:
        return Outcome(step.id.kind, step.id.name, Result.NOT_REMOVED, str(fault))
    result = Result.UNBOUND if step.action is Action.CLEAR else Result.REMOVED
    return Outcome(step.id.kind, step.id.name, result, text)


async def _remove(hand: Hand, step: Step) -> str:
    """What there is to tell of it."""
    if isinstance(step.thing, Link):
        await making.unbind(hand, step.thing)
        return ""
    if step.id.kind is Kind.EXCHANGE:
        return await _remove_exchange(hand, step.id.name, force=step.force)
    return await _remove_queue(hand, step)


async def _remove_exchange(hand: Hand, name: str, *, force: bool) -> str:
    try:
        await (await hand.channel()).delete_exchange(name, if_unused=not force)
    except Conflict:
        raise InUse(BOUND) from None
    return ""


async def _remove_queue(hand: Hand, step: Step) -> str:
    """Its type is asked for anew: a stream that is taken for a classic queue would go full."""
    found = await making.look(hand, Queue(step.id.name))
    if found.status is Status.ABSENT:
        return GONE
    if found.status in UNASKED:
        raise InUse(found.text or str(found.status))
    disposable = step.disposable or (isinstance(step.thing, Queue) and step.thing.disposable)
    dropped = await making.delete(
        hand,
        step.id.name,
        found.type,
        empty=not (disposable or step.force),
        unused=not step.force,
    )
    return f"{counted(dropped, 'message')} went with it" if dropped else ""
