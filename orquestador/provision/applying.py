"""Carries out a plan: each thing on its own, several at once, and one that fails costs no other.

Exchanges, queues, what is made anew, bindings, then what has to go: so each finds what it stands
on.  Nothing is done that the plan does not say, but for one thing: a binding that it takes to be
there is declared again, for nobody can see whether somebody has undone it (a thousand of them:
0.2 s).  What is about to be made is in the journal first, and what was done is after it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing
from functools import partial

from orquestador.broker.crew import Crew, Hand, Question
from orquestador.errors import BrokerError, ConfigurationError, Conflict, Lost, Refused
from orquestador.provision import making
from orquestador.provision.found import Found, Status
from orquestador.provision.journal import Journal
from orquestador.provision.migrating import Told, migrate
from orquestador.provision.outcome import FAULTS, Outcome, Result
from orquestador.provision.plan import Action, Plan, Step
from orquestador.provision.records import destination
from orquestador.provision.recreating import Keeping, recreate
from orquestador.provision.removing import remove
from orquestador.provision.written import raw
from orquestador.topology.model import Exchange, Queue, Topology
from orquestador.topology.things import Id, Kind, Link

MAKES = (Action.CREATE, Action.ASSURE)
REPLACES = (Action.RECREATE, Action.MIGRATE)
REMOVES = (Action.REMOVE, Action.CLEAR)
TOGETHER = 50  # bindings in one round trip


def nobody(_queue: str, _moved: int, _of: int) -> None:
    """Who wants to see no progress."""


async def apply(
    crew: Crew, plan: Plan, topology: Topology, journal: Journal, *, moved: Told = nobody
) -> AsyncGenerator[Outcome, None]:
    """Each step's outcome, phase by phase, in the plan's order within each.

    Raises Lost where the broker goes, with what was done in the journal; ConfigurationError where
    the journal cannot be written: before anything was done, if it is so from the start.
    """
    own = frozenset(topology.links) | frozenset(journal.section.links)
    for thing in plan.vanished:
        journal.gone(thing)
    if any(step.action in (*MAKES, *REPLACES, *REMOVES) for step in plan.steps):
        # A run that finds all in step asks nothing of the folder, which may be read-only.
        journal.intend(
            step.thing for step in plan.steps if step.action in MAKES and step.thing is not None
        )
    run = _Run(crew, journal, topology.prefix, own, moved)
    try:
        for phase in _phases(plan.steps):
            async with aclosing(run.phase(phase)) as outcomes:
                async for outcome in outcomes:
                    yield outcome
    finally:
        journal.flush()


def _phases(steps: Sequence[Step]) -> Iterator[list[Step]]:
    going = (*REMOVES, Action.HELD)
    for kind in (Kind.EXCHANGE, Kind.QUEUE):
        yield [s for s in steps if s.id.kind is kind and s.action not in (*REPLACES, *going)]
    replaced = [step for step in steps if step.action in REPLACES]
    yield from ([step] for step in replaced if step.id.kind is Kind.EXCHANGE)
    yield [s for s in replaced if s.id.kind is Kind.QUEUE and s.action is Action.RECREATE]
    yield from ([step] for step in replaced if step.action is Action.MIGRATE)
    yield [s for s in steps if s.id.kind is Kind.BINDING and s.action not in going]
    for kind in (Kind.BINDING, Kind.QUEUE, Kind.EXCHANGE):
        yield [s for s in steps if s.id.kind is kind and s.action in going]


class _Run:
    """`own`: the bindings that are the file's or were applied from here; others stay unrecorded."""

    def __init__(
        self, crew: Crew, journal: Journal, prefix: str, own: frozenset[Link], moved: Told
    ) -> None:
        self._crew, self._journal, self._prefix, self._moved = crew, journal, prefix, moved
        self._own = own
        self._failed: set[Id] = set()

    async def phase(self, steps: Sequence[Step]) -> AsyncGenerator[Outcome, None]:
        """The outcomes in the order of the steps, each as soon as those before it are known."""
        outcomes = {number: self._unasked(step) for number, step in enumerate(steps)}
        for number in await self._bound_together(steps, outcomes):
            outcomes[number] = self._taken(steps[number], _bound(steps[number]))
        asked = [number for number, outcome in outcomes.items() if outcome is None]
        following = 0
        questions = [self._question(steps[number]) for number in asked]
        async with aclosing(self._crew.each(questions)) as answers:
            async for position, answer in answers:
                number = asked[position]
                outcomes[number] = self._taken(steps[number], answer)
                while following < len(steps) and (outcome := outcomes[following]) is not None:
                    following += 1
                    yield outcome
        for number in range(following, len(steps)):
            outcome = outcomes[number]
            assert outcome is not None
            yield outcome

    async def _bound_together(
        self, steps: Sequence[Step], outcomes: Mapping[int, Outcome | None]
    ) -> list[int]:
        """Which of the bindings that are recorded are there; where one was not, all of its batch
        are asked for one by one.

        They are declared again, for somebody may have undone them, and AMQP lists none.
        """
        kept = [
            (number, step.thing)
            for number, step in enumerate(steps)
            if outcomes[number] is None
            and step.action is Action.KEEP
            and isinstance(step.thing, Link)
            and step.thing.kind is Kind.QUEUE
        ]
        batches = [kept[start : start + TOGETHER] for start in range(0, len(kept), TOGETHER)]
        questions = [partial(_together, links=[link for _, link in batch]) for batch in batches]
        bound: list[int] = []
        async with aclosing(self._crew.each(questions)) as answers:
            async for position, answer in answers:
                if answer is True:
                    bound += [number for number, _ in batches[position]]
        return bound

    def _unasked(self, step: Step) -> Outcome | None:
        """What is known without asking; None where something is to be done."""
        told = partial(Outcome, step.id.kind, step.id.name)
        match step.action:
            case Action.CONFLICT:
                return told(Result.CONFLICT, _why(step.reason, step.found))
            case Action.HELD:
                return told(Result.LEFT, step.reason)
            case Action.UNKNOWN:
                refused = step.found is not None and step.found.status is Status.REFUSED
                return told(Result.REFUSED if refused else Result.FAILED, step.reason)
            case Action.KEEP if not isinstance(step.thing, Link):
                if step.thing is not None:
                    self._journal.done(step.thing)
                return told(Result.THERE)
        if isinstance(step.thing, Link) and step.action not in REMOVES:
            return self._without_end(step, step.thing)
        return None

    def _without_end(self, step: Step, link: Link) -> Outcome | None:
        """A binding to what could not be made is not tried."""
        for end in (Id(Kind.EXCHANGE, link.source), destination(link)):
            if end in self._failed:
                if step.action is not Action.KEEP:
                    self._journal.failed(link)
                text = f"{end.name} could not be made"
                return Outcome(step.id.kind, step.id.name, Result.FAILED, text)
        return None

    def _question(self, step: Step) -> Question[Outcome]:
        async def ask(hand: Hand) -> Outcome:
            try:
                return await self._do(hand, step)
            except ConfigurationError as fault:  # AMQP cannot write it: this thing's fault alone
                return Outcome(step.id.kind, step.id.name, Result.FAILED, str(fault))

        return ask

    async def _do(self, hand: Hand, step: Step) -> Outcome:
        match step.action:
            case Action.MIGRATE:
                keeping = Keeping(self._journal, self._own)
                return await migrate(self._crew, step, self._prefix, keeping, self._moved)
            case Action.RECREATE:
                return await recreate(hand, step, Keeping(self._journal, self._own))
            case Action.REMOVE | Action.CLEAR:
                return await remove(hand, step)
        if isinstance(step.thing, Link):
            await making.bind(hand, step.thing)
            return _bound(step)
        assert step.thing is not None
        return await _create(hand, step.thing, step.id)

    def _taken(self, step: Step, answer: Outcome | BrokerError) -> Outcome:
        """Its outcome, written down."""
        said_no = not isinstance(answer, Lost)  # else it may have been made all the same
        if isinstance(answer, BrokerError):
            answer = Outcome(step.id.kind, step.id.name, _result(answer), str(answer))
        faulty = answer.result in FAULTS
        if step.action in REMOVES and not faulty:
            self._journal.gone(step.thing if isinstance(step.thing, Link) else step.id)
        elif step.action not in (*REMOVES, *REPLACES) and step.thing is not None:
            if not faulty:
                self._journal.done(step.thing)
            elif step.action in MAKES and said_no:
                self._journal.failed(step.thing)
        if answer.result in (Result.REFUSED, Result.FAILED):
            self._failed.add(step.id)
        return answer


