"""What a person sees of a watch: lines in a pipe, JSON on request, a table on a terminal."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from orquestador.board import Board, Notice, Row, Undeclared
from orquestador.events import Instances, State, Status, timestamp
from orquestador.hooks import loading

ESCAPE = "\x1b"
MOMENT = datetime(2026, 5, 4, 9, 30, 0, 250_000, tzinfo=UTC)


@pytest.fixture(scope="module")
def terminal() -> Any:
    """What the plugin shows with, as the one mechanism loads it."""
    loading.load()
    parts = [
        import_module(f"orquestador_plugins.terminal{part}") for part in ("", ".lines", ".table")
    ]
    return SimpleNamespace(**{name: value for part in parts for name, value in vars(part).items()})


def status(**changes: Any) -> Status:
    plain: dict[str, Any] = {
        "service": "payments",
        "state": State.DOWN,
        "previous": State.SUSPECT,
        "reason": "silent",
        "text": "no echo for 1.0 s",
        "since": timestamp(MOMENT),
        "at": timestamp(MOMENT),
        "detected_by": "silence",
        "evidence": {},
        "instances": Instances(live=0, expected=1, lost=None),
        "incident": "i",
        "epoch": 1,
        "not_before": None,
        "not_after": timestamp(MOMENT),
    }
    return Status(**{**plain, **changes})


def row(**changes: Any) -> Row:
    now = datetime.now(UTC)
    plain = Row(
        service="payments",
        state=State.UP,
        reason="answering",
        text="answers",
        since=now - timedelta(minutes=5, seconds=1),
        round_trip=0.0042,
        last_echo=now - timedelta(seconds=2),
        live=1,
        expected=1,
    )
    return replace(plain, **changes)


def board(*rows: Row, **changes: Any) -> Board:
    return replace(Board("watcher", datetime.now(UTC), rows, rounds=7), **changes)


# -- lines


def test_a_change_is_one_plain_line(terminal: Any) -> None:
    out = io.StringIO()

    terminal.Lines(out).change(status())

    assert re.fullmatch(
        r"\d\d:\d\d:\d\d\.\d{3}  payments  SUSPECT → DOWN  no echo for 1\.0 s\n", out.getvalue()
    )


def test_the_first_line_of_a_service_has_no_arrow(terminal: Any) -> None:
    out = io.StringIO()

    terminal.Lines(out).change(status(previous=None, state=State.UNKNOWN, text="nothing heard yet"))

    assert out.getvalue().endswith("  payments  UNKNOWN  nothing heard yet\n")


def test_a_notice_is_one_line_and_a_board_is_none(terminal: Any) -> None:
    out = io.StringIO()
    lines = terminal.Lines(out)

    lines.notice(Notice("blind", "connection lost", MOMENT))
    lines.board(board(row()))
    lines.close()

    assert out.getvalue().endswith("  blind: connection lost\n")
    assert out.getvalue().count("\n") == 1


@pytest.mark.parametrize("said", ["two\nlines", "\x1b[31mred", "\x9b31mred", "over\rwritten"])
def test_what_a_service_says_neither_breaks_the_line_nor_commands_the_terminal(
    terminal: Any, said: str
) -> None:
    out = io.StringIO()

    terminal.Lines(out).change(status(text=f"says it is failing ({said})"))
    terminal.Lines(out).notice(Notice("rejected", said, MOMENT))

    assert out.getvalue().count("\n") == 2
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", out.getvalue())


# -- JSON


def test_a_status_is_one_json_object_with_the_fields_of_the_event(terminal: Any) -> None:
    out = io.StringIO()

    terminal.JsonLines(out).change(status(text="two\nlines é"))

    (line,) = out.getvalue().splitlines()
    said = json.loads(line)
    assert said["event"] == "status"
    assert set(said) == {"event", *Status.__struct_fields__}
    assert (said["state"], said["previous"], said["text"]) == ("DOWN", "SUSPECT", "two\nlines é")
    assert said["instances"] == {"live": 0, "expected": 1, "lost": None}


def test_a_notice_is_one_json_object_named_after_its_kind(terminal: Any) -> None:
    out = io.StringIO()
    lines = terminal.JsonLines(out)

    lines.notice(Notice("undeclared", "who is 'x'?", MOMENT, "x"))
    lines.notice(Notice("blind", "connection lost", MOMENT))
    lines.board(board(row()))
    lines.close()

    first, second = map(json.loads, out.getvalue().splitlines())
    assert first == {
        "event": "undeclared",
        "text": "who is 'x'?",
        "service": "x",
        "at": "2026-05-04T09:30:00.250Z",
    }
    assert (second["event"], second["service"]) == ("blind", None)


# -- the table


def drawn(terminal: Any, shown: Board | None, *notices: str, colour: bool = False) -> str:
    console = Console(
        record=True,
        width=100,
        file=io.StringIO(),
        force_terminal=colour,
        color_system="standard" if colour else None,
    )
    console.print(terminal.table(shown, "amqp://guest:***@rabbit:5672/", list(notices)))
    return console.export_text(styles=colour)


def line_of(text: str, word: str) -> str:
    return next(line for line in text.splitlines() if word in line)


def test_the_table_has_a_row_a_service(terminal: Any) -> None:
    text = drawn(
        terminal,
        board(
            row(),
            row(service="stock", state=State.DOWN, text="no echo", round_trip=None, last_echo=None),
        ),
    )

    assert "watcher on amqp://guest:***@rabbit:5672/" in text
    payments, stock = line_of(text, "payments"), line_of(text, "stock")
    for cell in ("● UP", "5 min", "answers", "4.2 ms", "2 s"):
        assert cell in payments
    for cell in ("✖ DOWN", "no echo", "never"):
        assert cell in stock
    assert "round 7" in text


@pytest.mark.parametrize("state", State)
def test_every_state_has_its_word_and_its_symbol(terminal: Any, state: State) -> None:
    text = drawn(terminal, board(row(state=state)))

    assert f"{terminal.SYMBOLS[state]} {state.value}" in text
    assert len({*terminal.SYMBOLS.values()}) == len(State)


def test_replicas_are_counted_where_there_are_any(terminal: Any) -> None:
    assert "UP (2/3)" in drawn(terminal, board(row(live=2, expected=3)))
    assert "(1/1)" not in drawn(terminal, board(row()))


def test_before_the_first_board_it_says_where_it_connects(terminal: Any) -> None:
    assert "connecting to amqp://guest:***@rabbit:5672/" in drawn(terminal, None)


def test_while_blind_it_says_why_and_the_rows_are_stale_and_dim(terminal: Any) -> None:
    blind = board(row(stale=True), blind="connection lost")

    assert "blind: connection lost" in drawn(terminal, blind)
    assert "stale: answers" in line_of(drawn(terminal, blind), "payments")
    dim = re.compile(r"\x1b\[(?:\d+;)*2(?:;\d+)*m *payments")
    assert dim.search(drawn(terminal, blind, colour=True))
    assert not dim.search(drawn(terminal, board(row()), colour=True))


def test_an_undeclared_service_is_a_row_of_its_own(terminal: Any) -> None:
    text = drawn(terminal, board(row(), undeclared=(Undeclared("stranger", datetime.now(UTC)),)))

    stranger = line_of(text, "stranger")
    assert "undeclared" in stranger and "not in the topology" in stranger


def test_notices_stand_under_the_table(terminal: Any) -> None:
    text = drawn(terminal, board(row()), "the queue of payments was not bound")

    assert "the queue of payments was not bound" in text.split("payments", 1)[1]


def test_brackets_in_what_is_said_are_shown_as_they_are(terminal: Any) -> None:
    shown = board(row(text="says [bold]it[/] is [/nothing]"), blind="no [red]way[/red]")

    text = drawn(terminal, shown, "a [link]notice[/link]")

    assert "says [bold]it[/] is [/nothing]" in text
    assert "no [red]way[/red]" in text and "a [link]notice[/link]" in text


def test_a_service_cannot_command_the_terminal_by_what_it_says(terminal: Any) -> None:
    out = io.StringIO()
    console = Console(file=out, width=100, color_system=None)
    live = terminal.LiveTable(console, "address", once=True)

    live.notice(Notice("rejected", "\x1b[2J", MOMENT))
    live.board(board(row(text="\x1b]0;title\x07")))

    assert ESCAPE not in out.getvalue() and "\x07" not in out.getvalue()


class Screen(io.StringIO):
    """A stream that says that it is a terminal, or not."""

    def __init__(self, *, tty: bool) -> None:
        super().__init__()
        self.tty = tty

    def isatty(self) -> bool:
        return self.tty


def looked_at_once(terminal: Any, out: Screen) -> str:
    live = terminal.LiveTable(Console(file=out, width=100), "address", once=True)
    live.board(board(row()))
    live.close()
    return out.getvalue()


def test_colour_only_on_a_terminal_and_without_no_color(
    terminal: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "CI", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    colours = re.compile(r"\x1b\[[0-9;]*3[0-9]m")

    assert colours.search(looked_at_once(terminal, Screen(tty=True)))
    assert ESCAPE not in looked_at_once(terminal, Screen(tty=False))

    monkeypatch.setenv("NO_COLOR", "1")
    assert not colours.search(looked_at_once(terminal, Screen(tty=True)))


def test_the_live_table_is_drawn_in_place_and_leaves_the_cursor_shown(terminal: Any) -> None:
    out = Screen(tty=True)
    console = Console(file=out, width=100, force_terminal=True, color_system=None)
    live = terminal.LiveTable(console, "address", once=False)

    live.board(board(row()))
    live.board(board(row(), rounds=8))
    live.close()
    live.close()

    assert "\x1b[1A" in out.getvalue()
    assert out.getvalue().endswith("\x1b[?25h")
    assert out.getvalue().rindex("round 8") > out.getvalue().rindex("round 7")


# -- which of them


class Context:
    """As much of a role's context as the screen looks at."""

    def __init__(self, out: io.StringIO, *, display: bool = True, **arguments: bool) -> None:
        from argparse import Namespace
        from types import SimpleNamespace

        self.out = out
        self.settings = "amqp://guest:***@rabbit:5672/"
        self.arguments = Namespace(**{"json": False, "once": True, **arguments})
        self.service = SimpleNamespace(role="watching")
        self.registry = SimpleNamespace(roles={"watching": SimpleNamespace(display=display)})
        self.stops = 0

    def request_stop(self) -> None:
        self.stops += 1


