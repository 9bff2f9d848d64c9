"""Which of the messages sent on one channel a confirm, a refusal or a return is about.

Sending them is `channel.py`'s.  Source: https://www.rabbitmq.com/docs/confirms#publisher-confirms.
"""

from __future__ import annotations

import asyncio
from typing import Any

from orquestador.broker.verbatim import Verbatim
from orquestador.errors import NotConfirmed, Unroutable


class Confirms:
    """The futures of what is sent; each is done with its confirm, or fails."""

    def __init__(self) -> None:
        self.selected = False
        self._sent = 0
        self._unconfirmed: dict[int, asyncio.Future[None]] = {}
        self._returnable: dict[str, asyncio.Future[None]] = {}
        self._forwarded: set[asyncio.Future[None]] = set()

    def sent(self, confirmed: asyncio.Future[None]) -> None:
        """One message has left; in the order of leaving.  Done at once without confirms."""
        self._sent += 1
        if self.selected:
            self._unconfirmed[self._sent] = confirmed
        else:
            confirmed.set_result(None)

    def returnable(self, confirmed: asyncio.Future[None], message_id: str) -> None:
        """That one may be returned: a return repeats its message id."""
        if not confirmed.done():
            self._returnable[message_id] = confirmed
            confirmed.add_done_callback(lambda _done: self._returnable.pop(message_id, None))

    def forwarded(self, confirmed: asyncio.Future[None]) -> None:
        """That one may be returned, and nothing of it is read: a return may be of any such."""
        if not confirmed.done():
            self._forwarded.add(confirmed)
            confirmed.add_done_callback(self._forwarded.discard)

    def forget(self) -> None:
        """The channel is closed."""
        self._unconfirmed.clear()

    def on_confirm(self, frame: Any) -> None:
        method = frame.method
        last = method.delivery_tag
        tags = [t for t in self._unconfirmed if t <= last] if method.multiple else [last]
        for tag in tags:
            confirmed = self._unconfirmed.pop(tag, None)
            if confirmed is None or confirmed.done():
                continue
            if method.NAME == "Basic.Nack":
                confirmed.set_exception(NotConfirmed("the broker refused the message (basic.nack)"))
            else:
                confirmed.set_result(None)

    def on_return(self, _raw: object, method: Any, given: Any, _body: bytes) -> None:
        """basic.return comes before the confirm of the same message."""
        where = f"exchange {method.exchange!r}, routing key {method.routing_key!r}"
        if isinstance(given, Verbatim):
            meant = tuple(self._forwarded)
        else:
            known = self._returnable.get(given.message_id or "")
            meant = (known,) if known is not None else ()
        for confirmed in meant:
            if not confirmed.done():
                confirmed.set_exception(Unroutable(f"no queue takes the message: {where}"))
