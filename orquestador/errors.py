"""What can go wrong, split by who must act: the person's files, the broker, one bad message.

Every text is one line for a person; nothing here knows pika, sockets or the command line.
"""

from collections.abc import Sequence
from dataclasses import dataclass


class OrquestadorError(Exception):
    """Anything this library raises on purpose.  Others are defects of ours."""


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One thing wrong in a file: where, which key, what; the text names what would be right."""

    file: str
    line: int
    key: str
    text: str

    def __str__(self) -> str:
        key = f" {self.key}:" if self.key else ""
        return f"{self.file}:{self.line}:{key} {self.text}"


class ConfigurationError(OrquestadorError):
    """The person's files or arguments are wrong.  `faults` holds all of them, in file order."""

    def __init__(self, faults: Sequence[Fault] | str) -> None:
        self.faults: tuple[Fault, ...] = () if isinstance(faults, str) else tuple(sorted(faults))
        super().__init__(faults if isinstance(faults, str) else "\n".join(map(str, self.faults)))


class UsageError(ConfigurationError):
    """A command line asks for what cannot be done."""


class UnknownName(ConfigurationError):
    """A name that the topology (or a registry) does not declare; the text has the nearest one."""


class BrokerError(OrquestadorError):
    """The broker, or the way to it, said no or went away."""


class Unreachable(BrokerError):
    """No address answered as an AMQP broker: name, port, TLS, time-out.  Trying again may help."""


class Lost(BrokerError):
    """A connection or channel that was open is gone.  Connecting again is the remedy."""


class HungUp(Lost):
    """The broker closed the whole connection over something that was asked of it (5xx).

    Asking the same again would end the same way; what else was under way is not to blame.
    """


class Refused(BrokerError):
    """Credentials, vhost or permission (403, 530 at opening).  A person must act."""


class Conflict(BrokerError):
    """406 PRECONDITION_FAILED: a thing of that name exists with other properties."""


class NotFound(BrokerError):
    """404: no such exchange or queue, or its home node is down (the text tells which)."""


class Locked(BrokerError):
    """405 RESOURCE_LOCKED: an exclusive queue belongs to another connection."""


class Unroutable(BrokerError):
    """A mandatory message came back: no queue takes that exchange and routing key."""


class NotConfirmed(BrokerError):
    """The broker refused a message (basic.nack), or did not confirm it in time."""


class EventError(OrquestadorError):
    """One message is not what it claims to be; only that message is rejected."""
