"""The instances of one service: who echoed what, who died, how well the whole is.  Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from orquestador.events import Health, State

from .changes import Judged, changed
from .evidence import Heard
from .row import HELD_KEPT, INSTANCES_KEPT, WORDS_KEPT, Instance, Row, Rules

WELL = State.UP, "answering", "answers"


def lost_by(row: Row, seen: Heard) -> str | None:
    """Whose held ping this redelivered echo answers: that instance is gone, a sister took it over.

    None where the ping had no echo before, or came back to the very instance that held it, which
    then has reconnected.
    """
    if not seen.redelivered or seen.ping is None:
        return None
    for word, instance in row.instances.items():
        if word != seen.instance and seen.ping in instance.held:
            return word
    return None


def with_instance(row: Row, seen: Heard, now: float, rules: Rules) -> Row:
    """The row after this echo of one of its instances."""
    word = seen.instance
    known = row.instances.get(word) or Instance(word, now, row.round)
    held = known.held if seen.ping is None else (*known.held[1 - HELD_KEPT :], seen.ping)
    instance = replace(
        known,
        heard=now,
        sequence=row.round,
        health=seen.health,
        details=seen.details,
        held=held,
    )
    words = row.words
    if seen.round_trip is not None:
        instance = instance.timed(seen.round_trip, rules)
        if word not in words:
            words = (*words, word)[-WORDS_KEPT:]
    if len(row.instances) <= 1 and (not row.instances or word in row.instances):
        return replace(row, words=words, instances={word: instance})
    # A flood of new ones pushes out those heard longest ago.
    kept = [
        each
        for each in row.instances.values()
        if each.word != word and not each.forgotten(row.round, rules)
    ]
    newest = (*kept[-(INSTANCES_KEPT - 1) :], instance)
    return replace(row, words=words, instances={each.word: each for each in newest})


def without(row: Row, word: str) -> Row:
    return replace(row, instances={w: each for w, each in row.instances.items() if w != word})


def parted(row: Row, word: str) -> Row:
    """The row after a goodbye of this instance."""
    return replace(without(row, word), parted=(*row.parted, word)[-WORDS_KEPT:])


def ill(row: Row, rules: Rules) -> bool:
    return not all(instance.well for instance in row.live(rules))


def hung(row: Row, rules: Rules) -> str | None:
    """An instance that no longer answers while others do; the one heard last."""
    words = [i.word for i in row.instances.values() if i.hung(row.round, rules)]
    return words[-1] if words else None


def health(row: Row, rules: Rules) -> tuple[State, str, str]:
    """State, reason and text that follow from the instances' last echoes."""
    live = row.live(rules)
    if len(live) == 1 and live[0].well and rules.replicas == 1:
        return WELL
    worst = _worst(live)
    if worst is not None:
        return State.DEGRADED, worst.health.value, _say(worst.details, worst.health.value)
    if any(instance.slow for instance in live):
        return State.DEGRADED, "slow", f"answers, but later than {rules.echo_within:g} s"
    if len(live) < rules.replicas:
        return State.DEGRADED, "replicas", f"{len(live)} of {rules.replicas}"
    return WELL


def derived(row: Row, now: float, rules: Rules) -> Judged:
    """The state that follows from the instances, after an echo whose lateness could be judged."""
    state, reason, text = health(row, rules)
    if row.state is state and row.reason == reason and row.next_greeting is None:
        return (row if row.text == text else replace(row, text=text)), ()
    if row.state is State.UNKNOWN and state is State.DEGRADED and not ill(row, rules):
        # The other replicas may be about to answer.
        waited = now if row.waited is None else row.waited
        row = replace(row, waited=waited)
        if now - waited < rules.bound:
            return row, ()
    if state is State.UP and row.next_greeting is not None and not (row.awaited or row.asked):
        row = replace(row, greetings=0, next_greeting=None)
    lost = hung(row, rules) if reason == "replicas" else None
    return changed(row, state, reason, text, "echo", now, lost=lost)


def _worst(live: tuple[Instance, ...]) -> Instance | None:
    ill = [instance for instance in live if instance.health is not Health.OK]
    return next((i for i in ill if i.health is Health.FAILING), ill[0] if ill else None)


def _say(details: Mapping[str, Any] | None, health: str) -> str:
    """One line from what the instance says of itself."""
    said = ", ".join(f"{key}: {value}" for key, value in (details or {}).items())
    return f"says it is {health}" + (f" ({said[:160]})" if said else "")
