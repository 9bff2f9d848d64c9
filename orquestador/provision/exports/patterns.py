r"""Names and routing keys as the regular expressions of RabbitMQ's permissions.

RabbitMQ matches bytes with Erlang's `re` (PCRE), unanchored, and compiles the expression for each
question that is not among the channel's last twelve (rabbit_auth_backend_internal, rabbit_channel).
In topic permissions it replaces `{username}` and `{vhost}`; escaped braces keep it from that.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from orquestador.errors import ConfigurationError
from orquestador.topology.model import UNIQUE

NOTHING = "^$"
EVERYTHING = ".*"
LONGEST = 20_000
"""Bytes.  PCRE's offsets have 16 bits: on 3.10 one of 24,896 bytes compiles, 50,896 do not."""

MANY = 100
"""Names of one stem that give way to a pattern for any, once all of them are too long."""

WORD = "[0-9a-f]{16}"
"""What this library makes of `{unique}`: `events.fresh_word`."""

_SPECIAL = re.compile(r"[\\^$.|?*+()\[\]{}]")


def of_names(names: Iterable[str]) -> str:
    """Exactly these names on the broker, `{unique}` in one standing for a fresh word."""
    return _any_of({_name(name) for name in names})


def of_keys(keys: Iterable[str]) -> str:
    """Exactly the routing keys that these match; `*` and `#` mean what they do in bindings."""
    return _any_of({_key(key) for key in keys}, bare=True)


def of_literal_keys(keys: Iterable[str]) -> str:
    """Exactly these keys: a binding's is checked as it is written, its `*` no more than a star."""
    return _any_of(map(escaped, set(keys)))


def escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\g<0>", text)


def broad(pattern: str) -> bool:
    """Whether it says less than the names it was made of, since those were too many."""
    return "[^.]+" in pattern


def _name(name: str) -> str:
    # RabbitMQ's own name for the default exchange in permissions: rabbit_access_control.
    before, unique, after = (name or "amq.default").partition(UNIQUE)
    return escaped(before) + (WORD if unique else "") + escaped(after)


def _key(key: str) -> str:
    """A word may be empty, and `#` is any number of words, none too."""
    words = re.sub(r"(?<![^.])(?:#\.)+#(?![^.])", "#", key).split(".")
    pattern, begun = "", False
    for position, word in enumerate(words, 1):
        if word == "#" and position == len(words):
            pattern += r"(\..*)?" if begun else ".*"
        elif word == "#":
            pattern += (r"\." if begun else "") + r"(.*\.)?"
            begun = False
        else:
            pattern += (r"\." if begun else "") + ("[^.]*" if word == "*" else escaped(word))
            begun = True
    # An empty key has no word at all, not one that is empty.
    too_wide = key and set(words) != {"#"} and re.fullmatch(pattern, "")
    return f"(?=.){pattern}" if too_wide else pattern


def _any_of(alternatives: Iterable[str], *, bare: bool = False) -> str:
    known = sorted(alternatives)
    if not known:
        return NOTHING
    if EVERYTHING in known:
        return EVERYTHING
    pattern = _joined(known)
    if len(pattern.encode()) > LONGEST:
        pattern = _joined(_opened(known, bare))
    if len(pattern.encode()) > LONGEST:
        text = "a permission with all the names that one account needs is longer than RabbitMQ can"
        raise ConfigurationError(f"{text} compile; give its services different accounts (user:)")
    return pattern


def _joined(alternatives: list[str]) -> str:
    return f"^{alternatives[0]}$" if len(alternatives) == 1 else f"^({'|'.join(alternatives)})$"


def _opened(alternatives: list[str], bare: bool) -> list[str]:
    """Where many differ in their last word alone, any word in its place.

    `bare`: those of one word, too.
    """
    stems = {each: _stem(each) for each in alternatives if "?" not in each}
    counts = Counter(stems.values())
    opening = {stem for stem, count in counts.items() if count > MANY and (stem or bare)}
    return sorted(
        {f"{stems[each]}[^.]+" if stems.get(each) in opening else each for each in alternatives}
    )


def _stem(alternative: str) -> str:
    stem, dot, _ = alternative.rpartition(r"\.")
    return stem + dot
