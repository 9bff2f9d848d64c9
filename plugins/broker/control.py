"""Faults over HTTP on loopback: `POST /cut` with a JSON object of arguments, answered with JSON.

Enough HTTP/1.1 for curl and a standard library client; what the faults do is in `faults`.
"""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Awaitable
from typing import cast

from .faults import Faults, methods
from .server import Broker

_LARGEST = 64 * 1024
"""Bytes of a request that are read; none that means well is larger."""

_WITHIN = 5.0
"""Seconds for a request to arrive whole."""


class Control:
    """The fault injection of one broker, on a port of its own."""

    def __init__(self, broker: Broker) -> None:
        self._faults = methods(Faults(broker))
        self._server: asyncio.Server | None = None

    async def listen(self, host: str, port: int) -> int:
        """Take requests from now on; the port.  Raises OSError."""
        self._server = await asyncio.start_server(self._serve, host, port, limit=_LARGEST)
        return int(self._server.sockets[0].getsockname()[1])

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            status, answer = await self._answer(reader)
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError):
            status, answer = "400 Bad Request", {"error": "no request"}
        body = json.dumps(answer).encode()
        head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nConnection: close\r\n"
        writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        writer.close()

    async def _answer(self, reader: asyncio.StreamReader) -> tuple[str, object]:
        async with asyncio.timeout(_WITHIN):
            path, body = await _request(reader)
        fault = self._faults.get(path.strip("/"))
        if fault is None:
            return "404 Not Found", {"error": f"no such fault; there are {', '.join(self._faults)}"}
        try:
            arguments = json.loads(body or b"{}")
            result = fault(**arguments)
            if inspect.isawaitable(result):
                result = await cast(Awaitable[object], result)
        except (TypeError, ValueError) as error:
            return "400 Bad Request", {"error": str(error)}
        return "200 OK", {"result": result}


async def _request(reader: asyncio.StreamReader) -> tuple[str, bytes]:
    """Path and body of one request."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    line, *headers = head.split("\r\n")
    fields = {name.lower(): value.strip() for name, _, value in (h.partition(":") for h in headers)}
    length = fields.get("content-length", "0")
    size = min(int(length), _LARGEST) if length.isdecimal() else 0
    words = line.split(" ")
    return (words[1] if len(words) > 1 else "/"), await reader.readexactly(size)
