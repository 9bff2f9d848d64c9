"""Making a plan from a topology, what its broker has, and what was applied there before.  Pure.

What is wanted is `wanted.py`'s and `bindings.py`'s, what has to go `leaving.py`'s and
`destroying.py`'s.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from orquestador.provision import bindings, destroying, leaving, wanted
from orquestador.provision.found import Snapshot
from orquestador.provision.outcome import counted
from orquestador.provision.plan import Action, Plan, Step, Wishes
from orquestador.provision.records import Section, destination, id_of
from orquestador.provision.wanted import Case
from orquestador.topology.expand import predeclared
from orquestador.topology.model import Topology
from orquestador.topology.things import Id, Kind, Link

SHOWN = 5  # bindings in a note
REPLACEMENTS = (Action.RECREATE, Action.MIGRATE)


def asked(topology: Topology, section: Section | None) -> tuple[Id, ...]:
    """What has to be asked for beside what the file wants: what it has dropped, or says is absent.

    The ends of such bindings, too: a binding goes with them.
    """
    known = section or Section()
    absent = topology.absent
    dropped = (*known.leftovers(topology), *absent.links)
    ids = {
        *(Id(Kind.EXCHANGE, name) for name in absent.exchanges),
        *(Id(Kind.QUEUE, name) for name in absent.queues),
        *(thing for thing in dropped if isinstance(thing, Id)),
        *known.retained(topology),
    }
    for thing in dropped:
        if isinstance(thing, Link):
            ids |= {Id(Kind.EXCHANGE, thing.source), destination(thing)}
    wanted = {
        *map(id_of, topology.exchanges.values()),
        *map(id_of, topology.lasting),
    }
    own = {id for id in ids if id.kind is Kind.EXCHANGE and predeclared(id.name)}
    return tuple(sorted(ids - wanted - own))


def make(topology: Topology, snapshot: Snapshot, section: Section | None, wishes: Wishes) -> Plan:
    """What `apply` will do.  `section`: None where nothing was applied to that broker before."""
    case = Case(topology, snapshot, section, wishes)
    things = {step.id: step for step in wanted.steps(case)}
    links = tuple(bindings.steps(case, things))
    going = leaving.dropped(case)
    steps = (
        *(step for step in things.values() if step.action not in REPLACEMENTS),
        *(step for step in things.values() if step.action in REPLACEMENTS),
        *links,
        *going.steps,
    )
    return Plan(steps, tuple(_notes(case, steps, going.unlisted)), tuple(going.vanished))


def removal(
    topology: Topology, snapshot: Snapshot, section: Section | None, *, with_messages: bool = False
) -> Plan:
    """What `destroy` will do.

    `with_messages`: queues go whatever is in them and whoever consumes them.  Retained queues and
    exchanges that are not owned are not touched.
    """
    going = destroying.everything(Case(topology, snapshot, section), with_messages=with_messages)
    return Plan(going.steps, (), tuple(going.vanished))


def _notes(case: Case, steps: Sequence[Step], unlisted: int) -> Iterator[str]:
    assured = sum(step.action is Action.ASSURE for step in steps)
    if assured:
        yield (
            f"{counted(assured, 'binding')} (?) may be there or not: AMQP lists none, and nothing "
            "was applied to this broker from here before. apply declares them, which changes "
            "nothing where they are; --management URL shows them"
        )
    if case.snapshot.links is None and any(step.action in REPLACEMENTS for step in steps):
        yield (
            "what is made anew (~) gets back the bindings that the file and topology.state.json "
            "know; others are lost: AMQP lists none, --management URL shows them"
        )
    foreign = [str(link) for link in _foreign(case)]
    if foreign:
        more = f" and {len(foreign) - SHOWN} more" if len(foreign) > SHOWN else ""
        yield (
            "not in the file, somebody else's, and left alone: "
            f"{counted(len(foreign), 'binding')}: {', '.join(foreign[:SHOWN])}{more}"
        )
    if unlisted:
        yield (
            f"{counted(unlisted, 'binding')} under absent: may be there or not: AMQP lists none. "
            "apply --prune unbinds them, which does no harm"
        )


def _foreign(case: Case) -> Iterator[Link]:
    """What a management API lists of the file's own, beside the known bindings."""
    topology = case.topology
    known = {*topology.links, *case.records.records, *topology.absent.links}
    own = {*map(id_of, topology.exchanges.values()), *map(id_of, topology.lasting)}
    listed = sorted(case.snapshot.links or ())
    return (each for each in listed if each not in known and destination(each) in own)
