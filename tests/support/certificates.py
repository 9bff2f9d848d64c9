"""A certificate authority of the test's own and a certificate for `localhost`; needs openssl."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Certificates:
    """Files.  `authority` signed `certificate`, which is good for `localhost` and no other name."""

    authority: Path
    certificate: Path
    key: Path


def make(folder: Path) -> Certificates:
    authority, authority_key = folder / "ca.pem", folder / "ca-key.pem"
    certificate, key = folder / "server.pem", folder / "server-key.pem"
    new = ("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2")
    _openssl(
        *(*new, "-keyout", authority_key, "-out", authority),
        *("-subj", "/CN=an authority of the tests"),
        *("-addext", "keyUsage=critical,keyCertSign,cRLSign"),
    )
    _openssl(
        *(*new, "-keyout", key, "-out", certificate, "-subj", "/CN=localhost"),
        *("-CA", authority, "-CAkey", authority_key),
        *("-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=CA:FALSE"),
    )
    return Certificates(authority, certificate, key)


def _openssl(*arguments: str | Path) -> None:
    ran = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True)
    if ran.returncode:
        raise RuntimeError(f"openssl {arguments}: {ran.stderr}")
