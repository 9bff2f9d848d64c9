"""Bindings as RabbitMQ's management API lists them; AMQP cannot list any.

Blocks: for a thread, or a command with nothing else to do.  Stands on the standard library.
https://www.rabbitmq.com/docs/management#http-api and the plugin's own /api/index.html.
"""

from __future__ import annotations

import json
import ssl
from base64 import b64encode
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import parse_qsl, quote, unquote, urlsplit
from urllib.request import HTTPRedirectHandler, HTTPSHandler, Request, build_opener

from orquestador.errors import BrokerError, ConfigurationError, NotFound, Refused, Unreachable
from orquestador.topology.things import Kind, Link, link

EXAMPLE = "http://guest:guest@localhost:15672"
PORTS = {"http": 80, "https": 443}
TIMEOUT = 10.0  # seconds
LONGEST = 200  # characters of a server's own words
_NOT_IT = "what answers there is not RabbitMQ's management API"
_UNREADABLE = (
    "is the port a number below 65536, is / in the password written %2F, @ as %40, ? as %3F,"
    " # as %23?"
)


@dataclass(frozen=True, slots=True)
class Management:
    """Where the API is.  `str()` never shows the password."""

    scheme: str
    host: str
    port: int
    path: str
    user: str
    password: str = field(repr=False)
    cacertfile: str | None = None

    def __str__(self) -> str:
        return f"{self._of(f'{quote(self.user)}:***@')}{self.path}"

    def api(self, *parts: str) -> str:
        path = "/".join(quote(part, safe="") for part in parts)
        return f"{self._of('')}{self.path}/api/{path}"

    def _of(self, user: str) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{user}{host}:{self.port}"


def links(url: str, vhost: str) -> frozenset[Link]:
    """All bindings of a vhost, but for those of the default exchange, which is none of anybody's.

    Raises ConfigurationError (the URL), Unreachable (nothing answers, or no management API does),
    Refused (401, 403) or NotFound (no such vhost).
    """
    there = parse(url)
    found = _get(there, there.api("bindings", vhost), vhost)
    try:
        return frozenset(_link(entry) for entry in found if entry["source"])
    except (KeyError, TypeError, ValueError):
        raise Unreachable(f"{there}: {_NOT_IT}") from None


def _link(entry: Mapping[str, Any]) -> Link:
    kind = Kind(entry["destination_type"])
    arguments = entry["arguments"]
    return link(entry["source"], kind, entry["destination"], entry["routing_key"], arguments)


def parse(url: str, source: str = "--management") -> Management:
    """`http[s]://user:password@host[:port][/path][?cacertfile=FILE]`; guest, guest where it names
    nobody.  Raises ConfigurationError without the password."""
    scheme = url.partition("://")[0]
    if scheme not in PORTS:
        raise _wrong(source, "the address does not begin with http:// or https://")
    try:
        split = urlsplit(url)
        port = PORTS[scheme] if split.port is None else split.port
    except ValueError:
        # urllib quotes the offending part, which may be a piece of the password.
        raise _wrong(source, f"the address cannot be read: {_UNREADABLE}") from None
    if not split.hostname:
        raise _wrong(source, "the address has no host")
    if port == 0:
        raise _wrong(source, "nothing listens on port 0")
    if "#" in url or "@" in split.path or "@" in split.query:
        raise _wrong(source, f"the address cannot be read: {_UNREADABLE}")
    query = dict(parse_qsl(split.query, keep_blank_values=True))
    cacertfile = query.pop("cacertfile", None)
    if query:
        raise _wrong(source, f"unknown parameter {min(query)!r}; known is cacertfile")
    return Management(
        scheme,
        split.hostname,
        port,
        split.path.rstrip("/"),
        unquote(split.username or "guest"),
        unquote("guest" if split.password is None else split.password),
        cacertfile,
    )


def _wrong(source: str, what: str) -> ConfigurationError:
    return ConfigurationError(f"{source}: {what}; a right one looks like {EXAMPLE}")


class _NoRedirects(HTTPRedirectHandler):
    """urllib would send the password along, to whatever host the answer names."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def _get(there: Management, url: str, vhost: str) -> Any:
    account = b64encode(f"{there.user}:{there.password}".encode()).decode()
    request = Request(url, headers={"Authorization": f"Basic {account}"})
    opener = build_opener(_NoRedirects, HTTPSHandler(context=_tls(there)))
    try:
        with opener.open(request, timeout=TIMEOUT) as answer:
            return json.load(answer)
    except HTTPError as fault:
        with fault:
            raise _refusal(there, fault, vhost) from None
    except (URLError, OSError, HTTPException) as fault:
        usual = "; RabbitMQ's own port is 15672" if there.port in PORTS.values() else ""
        raise Unreachable(f"{there}: {_why(fault)}{usual}") from None
    except ValueError:  # not JSON, or not even text
        raise Unreachable(f"{there}: {_NOT_IT}") from None


def _tls(there: Management) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=there.cacertfile)
    except (OSError, ssl.SSLError) as fault:
        raise ConfigurationError(f"cacertfile of {there} cannot be used: {fault}") from None


def _refusal(there: Management, fault: HTTPError, vhost: str) -> BrokerError:
    said = ""
    with suppress(ValueError, OSError, HTTPException, TypeError, KeyError):
        said = str(json.load(fault)["reason"])[:LONGEST]
    if fault.code in (401, 403):
        reason = f" ({said})" if said else ""
        return Refused(
            f"{there}: refused{reason}; the user needs that password, the tag management"
            f" (rabbitmqctl set_user_tags) and rights in vhost {vhost!r}"
        )
    if fault.code == 404 and said:
        path = f", or no API under {there.path}" if there.path else ""
        return NotFound(f"{there}: no vhost {vhost!r} there{path}")
    return Unreachable(f"{there}: {_NOT_IT} (HTTP {fault.code})")


def _why(fault: Exception) -> str:
    reason = getattr(fault, "reason", fault)
    if isinstance(reason, ssl.SSLCertVerificationError):
        return f"its TLS certificate is not trusted ({reason.verify_message})"
    if isinstance(reason, ssl.SSLError):
        return "no TLS there; is it an http:// port?"
    if isinstance(reason, TimeoutError):
        return f"no answer within {TIMEOUT:g} s"
    if isinstance(reason, OSError) and reason.strerror:
        return reason.strerror.lower()
    return f"no HTTP is spoken there ({type(reason).__name__})"