def opened(terminal: Any, context: Context) -> Any:
    screen = terminal.Screen()
    screen.open(context)
    return screen


def test_a_pipe_gets_lines_and_json_only_on_request(terminal: Any) -> None:
    pipe, asked, both = Screen(tty=False), Screen(tty=False), Screen(tty=True)
    for context in (Context(pipe), Context(asked, json=True), Context(both, json=True)):
        opened(terminal, context).change(status())

    assert "payments  SUSPECT → DOWN" in pipe.getvalue()
    assert json.loads(asked.getvalue())["state"] == "DOWN"
    assert json.loads(both.getvalue())["state"] == "DOWN"


def test_a_terminal_gets_the_table_unless_it_is_dumb(
    terminal: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    clever = Screen(tty=True)
    opened(terminal, Context(clever)).board(board(row()))
    assert "round 7" in clever.getvalue()

    monkeypatch.setenv("TERM", "dumb")
    dumb = Screen(tty=True)
    opened(terminal, Context(dumb)).change(status())
    assert "SUSPECT → DOWN" in dumb.getvalue() and ESCAPE not in dumb.getvalue()


def test_a_role_that_is_not_looked_at_gets_no_display(terminal: Any) -> None:
    out = Screen(tty=False)

    screen = opened(terminal, Context(out, display=False))
    screen.change(status())
    screen.notice(Notice("blind", "x", MOMENT))
    screen.board(board(row()))
    screen.close()

    assert out.getvalue() == ""
