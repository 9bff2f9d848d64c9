"""docs/library.md: each program on the page is run, and prints what the page says."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.programs import Program, run
from tests.support.waiting import eventually

pytestmark = pytest.mark.broker
PAGE = (Path(__file__).parents[2] / "docs/library.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
TOPOLOGY = next(text for kind, text in BLOCKS if kind == "yaml")
COMMANDS = [text.split()[1:] for kind, text in BLOCKS if kind == "sh"]
PROGRAMS = [
    (text, BLOCKS[number + 1][1].splitlines())
    for number, (kind, text) in enumerate(BLOCKS)
    if kind == "python"
]


def test_every_block_of_the_page_is_known() -> None:
    assert len(PROGRAMS) == 5 and len(COMMANDS) == 1
    assert len(BLOCKS) == 1 + len(COMMANDS) + 2 * len(PROGRAMS)


@pytest.mark.parametrize(("text", "printed"), PROGRAMS)
def test_a_program_of_the_page_prints_what_the_page_says(
    start: Callable[..., Program], url: str, tmp_path: Path, text: str, printed: list[str]
) -> None:
    (tmp_path / "topology.yaml").write_text(TOPOLOGY)
    (tmp_path / "program.py").write_text(text)
    for command in COMMANDS:
        assert run(*command, cwd=tmp_path, environ={"AMQP_URL": url})[0] == 0

    program = start("program.py", cwd=tmp_path, environ={"AMQP_URL": url})
    eventually(lambda: len(program.lines) >= len(printed) or not program.running, 20)
    if "KeyboardInterrupt" in text or ("bus.run()" in text and "bus.close()" not in text):
        program.signal(signal.SIGINT)

    assert program.wait() == 0, program.errors
    assert program.lines[: len(printed)] == printed
