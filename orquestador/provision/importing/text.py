"""Data as the lines of a topology file: YAML whose every name reads back as what it is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

WIDTH = 100

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*|[0-9]+(?:\.[0-9]+)?(?:ms|[smhDMY])")
"""Words, durations and ages."""

_OTHERWISE = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}
"""What is no string without quotes, to one reader of YAML or another."""

_ESCAPES = {'"': r"\"", "\\": r"\\"}


def scalar(value: Any) -> str:
    """A key or value, in quotes where it needs them, on one line."""
    if isinstance(value, str):
        return value if _is_plain(value) else quoted(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):  # 1e20 has to be 1.0e+20 for YAML 1.1
        written: str = yaml.safe_dump(value)
        return written.partition("\n")[0]
    return str(value) if value is not None else "null"


def quoted(text: str) -> str:
    """In double quotes; `${` doubled, for it would begin a variable."""
    text = text.replace("${", "$${")
    return '"' + "".join(map(_escaped, text)) + '"'


def flow(value: Any) -> str:
    """Between braces and brackets, on one line."""
    if isinstance(value, Mapping):
        held = ", ".join(f"{scalar(key)}: {flow(each)}" for key, each in value.items())
        return "{" + held + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(flow, value)) + "]"
    return scalar(value)


def _is_plain(text: str) -> bool:
    return bool(_PLAIN.fullmatch(text)) and text.lower() not in _OTHERWISE


def _escaped(letter: str) -> str:
    if letter in _ESCAPES:
        return _ESCAPES[letter]
    if letter.isprintable():
        return letter
    code = ord(letter)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
