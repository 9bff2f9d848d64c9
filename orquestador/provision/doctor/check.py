"""One line of the doctor's, and the exit code of all of them.  Knows no broker."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from orquestador.errors import BrokerError
from orquestador.settings import Address

STEP = 5.0  # seconds that any one step may take
UNREACHED, REFUSED, CONFIGURATION = 69, 77, 78
_CODE = re.compile(r"^(the broker closed the connection: )?[A-Z_]+ - ")


class Verdict(StrEnum):
    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    SKIP = "skip"  # not asked; the text says why


@dataclass(frozen=True, slots=True)
class Check:
    """`remedy`: what to do, '' where there is nothing.  `code`: the exit code of a failure."""

    name: str
    verdict: Verdict
    text: str
    remedy: str = ""
    code: int = 0


def bare(fault: BrokerError, address: Address) -> str:
    """Its words without the address, which stands above all lines, and without AMQP's code."""
    return _CODE.sub("", str(fault).removeprefix(f"{address}: "))


def ok(name: str, text: str) -> Check:
    return Check(name, Verdict.OK, text)


def warn(name: str, text: str, remedy: str) -> Check:
    return Check(name, Verdict.WARN, text, remedy)


def skip(name: str, text: str, remedy: str = "") -> Check:
    return Check(name, Verdict.SKIP, text, remedy)


def fail(name: str, text: str, remedy: str, code: int) -> Check:
    return Check(name, Verdict.FAIL, text, remedy, code)


def exit_code(checks: Iterable[Check]) -> int:
    """0 fine, or only warnings; else the first failure's: 69 not reached or not able, 77 refused
    (credentials, vhost, permissions, limits), 78 a TLS file that cannot be used."""
    return next((check.code for check in checks if check.verdict is Verdict.FAIL), 0)
