"""Durations: what people may write, what comes of it, and that it can be written back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orquestador import durations


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("500ms", 0.5),
        ("3ms", 0.003),
        ("0s", 0.0),
        ("1s", 1.0),
        ("1.5s", 1.5),
        ("2m", 120.0),
        ("0.5h", 1800.0),
        ("1h", 3600.0),
    ],
)
def test_a_number_and_its_unit_are_seconds(text: str, seconds: float) -> None:
    assert durations.parse(text) == seconds


@pytest.mark.parametrize(
    "text",
    ["", "5", "s", "5 s", "-1s", "+1s", "1e3s", "1.s", ".5s", "1S", "1d", "1m30s", "1s\n", "١s"],
)
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(
        ValueError, match="is not a duration; write a number and its unit"
    ) as caught:
        durations.parse(text)

    assert durations.EXAMPLES in str(caught.value)


@pytest.mark.parametrize("text", ["500ms", "1s", "1.5s", "90s", "2m", "1h", "0s", "0.0015s"])
def test_seconds_are_written_as_a_person_would(text: str) -> None:
    assert durations.render(durations.parse(text)) == text


@given(st.integers(min_value=0, max_value=10**12))
def test_what_is_written_reads_back_to_the_microsecond(microseconds: int) -> None:
    seconds = microseconds / 1_000_000

    assert durations.parse(durations.render(seconds)) == seconds


@given(st.text())
def test_no_text_does_anything_but_parse_or_be_refused(text: str) -> None:
    try:
        assert durations.parse(text) >= 0
    except ValueError as refusal:
        assert "such as" in str(refusal)
