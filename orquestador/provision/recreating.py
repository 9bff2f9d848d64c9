"""--recreate: an empty, unused queue, or an exchange that only we have bound, is made anew.

Before anything is deleted the broker is asked once more, so that the second of two machines finds
it done.  Killed between the delete and the bindings, the next run makes what is missing: the file
and the records know it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from orquestador.broker.crew import Hand
from orquestador.errors import Conflict, Refused
from orquestador.provision import making
from orquestador.provision.found import UNASKED, Found, Status
from orquestador.provision.journal import Journal
from orquestador.provision.making import InUse, Unbound
from orquestador.provision.outcome import Outcome, Result, counted
from orquestador.provision.plan import Step
from orquestador.provision.records import recorded
from orquestador.topology.model import Exchange, Queue
from orquestador.topology.things import Link

ONLY_EMPTY = "nothing was changed; once it is empty and unused, apply --recreate again"
NOT_ALONE = (
    "bindings that this file does not know are on it; nothing was changed: "
    "unbind them, and apply --recreate again"
)


async def recreate(hand: Hand, step: Step, journal: Journal) -> Outcome:
    """Raises a BrokerError where the broker refuses more than that it be deleted."""
    assert isinstance(step.thing, Exchange | Queue)
    thing = step.thing
    found = await making.look(hand, thing)
    if found.status in UNASKED:
        result = Result.REFUSED if found.status is Status.REFUSED else Result.FAILED
        return Outcome(step.id.kind, step.id.name, result, found.text or found.status)
    told = []
    try:
        with intended(journal, thing, step.links):
            if found.status is Status.DIFFERS:
                told += await _delete(hand, thing, found, step.links)
    except InUse as fault:
        return Outcome(step.id.kind, step.id.name, Result.CONFLICT, str(fault))
    unbound = await making.make(hand, thing, step.links)
    record(journal, thing, step.links, unbound)
    result = Result.THERE if found.status is Status.SAME else Result.RECREATED
    return Outcome(step.id.kind, step.id.name, result, "; ".join([*told, *map(str, unbound)]))


@contextmanager
def intended(journal: Journal, thing: Exchange | Queue, links: Sequence[Link]) -> Iterator[None]:
    """These are about to be made anew.  A refusal is taken for the broker's before any change."""
    section = journal.section
    everything = (thing, *links)
    known = [section.known(recorded(each)) for each in everything]
    journal.intend(everything)
    try:
        yield
    except (InUse, Refused, Conflict):
        for each, before in zip(everything, known, strict=True):
            (journal.done if before else journal.failed)(each)
        raise


def record(
    journal: Journal, thing: Exchange | Queue, links: Sequence[Link], unbound: Sequence[Unbound]
) -> None:
    """It was made anew, and bound but for these."""
    missing = {each.link for each in unbound}
    journal.done(thing)
    for link in links:
        (journal.failed if link in missing else journal.done)(link)


async def _delete(
    hand: Hand, thing: Exchange | Queue, found: Found, links: Sequence[Link]
) -> list[str]:
    """What there is to tell of it."""
    if isinstance(thing, Exchange):
        await _delete_exchange(hand, thing.name, links)
        return []
    empty = not thing.disposable
    try:
        dropped = await making.delete(hand, thing.name, found.type, empty=empty, unused=True)
    except InUse as fault:
        raise InUse(f"{fault}; {ONLY_EMPTY}") from None
    return [f"{counted(dropped, 'message')} went with it, all disposable"] if dropped else []


async def _delete_exchange(hand: Hand, name: str, links: Sequence[Link]) -> None:
    """`links` may be all there is on it: only without them it can be seen whether that is so."""
    for link in links:
        await making.unbind(hand, link)
    try:
        await (await hand.channel()).delete_exchange(name, if_unused=True)
    except (Conflict, Refused) as fault:
        await making.bind_all(hand, links)
        raise InUse(NOT_ALONE) if isinstance(fault, Conflict) else fault from None