_BOUND = {
    Action.CREATE: Result.CREATED,
    Action.ASSURE: Result.BOUND,
    Action.KEEP: Result.THERE,
}


async def _together(hand: Hand, links: Sequence[Link]) -> bool:
    try:
        await making.bind_together(hand, links)
    except ConfigurationError:  # one that AMQP cannot write: alone, it says so
        return False
    return True


def _bound(step: Step) -> Outcome:
    return Outcome(step.id.kind, step.id.name, _BOUND[step.action])


async def _create(hand: Hand, thing: Exchange | Queue, id: Id) -> Outcome:
    try:
        await making.declare(hand, thing)
        return Outcome(id.kind, id.name, Result.CREATED)
    except Conflict as fault:  # since the plan was made somebody else has made it
        found = await making.look(hand, thing)
        return Outcome(id.kind, id.name, Result.CONFLICT, _why("", found) or str(fault))


def _why(reason: str, found: Found | None) -> str:
    """On one line, what differs included."""
    differences = found.differences if found else ()
    named = (f"{d.property}: broker {raw(d.broker)}, file {raw(d.file)}" for d in differences)
    return "; ".join(filter(None, [reason, *named]))


def _result(fault: BrokerError) -> Result:
    match fault:
        case Conflict():
            return Result.CONFLICT
        case Refused():
            return Result.REFUSED
    return Result.FAILED
