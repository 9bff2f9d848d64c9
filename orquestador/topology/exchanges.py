"""What brokers refuse, or silently ignore, of one exchange as it is written.

What an exchange refers to is `check.py`'s and `bindings.py`'s.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from orquestador.errors import Fault
from orquestador.nodes import Place
from orquestador.topology.arguments import ALTERNATE
from orquestador.topology.expand import Draft
from orquestador.wording import nearest

PLUGINS_TYPE = "x-"


def faults(draft: Draft) -> Iterator[Fault]:
    for name, terms in draft.exchanges.items():
        place = ("exchanges", name)
        if terms.get("owned") is False and terms.get("bindings"):
            text = (
                "an exchange that is not ours (owned: false) is never changed; its owner binds it"
            )
            yield draft.document.fault((*place, "bindings"), text)
        yield from _arguments(draft, place, terms)


def _arguments(draft: Draft, place: Place, terms: Mapping[str, Any]) -> Iterator[Fault]:
    for name in terms.get("arguments") or ():
        if name == ALTERNATE:
            text = "has a key of its own in this file: alternate"
            yield draft.document.fault((*place, "arguments", name), text)
        elif draft.sound(("known_arguments",)) and draft.sound(place, "type"):
            yield from _unknown(draft, (*place, "arguments", name), name, terms.get("type") or "")


def _unknown(draft: Draft, place: Place, name: str, kind: str) -> Iterator[Fault]:
    """RabbitMQ's four types look at one argument; those of plugins are theirs to know."""
    if name in draft.known or kind.startswith(PLUGINS_TYPE):
        return
    text = "is no argument of RabbitMQ's exchanges, nor listed under known_arguments"
    meant = nearest(name, (ALTERNATE, *draft.known))
    if meant == ALTERNATE:
        text += f"; did you mean {meant!r}, here the key alternate?"
    elif meant:
        text += f"; did you mean {meant!r}?"
    yield draft.document.fault(place, text)
