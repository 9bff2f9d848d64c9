"""The role's arguments, and which addresses it takes.  Knows no server and no loop."""

from __future__ import annotations

import argparse
import errno

from orquestador import UsageError

DEFAULT = "127.0.0.1:5672"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--listen",
        default=DEFAULT,
        metavar="HOST:PORT",
        help=f"where clients connect; port 0 lets the system choose (default: {DEFAULT})",
    )
    parser.add_argument(
        "--allow-remote",
        action="store_true",
        help="listen on an address that other machines reach; anyone there may log in as guest",
    )
    parser.add_argument(
        "--control",
        metavar="HOST:PORT",
        help="take faults to inject over HTTP here; loopback only (default: nowhere)",
    )


def address(text: str, option: str, *, allow_remote: bool) -> tuple[str, int]:
    """Host and port.  Raises UsageError, one line that says what to write instead."""
    host, colon, port = text.rpartition(":")
    host = host.strip("[]")
    if not colon or not host or not port.isdecimal() or int(port) > 65535:
        raise UsageError(f"{option} {text}: write HOST:PORT, such as {DEFAULT}")
    if not allow_remote and not _loopback(host):
        raise UsageError(
            f"{option} {text}: {host} is not loopback; "
            "write 127.0.0.1, or add --allow-remote if others may reach it"
            if option == "--listen"
            else f"{option} {text}: {host} is not loopback; write 127.0.0.1"
        )
    return host, int(port)


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    from ipaddress import ip_address

    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False  # a name: where it leads is not known here


def explain(fault: OSError, option: str, host: str, port: int) -> UsageError:
    """Why nothing can listen there, in one line."""
    where = f"{option} {host}:{port}"
    if fault.errno == errno.EADDRINUSE:
        return UsageError(
            f"{where}: another program listens there; choose another port, or 0 for any free one"
        )
    if fault.errno == errno.EACCES:
        return UsageError(f"{where}: ports below 1024 need root; choose a higher one")
    return UsageError(f"{where}: {fault.strerror or fault}")
