"""A recording judged again says what the run said: the state is a function of the evidence."""

from __future__ import annotations

from datetime import UTC, datetime
from io import StringIO
from typing import Any

import msgspec
from hypothesis import given
from msgspec.structs import replace
from orquestador_plugins.monitor.outputs import Output
from orquestador_plugins.monitor.recording import INPUTS, Header, recorder, watch_of
from orquestador_plugins.monitor.row import Rules
from orquestador_plugins.monitor.undeclared import FORGOTTEN_AFTER
from orquestador_plugins.monitor.watch import Watch

from .driving import Driven
from .simulated import SETTLE, WITHIN
from .stories import (
    EVERY,
    MANY,
    OF_SERVICES,
    OF_THE_WATCHING,
    PAIR,
    RULES,
    STEADY,
    TARGET,
    Story,
    happens,
    stories,
    watched,
)


def header(rules: dict[str, Rules], settle: float) -> Header:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return Header(
        monitor="m", within=WITHIN, settle=settle, now=0.0, at=at, monitors=(), rules=rules
    )


def judged_again(recording: StringIO) -> tuple[Watch, list[Output]]:
    first, *lines = recording.getvalue().splitlines()
    watch, outputs = watch_of(msgspec.json.decode(first, type=Header), None), []
    for line in lines:
        kind, now, *said = msgspec.json.decode(line, type=list[Any])
        given_ = [msgspec.convert(v, t) for v, t in zip(said, INPUTS[kind], strict=True)]
        getattr(watch, kind)(*given_, now)
        outputs += watch.drain()
    return watch, outputs


@given(RULES, EVERY, stories(OF_SERVICES, OF_THE_WATCHING))
@MANY
def test_rows_changes_and_their_incidents_are_a_function_of_the_inputs(
    rules: Rules, every: float, story: Story
) -> None:
    """So two watches that are told the same report one incident."""
    recording = StringIO()
    all_rules = {STEADY: rules, TARGET: rules, PAIR: replace(rules, replicas=2)}
    monitor = watched(rules, every, record=recorder(recording, header(all_rules, SETTLE)))
    happens(monitor, story)

    again, outputs = judged_again(recording)

    assert outputs == monitor.outputs
    assert again.rows == monitor.watch.rows
    assert again.doubt == monitor.watch.doubt


def test_a_stranger_that_was_forgotten_is_new_again_in_the_replay_as_well() -> None:
    recording = StringIO()
    rules = {"a": Rules(), "b": Rules()}
    driven = Driven(leads=False, record=recorder(recording, header(rules, 7.0)))
    driven.ticks(7.0, 7.0)
    outputs = [*driven.first, *driven.drain()]
    back = FORGOTTEN_AFTER + 100.0
    driven.echo("stranger", "p", 10.0)
    driven.ticks(back - 50.0, back)
    driven.echo("stranger", "p", back)
    outputs += driven.drain()

    assert judged_again(recording)[1] == outputs
