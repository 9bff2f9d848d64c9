"""`Responder`: any program answers its pings from a thread of its own, in two lines."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Self

from orquestador.broker.loop_thread import LoopThread
from orquestador.errors import UnknownName
from orquestador.responder.answer import Check, Respond, checking
from orquestador.responder.serving import Names, Serving, Told
from orquestador.settings import settle
from orquestador.topology.model import Topology, ping_queue
from orquestador.wording import did_you_mean

log = logging.getLogger("orquestador.responder")


class Responder:
    """Answers the pings of service `name` until closed; a context manager.

    `checks`: each is called for every ping, on a worker; one that raises or returns False makes
    the service `failing`.  `respond`: a whole responder instead of checks.  Without a topology it
    uses the protocol's names, declares nothing and says so if its queue is missing.

    Raises UnknownName: `name` is not a watched service of the topology.
    """

    def __init__(
        self,
        name: str,
        topology: Topology | str | Path | None = None,
        *,
        checks: Iterable[Check] = (),
        respond: Respond | None = None,
        url: str | None = None,
        provision: bool = True,
    ) -> None:
        settings = settle(url, os.environ)
        if isinstance(topology, str | Path):
            topology = Topology.load(topology)
        if topology is not None:
            watched = [service.name for service in topology.watched]
            if name not in watched:
                near = did_you_mean(name, watched)
                text = f"{name!r} is no service with a queue {ping_queue(name)!r}{near}"
                raise UnknownName(f"{topology.path}: {text}")
            settings = settings.in_vhost(topology.vhost)
        self._serving = Serving(
            name,
            respond or checking(checks),
            Names.of(name, topology, provision=provision),
            settings,
            Told(
                connected=lambda address: log.info("%s answers on %s", name, address),
                lost=lambda why: log.warning("%s: %s; trying again", name, why),
            ),
        )
        self._thread: LoopThread | None = None

    @property
    def instance(self) -> str:
        """The word of this start."""
        return self._serving.instance

    @property
    def counts(self) -> Mapping[str, int]:
        """Pings so far: answered, silent (nothing said), dropped (two in work), rejected."""
        return MappingProxyType(self._serving.counts)

    @property
    def failed(self) -> BaseException | None:
        """Why it gave up for good (Refused, Conflict), or None."""
        return self._thread.failed if self._thread else None

    def __enter__(self) -> Self:
        self._thread = LoopThread(f"responder {self._serving.service}", self._serve)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    async def _serve(self, stop: asyncio.Event) -> None:
        try:
            await self._serving.run(stop)
        except Exception as fault:  # nobody waits for this thread: say it where it is read
            log.error("%s no longer answers pings: %s", self._serving.service, fault)
            raise

    def close(self) -> None:
        """Say goodbye and close, within about a second."""
        if self._thread is not None:
            self._thread.stop(timeout=2.0)
