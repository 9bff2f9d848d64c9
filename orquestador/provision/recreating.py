"""--recreate: an empty, unused queue, or an exchange that only we have bound, is made anew.

Before anything is deleted the broker is asked once more, so that the second of two machines finds
it done.  Killed between the delete and the bindings, the next run makes what is missing: the file
and the records know it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class Keeping:
    """The record of what is made anew.  `own`: the bindings that are the file's, or recorded.

    While the thing is begun, its recorded bindings are known to be on their way back, so that the
    run after a kill makes them.  Somebody else's comes back too, and is never recorded, for it is
    not ours to prune.
    """

    journal: Journal
    own: frozenset[Link]

    @contextmanager
    def intended(self, thing: Exchange | Queue) -> Iterator[None]:
        """It is about to be made anew.  A refusal is the broker's, before anything was changed."""
        known = self.journal.section.known(recorded(thing))
        self.journal.intend([thing])
        try:
            yield
        except (InUse, Refused, Conflict):
            (self.journal.done if known else self.journal.failed)(thing)
            raise

    def record(
        self, thing: Exchange | Queue, links: Sequence[Link], unbound: Sequence[Unbound]
    ) -> None:
        """It was made anew, and bound but for these."""
        missing = {each.link for each in unbound}
        self.journal.done(thing)
        for link in links:
            if link in self.own:
                (self.journal.failed if link in missing else self.journal.done)(link)


async def recreate(hand: Hand, step: Step, keeping: Keeping) -> Outcome:
    """Raises a BrokerError where the broker refuses more than that it be deleted."""
    assert isinstance(step.thing, Exchange | Queue)
    thing = step.thing
    found = await making.look(hand, thing)
    if found.status in UNASKED:
        result = Result.REFUSED if found.status is Status.REFUSED else Result.FAILED
        return Outcome(step.id.kind, step.id.name, result, found.text or found.status)
    told = []
    try:
        with keeping.intended(thing):
            if found.status is Status.DIFFERS:
                told += await _delete(hand, thing, found, step.links)
    except InUse as fault:
        return Outcome(step.id.kind, step.id.name, Result.CONFLICT, str(fault))
    unbound = await making.make(hand, thing, step.links)
    keeping.record(thing, step.links, unbound)
    result = Result.THERE if found.status is Status.SAME else Result.RECREATED
    return Outcome(step.id.kind, step.id.name, result, "; ".join([*told, *map(str, unbound)]))


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
