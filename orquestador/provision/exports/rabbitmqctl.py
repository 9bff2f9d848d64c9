"""Accounts as a shell script of `rabbitmqctl` lines.  Passwords come from the environment.

Which accounts there are, and what each may do, is `permissions.py`'s.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from shlex import quote

from orquestador.provision.exports import patterns
from orquestador.provision.exports.permissions import Account

HEAD = """\
#!/bin/sh
# Accounts of least privilege for {path}, for a shell where rabbitmqctl works.
#
# Each may do what its services do and no more, and declare nothing but its own exclusive queues:
# run them with --no-provision (Bus and Responder: provision=False).  Provisioning is another
# account's, one that may configure, write and read all of it.
# An account that is there already keeps its password; the rest may be run again."""
OPEN = """\
# "[^.]+" stands where the names themselves are too many for one pattern of RabbitMQ's: any word."""
DEFAULT = """\
# amq.default is the default exchange: who may write to it can put a message into any queue."""
PASSIVE = """\
# RabbitMQ 4.2.6 and 4.3.0 want configure for passive declares: there these are not enough."""
UNICODE = """\
# Under the locale C rabbitmqctl takes what is not ASCII for other letters.
export LC_ALL=C.UTF-8"""


def script(accounts: Sequence[Account], vhost: str, path: str) -> str:
    """POSIX sh.  It asks for every password before it changes anything.  `path`: the file's."""
    names = variables(account.user for account in accounts)
    body = "\n\n".join(_account(account, names[account.user], vhost) for account in accounts)
    needed = "\n".join(f': "${{{name}:?}}"' for name in names.values())
    head = "\n".join(_head(accounts, _one_line(path), ascii_only=body.isascii()))
    return "\n".join((head, "set -eu", needed, "", body, ""))


def variables(users: Iterable[str]) -> dict[str, str]:
    """User -> the environment variable of its password, no two of one name."""
    names: dict[str, str] = {}
    for user in users:
        stem = re.sub(r"[^A-Z0-9]", "_", user.upper())
        stem = f"_{stem}" if stem[:1].isdigit() else stem
        name, number = f"{stem}_PASSWORD", 1
        while name in names.values():
            number += 1
            name = f"{stem}_{number}_PASSWORD"
        names[user] = name
    return names


def _head(accounts: Sequence[Account], path: str, *, ascii_only: bool) -> Iterator[str]:
    yield HEAD.format(path=path)
    yield PASSIVE
    if any("amq\\.default" in account.write for account in accounts):
        yield DEFAULT
    if any(patterns.broad(each) for account in accounts for each in account.patterns):
        yield OPEN
    if not ascii_only:
        yield UNICODE


def _account(account: Account, variable: str, vhost: str) -> str:
    user = quote(account.user)
    # Only then: after it nothing is an option, and few know it.
    dash = "-- " if account.user.startswith("-") else ""
    rights = " ".join(map(quote, (account.configure, account.write, account.read)))
    lines = [
        f"# {', '.join(account.services)}",
        f"printf '%s\\n' \"${variable}\" | rabbitmqctl -q add_user {dash}{user} || true",
        f"rabbitmqctl -q set_permissions -p {quote(vhost)} {dash}{user} {rights}",
    ]
    for topic in account.topics:
        keys = " ".join(map(quote, (topic.exchange, topic.write, topic.read)))
        lines.append(f"rabbitmqctl -q set_topic_permissions -p {quote(vhost)} {dash}{user} {keys}")
    return "\n".join(lines)


def _one_line(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)
