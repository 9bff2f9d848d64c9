"""The way to one address, step by step: name, port, TLS, AMQP, credentials, vhost.

The first step that fails ends it; each takes at most `STEP` seconds.  What the broker is good for
once it is reached is the other modules'.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import time
from collections.abc import AsyncGenerator
from ipaddress import ip_address
from shlex import quote

from orquestador.broker.connection import Connection, tls_context
from orquestador.broker.faults import NOT_LET_IN
from orquestador.errors import BrokerError, ConfigurationError, Refused
from orquestador.provision.doctor.check import (
    CONFIGURATION,
    REFUSED,
    STEP,
    UNREACHED,
    Check,
    bare,
    fail,
    ok,
    skip,
    warn,
)
from orquestador.provision.doctor.trust import days, distrusted
from orquestador.settings import Address, Settings

HEARTBEAT = 10  # seconds, AMQP's own
FEW_DAYS = 30


async def reach(address: Address) -> AsyncGenerator[Check, None]:
    """Reached where none of them is a failure."""
    try:
        hosts, check = await _name(address)
        yield check
        host, check = await _port(address, hosts)
        yield check
        yield await _tls(address, host)
        for check in await _amqp(address):
            yield check
    except _Failed as failed:
        yield failed.check


class _Failed(Exception):
    def __init__(self, check: Check) -> None:
        self.check = check


async def _name(address: Address) -> tuple[list[str], Check]:
    """The IP addresses of its host, in the resolver's order."""
    remedy = f"is {address.host!r} spelt right in the address, and is there a network?"
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(STEP):
            found = await loop.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except TimeoutError:
        text = f"{address.host} was not resolved within {STEP:g} s"
        raise _Failed(fail("name", text, remedy, UNREACHED)) from None
    except (OSError, UnicodeError) as fault:
        why = getattr(fault, "strerror", None) or "no host can be called that"
        text = f"{address.host}: {why.lower()}"
        raise _Failed(fail("name", text, remedy, UNREACHED)) from None
    hosts = list(dict.fromkeys(str(end[0]) for *_, end in found))
    if hosts == [address.host]:
        return hosts, ok("name", f"{address.host} is an address")
    return hosts, ok("name", f"{address.host} is {', '.join(hosts)}")


async def _port(address: Address, hosts: list[str]) -> tuple[str, Check]:
    """The first of these that answers at the port."""
    said: list[str] = []
    for host in hosts:
        began = time.perf_counter()
        try:
            async with asyncio.timeout(STEP / len(hosts)):
                _, writer = await asyncio.open_connection(host, address.port)
        except TimeoutError:
            said.append(f"{host}: no answer within {STEP / len(hosts):g} s")
        except OSError as fault:
            said.append(f"{host}: {os.strerror(fault.errno or 0).lower()}")
        else:
            writer.transport.abort()
            took = (time.perf_counter() - began) * 1000
            return host, ok("port", f"port {address.port} answers in {took:.1f} ms")
    remedy = (
        "is a broker running there, is the port right (amqp 5672, amqps 5671), and does a"
        " firewall let you through?"
    )
    text = f"nothing at port {address.port} ({'; '.join(said)})"
    raise _Failed(fail("port", text, remedy, UNREACHED))


async def _tls(address: Address, host: str) -> Check:
    if not address.tls:
        ip = ip_address(host.partition("%")[0])
        if ip.is_loopback:
            return ok("tls", "none, and none needed on one machine")
        if ip.is_global:
            remedy = f"amqps://{address.host} instead of amqp://, where the broker offers it"
            return warn("tls", "none: password and messages cross the net readable", remedy)
        return skip("tls", "not asked for (amqp://)")
    try:
        context = tls_context(address)
    except ConfigurationError as fault:
        remedy = "check cacertfile, certfile and keyfile at the end of the address"
        raise _Failed(fail("tls", str(fault), remedy, CONFIGURATION)) from None
    try:
        async with asyncio.timeout(STEP):
            _, writer = await asyncio.open_connection(
                host, address.port, ssl=context, server_hostname=address.host
            )
    except ssl.SSLCertVerificationError as fault:
        raise _Failed(fail("tls", *distrusted(fault, address), UNREACHED)) from None
    except (OSError, TimeoutError):
        text = f"port {address.port} speaks no TLS"
        remedy = "amqp:// instead of amqps://, or the port of TLS (5671 as a rule)"
        raise _Failed(fail("tls", text, remedy, UNREACHED)) from None
    left = days(writer.get_extra_info("peercert"), time.time())
    version = writer.get_extra_info("ssl_object").version()
    writer.transport.abort()
    text = f"{version}, certificate trusted for another {left} day{'s' * (left != 1)}"
    if left < FEW_DAYS:
        return warn("tls", text, "have it renewed on the broker before then")
    return ok("tls", text)


async def _amqp(address: Address) -> list[Check]:
    """AMQP, credentials and vhost, to the first failure."""
    reached = [ok("amqp", "AMQP 0-9-1 is spoken there")]
    try:
        connection = await Connection.open(
            Settings((address,), "doctor"), "doctor", heartbeat=HEARTBEAT
        )
    except Refused as fault:
        if bare(fault, address) == NOT_LET_IN:
            return [*reached, fail("credentials", NOT_LET_IN, _credentials(address), REFUSED)]
        reached.append(ok("credentials", f"user {address.user!r} is let in"))
        return [*reached, fail("vhost", *_shut_out(fault, address), REFUSED)]
    except BrokerError as fault:
        return [fail("amqp", *_silent(fault, address), UNREACHED)]
    await connection.close()
    reached.append(ok("credentials", f"user {address.user!r} is let in"))
    return [*reached, ok("vhost", f"{address.vhost!r} is there")]


def _credentials(address: Address) -> str:
    remedy = "check them in the address (there % is written %25, @ is %40, / is %2F)"
    if address.user == "guest":
        remedy += "; RabbitMQ lets guest in from its own machine only"
    return remedy


def _shut_out(fault: BrokerError, address: Address) -> tuple[str, str]:
    text = bare(fault, address)
    if "limit" in text:
        return text, "close what is not needed, or have the limit raised by who runs the broker"
    vhost, user = address.vhost, address.user
    remedy = (
        f"as the broker's administrator: rabbitmqctl add_vhost {quote(vhost)}; rabbitmqctl"
        f" set_permissions -p {quote(vhost)} {quote(user)} '.*' '.*' '.*'"
    )
    return text, remedy


def _silent(fault: BrokerError, address: Address) -> tuple[str, str]:
    remedy = "is that the port of AMQP 0-9-1, and not one of HTTP, MQTT or another?"
    if address.tls:
        remedy += "  Or does the broker ask for a client's certificate (certfile, keyfile)?"
    return bare(fault, address), remedy
