"""An ear of the benchmark's own on the broker: what it hears stands among the processes' lines."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread

from pamqp import commands

from benchmarks.bare import Bare
from benchmarks.stage import Line

SOURCE = "ear"


class Ear:
    """Consumes an exclusive queue with these bindings; each message is a Line with its JSON body.

    `source` tells the lines of one ear from others'.  A context manager.
    """

    def __init__(
        self,
        url: str,
        exchange: str,
        keys: list[str],
        lines: SimpleQueue[Line],
        source: str = SOURCE,
    ) -> None:
        self._bare = Bare(url)
        queue = self._bare.call(commands.Queue.Declare(exclusive=True)).queue
        for key in keys:
            self._bare.call(commands.Queue.Bind(queue=queue, exchange=exchange, routing_key=key))
        self._bare.call(commands.Basic.Consume(queue=queue, no_ack=True))
        self._lines, self._source = lines, source
        self._thread = Thread(target=self._listen, daemon=True)
        self._thread.start()

    def __enter__(self) -> Ear:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._bare.socket.shutdown(2)
        self._thread.join(5)
        self._bare.close()

    def _listen(self) -> None:
        with suppress(OSError):  # it ends with its connection
            while True:
                for _, _, _, body in self._bare.deliveries():
                    at = time.monotonic()
                    self._lines.put(Line(at, self._source, json.loads(body)))
