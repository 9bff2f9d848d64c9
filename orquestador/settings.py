"""Where the broker is: addresses, their sources, and their text without the password.

Knows URLs and the environment; opening a connection is `broker/`'s.  URI form:
https://www.rabbitmq.com/docs/uri-spec and /docs/uri-query-parameters.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

from orquestador.errors import ConfigurationError

SOURCES = ("AMQP_URL", "CLOUDAMQP_URL", "RABBITMQ_URL")
LOCAL = "amqp://guest:guest@localhost:5672/"
PORTS = {"amqp": 5672, "amqps": 5671}
QUERY = ("cacertfile", "certfile", "keyfile")
_BETWEEN = re.compile(r"[\s,]*,[\s,]*(?=amqps?://)")  # a comma in a password parts nothing
UNREADABLE = (
    "is the port a number below 65536,"
    " is / in the password written %2F, @ as %40, ? as %3F, # as %23?"
)


@dataclass(frozen=True, slots=True)
class Address:
    """One broker node and the account on it.  `str()` never shows the password."""

    host: str
    port: int
    vhost: str
    user: str
    password: str = field(repr=False)
    tls: bool = False
    cacertfile: str | None = None
    certfile: str | None = None
    keyfile: str | None = None

    def __str__(self) -> str:
        scheme = "amqps" if self.tls else "amqp"
        host = f"[{self.host}]" if ":" in self.host else self.host
        vhost = "" if self.vhost == "/" else quote(self.vhost, safe="")
        return f"{scheme}://{quote(self.user, safe='')}:***@{host}:{self.port}/{vhost}"


@dataclass(frozen=True, slots=True)
class Settings:
    """The addresses of one broker or cluster, and the name of what said so."""

    addresses: tuple[Address, ...]
    source: str

    @property
    def given(self) -> bool:
        """Whether a person named an address, or the local default stands in."""
        return self.source != "the default"

    def __str__(self) -> str:
        return ", ".join(map(str, self.addresses))

    def in_vhost(self, vhost: str | None) -> Settings:
        """The same broker under the vhost that a topology names; None leaves it as it is."""
        if vhost is None:
            return self
        return replace(self, addresses=tuple(replace(a, vhost=vhost) for a in self.addresses))


def settle(url: str | None, environ: Mapping[str, str]) -> Settings:
    """The first that is set: `url` (from --url), AMQP_URL, CLOUDAMQP_URL, RABBITMQ_URL, else local.

    Raises ConfigurationError naming the source; the URL's password is not in the text.
    """
    candidates = [("--url", url or ""), *((name, environ.get(name, "")) for name in SOURCES)]
    source, text = next(((s, t) for s, t in candidates if t.strip()), ("the default", LOCAL))
    text = text.strip(", \t\n")
    if not text:
        raise ConfigurationError(f"{source} holds no address; such as {LOCAL}")
    return Settings(tuple(parse(part, source) for part in _BETWEEN.split(text)), source)


def parse(url: str, source: str = "--url") -> Address:
    """One AMQP URI.  Raises ConfigurationError with what is wrong and a right example."""
    scheme, separator, _ = url.partition("://")
    if not separator or scheme not in PORTS:
        near = get_close_matches(scheme.lower(), PORTS, 1)
        hint = f", did you mean {near[0]}://" if near else ""
        raise _wrong(source, f"the address does not begin with amqp:// or amqps://{hint}")
    try:
        split = urlsplit(url)
        port = PORTS[scheme] if split.port is None else split.port
    except ValueError:
        # urllib quotes the offending part, which may be a piece of the password.
        raise _wrong(source, f"the address cannot be read: {UNREADABLE}") from None
    if "#" in url or "@" in split.path or "@" in split.query:
        # A / ? or # in the password ends the host too soon: what follows is the password's rest.
        raise _wrong(source, f"the address cannot be read: {UNREADABLE}")
    if "," in f"{split.hostname}{split.path}{split.query}":
        what = "each of several addresses begins with amqp:// or amqps://; in a vhost , is %2C"
        raise _wrong(source, what)
    if port == 0:
        raise _wrong(source, "nothing listens on port 0")
    if not split.hostname:
        raise _wrong(source, "the address has no host")
    if "/" in split.path[1:]:
        raise _wrong(source, "the vhost holds a '/'; write it as %2F")
    return Address(
        host=split.hostname,
        port=port,
        vhost=unquote(split.path[1:]) or "/",
        user=unquote(split.username or "guest"),
        password=unquote("guest" if split.password is None else split.password),
        tls=scheme == "amqps",
        **_query(split, source),
    )


def _query(split: SplitResult, source: str) -> dict[str, str]:
    found = dict(parse_qsl(split.query, keep_blank_values=True))
    for name in found:
        if name not in QUERY:
            near = get_close_matches(name, QUERY, 1)
            hint = f"did you mean {near[0]!r}" if near else f"known are {', '.join(QUERY)}"
            raise _wrong(source, f"unknown parameter {name!r} after the '?', {hint}")
    return found


def _wrong(source: str, what: str) -> ConfigurationError:
    return ConfigurationError(f"{source}: {what}; a right one looks like {LOCAL}")
