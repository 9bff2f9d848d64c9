"""A broker's certificate: the days it is still good for, and why it is not trusted.

Codes: `openssl verify`, https://docs.openssl.org/3.0/man1/openssl-verification-options/ and
x509_vfy.h.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Any

from orquestador.settings import Address

_NOT_YET, _EXPIRED = 9, 10
_UNKNOWN_AUTHORITY = (2, 18, 19, 20, 21)  # no issuer found, self-signed, incomplete chain
_OTHER_NAME = (62, 64)  # host name, IP address
DAY = 86400.0


def days(certificate: Mapping[str, Any], now: float) -> int:
    """Whole days left; `certificate` as `SSLSocket.getpeercert()` has it, `now` since 1970."""
    return int((ssl.cert_time_to_seconds(certificate["notAfter"]) - now) // DAY)


def distrusted(fault: ssl.SSLCertVerificationError, address: Address) -> tuple[str, str]:
    """What is wrong with it, and the remedy."""
    code = fault.verify_code
    if code == _EXPIRED:
        return "its certificate has expired", "have it renewed on the broker"
    if code == _NOT_YET:
        return "its certificate is not valid yet", "is this machine's clock right?"
    if code in _OTHER_NAME:
        text = f"its certificate is not for the name {address.host}"
        return text, "write the name that the certificate is for in the address"
    if code in _UNKNOWN_AUTHORITY:
        remedy = "name the certificate of who signed it: amqps://...?cacertfile=/path/to/ca.pem"
        if address.cacertfile:
            remedy = f"did the authority in {address.cacertfile} sign it?"
        return f"its certificate is not trusted ({fault.verify_message})", remedy
    return f"its certificate is not trusted ({fault.verify_message})", "have it set right"
