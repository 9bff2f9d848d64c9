"""What provisioning says in the end, and which exit code follows from what happened."""

from __future__ import annotations

import pytest

from orquestador.provision.outcome import Outcome, Result, exit_code, summary


def outcomes(*results: Result) -> list[Outcome]:
    return [Outcome("queue", f"q{number}", result) for number, result in enumerate(results)]


@pytest.mark.parametrize(
    ("results", "code"),
    [
        ([], 0),
        ([Result.CREATED, Result.BOUND], 0),
        ([Result.THERE, Result.BOUND], 0),
        ([Result.CREATED, Result.CONFLICT], 4),
        ([Result.REFUSED, Result.CONFLICT, Result.FAILED], 4),
        ([Result.REFUSED, Result.REFUSED], 77),
        ([Result.CREATED, Result.REFUSED], 3),
        ([Result.CREATED, Result.FAILED], 3),
        ([Result.REFUSED, Result.FAILED], 77),  # a binding fails where its queue was refused
        ([Result.FAILED], 3),
        ([Result.RECREATED, Result.MIGRATED, Result.REMOVED], 0),
        ([Result.THERE, Result.LEFT], 0),
        ([Result.REMOVED, Result.NOT_REMOVED], 3),
        ([Result.REFUSED, Result.LEFT], 77),
    ],
)
def test_a_conflict_outranks_a_refusal_of_all_and_that_outranks_partial_work(
    results: list[Result], code: int
) -> None:
    assert exit_code(outcomes(*results)) == code


@pytest.mark.parametrize(
    ("results", "said"),
    [
        ([Result.CREATED, Result.CREATED, Result.BOUND], "2 created, 1 bound"),
        ([Result.THERE, Result.BOUND], "nothing changed: 1 already there, 1 bound"),
        ([Result.CREATED, Result.CONFLICT], "partly applied: 1 created, 1 conflict"),
        ([Result.REFUSED, Result.FAILED], "nothing applied: 1 refused, 1 failed"),
        ([Result.REMOVED, Result.NOT_REMOVED], "partly applied: 1 removed, 1 not removed"),
        ([Result.MIGRATED, Result.LEFT], "1 migrated, 1 left"),
        ([], "nothing changed"),
    ],
)
def test_the_last_line_counts_what_happened(results: list[Result], said: str) -> None:
    assert summary(outcomes(*results)) == said


def test_a_line_names_the_thing_and_the_brokers_reason() -> None:
    line = str(Outcome("queue", "work", Result.CONFLICT, "PRECONDITION_FAILED - no"))

    assert line.split() == ["queue", "work", "conflict:", "PRECONDITION_FAILED", "-", "no"]
