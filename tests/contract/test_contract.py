"""Every case on both brokers, and equal records."""

from __future__ import annotations

import pytest

from .cases import load
from .player import differences
from .running import perform

CASES = load()


def test_there_are_at_least_sixty_cases() -> None:
    assert len(CASES) >= 60


@pytest.mark.parametrize("name", CASES)
def test_the_embedded_broker_alone_plays_every_case(name: str, embedded_url: str) -> None:
    seen = perform(CASES[name], embedded_url)

    assert not any(step[0] == "broken off" for step in seen), seen[-1]


@pytest.mark.only_rabbitmq("compares with it")
@pytest.mark.parametrize("name", CASES)
def test_both_brokers_answer_alike(name: str, embedded_url: str, rabbitmq_url: str) -> None:
    expected = perform(CASES[name], rabbitmq_url)
    seen = perform(CASES[name], embedded_url)

    assert not any(step[0] == "broken off" for step in expected), expected[-1]
    different = differences(expected, seen)
    assert not different, "RabbitMQ, then embedded:\n" + "\n".join(different)
