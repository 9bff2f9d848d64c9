"""What a command takes from around it: the broker's address, its output, where its log goes."""

from __future__ import annotations

import io
import logging
import os
import sys

from orquestador.errors import ConfigurationError, UsageError
from orquestador.settings import Settings, settle


def address(url: str | None) -> Settings:
    """Raises UsageError where the broker's address cannot be read, whoever gave it."""
    try:
        return settle(url, os.environ)
    except ConfigurationError as fault:
        raise UsageError(str(fault)) from None


def print_anyway() -> None:
    """What the terminal's encoding lacks (an arrow in Latin-1) is a `?`, not the end of a line."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def log_to_stderr(verbose: int) -> None:
    """Warnings, more with -v; pika's own lines only with -vv: we say what they mean."""
    level = {0: logging.WARNING, 1: logging.INFO}.get(verbose, logging.DEBUG)
    logging.basicConfig(
        level=level, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr, force=True
    )
    logging.getLogger("pika").setLevel(logging.DEBUG if verbose > 1 else logging.CRITICAL)
