"""What the account may configure, write and read on the topology's names: all asked, none touched.

How one is asked without harm is `harmless.py`'s.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from shlex import quote

from orquestador.broker.crew import Crew, Question
from orquestador.errors import BrokerError
from orquestador.events import fresh_word
from orquestador.provision.doctor import harmless
from orquestador.provision.doctor.check import REFUSED, STEP, Check, fail, ok, skip
from orquestador.provision.doctor.harmless import Answer, Manners, Request
from orquestador.provision.exports.permissions import Rights
from orquestador.provision.exports.usage import ANY
from orquestador.settings import Address
from orquestador.topology.model import UNIQUE

MANY = 200
"""Names of each right that are asked about: each answer is a line in the broker's log."""

SHOWN = 5
Told = Callable[[int, int], None]
Requests = Mapping[str, Request | str]
"""By what is shown of each; a text: why it is not asked."""

ACTS = "this broker would act on the question"
NO_QUEUE = "it takes the right to write to a queue"


@dataclass(frozen=True, slots=True)
class Tally:
    """`unasked`: names by the reason.  `left_out`: how many are beyond MANY."""

    granted: Sequence[str]
    refused: Sequence[str]
    unasked: Mapping[str, Sequence[str]]
    left_out: int


async def examine_rights(
    crew: Crew, needs: Rights, exchanges: frozenset[str], manners: Manners, asked: Told
) -> AsyncGenerator[Check, None]:
    """`exchanges`: those that the topology declares; all other names are queues'.

    Raises TimeoutError or Lost where the broker goes.
    """
    address = crew.connection.address
    exchanges = exchanges | {""}
    tally = await _ask(crew, _configure(needs, exchanges, manners), asked)
    yield _check("configure", tally, address)
    tally = await _ask(crew, _write(needs, exchanges, manners), asked)
    yield _check("write", tally, address)
    writable = next((name for name in tally.granted if name in needs.write - exchanges), None)
    tally = await _ask(crew, _read(needs, exchanges, manners, writable), asked)
    yield _check("read", tally, address)


def _configure(needs: Rights, exchanges: frozenset[str], manners: Manners) -> Requests:
    def request(name: str) -> Request | str:
        if name in exchanges:
            return harmless.configure_exchange(name) if manners.configure_exchange else ACTS
        return harmless.configure_queue(_fresh(name)) if manners.configure_queue else ACTS

    return {name: request(name) for name in sorted(needs.configure)}


def _write(needs: Rights, exchanges: frozenset[str], manners: Manners) -> Requests:
    requests: dict[str, Request | str] = {}
    for name in sorted(needs.write):
        if name not in exchanges:
            requests[name] = harmless.write_queue(_fresh(name))
            continue
        for key in sorted(needs.published.get(name, frozenset()) - {ANY}) or (None,):
            shown = (name or "the default exchange") + (f" ({key})" if key else "")
            send = harmless.write_exchange(name, _some_key(key))
            requests[shown] = send if manners.write_exchange else ACTS
    return requests


def _read(
    needs: Rights, exchanges: frozenset[str], manners: Manners, writable: str | None
) -> Requests:
    def request(name: str) -> Request | str:
        if name in exchanges:
            return harmless.read_exchange(name, _fresh(writable)) if writable else NO_QUEUE
        return harmless.read_queue(_fresh(name)) if manners.read_queue else ACTS

    return {name: request(name) for name in sorted(needs.read)}


def _fresh(name: str) -> str:
    return name.replace(UNIQUE, fresh_word())


def _some_key(pattern: str | None) -> str | None:
    """A routing key that a binding's pattern takes."""
    if pattern is None:
        return None
    words = (fresh_word() if word in ("*", ANY) else word for word in pattern.split("."))
    return ".".join(words)


async def _ask(crew: Crew, requests: Requests, asked: Told) -> Tally:
    names = list(requests)
    names = names[:: -(-len(names) // MANY) or 1]
    said: dict[str, Answer | BrokerError | str] = {}
    put: list[tuple[str, Question[Answer]]] = []
    for name in names:
        request = requests[name]
        if isinstance(request, str):
            said[name] = request
        else:
            put.append((name, harmless.question(request)))
    answers = crew.each([question for _, question in put])
    async with aclosing(answers):
        for done in range(len(put)):
            async with asyncio.timeout(STEP):
                position, answer = await anext(answers)
            said[put[position][0]] = answer
            asked(done + 1, len(put))
    return _tally({name: said[name] for name in names}, len(requests))


def _tally(said: Mapping[str, Answer | BrokerError | str], total: int) -> Tally:
    granted: list[str] = []
    refused: list[str] = []
    unasked: dict[str, list[str]] = {}
    for name, answer in said.items():
        match answer:
            case Answer.REFUSED:
                refused.append(name)
            case Answer():
                granted.append(name)
            case _:
                unasked.setdefault(str(answer), []).append(name)
    return Tally(granted, refused, unasked, total - len(said))


def _check(right: str, tally: Tally, address: Address) -> Check:
    asked = len(tally.granted) + len(tally.refused)
    text = f"{len(tally.granted)} of {asked} names"
    if tally.left_out:
        text += f" ({tally.left_out} more not asked)"
    if tally.refused:
        text += f", not {_listed(tally.refused)}"
    for reason, names in tally.unasked.items():
        text += f"; not asked ({reason}): {_listed(names)}"
    if tally.refused:
        remedy = (
            f"rabbitmqctl set_permissions -p {quote(address.vhost)} {quote(address.user)}"
            " '.*' '.*' '.*', or the least that each service needs: export permissions"
        )
        if right == "configure":
            remedy += "; a service runs without, too, once all is there: --no-provision"
        return fail(right, text, remedy, REFUSED)
    if tally.unasked:
        return skip(right, text)
    return ok(right, text)


def _listed(names: Sequence[str]) -> str:
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")
