"""A bar for what takes long: on a terminal alone, and never in the way of what is printed."""

from __future__ import annotations

import os
import pty
import sys
from contextlib import suppress
from pathlib import Path

SLOW = """\
import sys
from orquestador.provision.command import progress

progress.PATIENCE = float(sys.argv[1])
with progress.Bar("asking") as bar:
    for done in range(3):
        bar.to(done, 3)
        print("line", done, flush=True)
"""


def shown(patience: float, out: Path) -> str:
    """What a terminal on standard error gets while standard output is a file."""
    pid, terminal = pty.fork()
    if not pid:
        file = os.open(out, os.O_WRONLY | os.O_CREAT)
        os.dup2(file, 1)
        os.execv(sys.executable, [sys.executable, "-c", SLOW, str(patience)])
    said = b""
    with suppress(OSError):  # Linux: the other end is closed
        while got := os.read(terminal, 4096):
            said += got
    os.close(terminal)
    assert os.waitpid(pid, 0)[1] == 0
    return said.decode()


def test_what_takes_long_has_a_bar_and_what_is_printed_stays_whole(tmp_path: Path) -> None:
    bar = shown(0.0, tmp_path / "out")

    assert "asking" in bar and "line" not in bar
    assert (tmp_path / "out").read_text() == "line 0\nline 1\nline 2\n"


def test_what_is_short_has_none(tmp_path: Path) -> None:
    assert shown(60.0, tmp_path / "out") == ""
