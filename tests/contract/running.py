"""Runs a case on a broker, on names of its own, and brings back its record."""

from __future__ import annotations

from itertools import count
from os import getpid

from .cases import Case
from .player import Player, Step

_NUMBERS = count()


def perform(case: Case, url: str) -> list[Step]:
    """What a client saw; a case that a broker breaks off says so in its last step."""
    player = Player(url, prefix=f"contract-{getpid() % 10000:04}-{next(_NUMBERS):04}.")
    try:
        case(player)
    except Exception as error:
        player.note("broken off", f"{type(error).__name__}: {player.plain(str(error))}")
    finally:
        player.close()
    return player.record
