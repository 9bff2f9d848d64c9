"""pika's exceptions -> ours, with a sentence that names the address or the broker's own reason.

Reply codes: https://www.rabbitmq.com/amqp-0-9-1-reference.html#constants.
"""

from __future__ import annotations

import ast
import re
import ssl
from collections.abc import Iterator

from pika import exceptions
from pika.adapters.utils import connection_workflow

from orquestador.broker.message import Outgoing
from orquestador.errors import (
    BrokerError,
    Conflict,
    HungUp,
    Locked,
    Lost,
    NotConfirmed,
    NotFound,
    Refused,
    Unreachable,
)
from orquestador.settings import Address

BY_CODE: dict[int, type[BrokerError]] = {
    403: Refused,
    404: NotFound,
    405: Locked,
    406: Conflict,
    530: Refused,
}

OVER_A_QUESTION = (503, 530, 540, 541)
"""Hard errors that one method brought about: command-invalid, not-allowed, not-implemented,
internal-error."""

NOT_LET_IN = "user or password refused"
_LIMIT = re.compile(r"(user )?connection limit \(\d+\) is reached")
"""How RabbitMQ says that a vhost or an account has all the connections it may have: 530 as well."""

_OVER_A_MESSAGE = re.compile(
    r"PRECONDITION_FAILED - (unknown delivery tag|delivery ack|message size|invalid expiration"
    r"|consumer timeout)"
)
"""How a 406 begins that is about no property of a queue or exchange."""

OUT_OF_TIME = (
    connection_workflow.AMQPConnectorStackTimeout,
    TimeoutError,
    exceptions.ConnectionOpenAborted,  # pika's own timer, where TCP answered and AMQP did not
)


def channel_closed(reason: BaseException | None) -> BrokerError:
    """Why a channel closed.  A 406 over a message is not a conflict but a loss."""
    if isinstance(reason, exceptions.ChannelClosed):
        text = _said(reason.reply_text)
        if "user_id property set to" in text:  # a 406 too, yet one of rights
            return Refused(text)
        kind = BY_CODE.get(reason.reply_code, Lost)
        if kind is Conflict and _OVER_A_MESSAGE.match(text):
            kind = Lost
        return kind(text)
    return connection_closed(reason)


def connection_closed(reason: BaseException | None) -> BrokerError:
    """Why an open connection ended."""
    if isinstance(reason, exceptions.ConnectionClosedByBroker):
        kind = HungUp if reason.reply_code in OVER_A_QUESTION else Lost
        return kind(f"the broker closed the connection: {_said(reason.reply_text)}")
    if isinstance(reason, exceptions.ConnectionClosed):
        return Lost("the connection was closed")
    if isinstance(reason, exceptions.AMQPHeartbeatTimeout):
        return Lost("the broker was silent for two heartbeats")
    return Lost("the connection to the broker broke")


def _said(text: str) -> str:
    """The broker's words.  A text cut at 255 bytes may end within a letter: pika gives its repr."""
    if not text.startswith(("b'", 'b"')):
        return text
    return bytes(ast.literal_eval(text)).decode(errors="ignore")


def of_message(fault: BrokerError, message: Outgoing) -> BrokerError | None:
    """What closed the channel, as a fault of this message; None where another's closed it."""
    text = str(fault)
    # RabbitMQ's permissions call the default exchange, whose name is empty, by this one.
    exchange = message.exchange or "amq.default"
    if isinstance(fault, NotFound | Refused) and f"'{exchange}'" in text:
        return fault
    if f"message size {len(message.body)} is larger than" in text:
        return NotConfirmed(f"the broker refused the message: {text}")
    return None


def unwritable(fault: Exception) -> str:
    """Why pika cannot put something into frames.  It checks as it encodes, before a byte is out."""
    if isinstance(fault, exceptions.ShortStringTooLong):
        return "a name or key has more than 255 bytes"
    if isinstance(fault, exceptions.UnsupportedAMQPFieldException):
        return f"a table holds a {type(fault.args[1]).__name__}"
    return f"{type(fault).__name__}: {fault}"


def not_opened(address: Address, reason: BaseException | None) -> BrokerError:
    """Why no connection came about at `address`."""
    causes = list(_causes(reason))
    for cause in causes:
        if isinstance(
            cause, exceptions.ProbableAuthenticationError | exceptions.AuthenticationError
        ):
            return Refused(f"{address}: {NOT_LET_IN}")
        if isinstance(cause, exceptions.ProbableAccessDeniedError):
            if reached := _LIMIT.search(str(cause)):
                return Refused(f"{address}: {reached[0]}")
            return Refused(f"{address}: no vhost {address.vhost!r}, or no access to it")
        if isinstance(cause, exceptions.ConnectionClosed) and cause.reply_code in (403, 530):
            return Refused(f"{address}: {cause.reply_text}")
    return Unreachable(f"{address}: {_sentence(causes)}")


def _sentence(causes: list[BaseException]) -> str:
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its TLS certificate is not trusted ({cause.verify_message})"
        if isinstance(cause, ssl.SSLError):
            return f"no TLS there ({cause.reason or cause}); is it an amqp:// port?"
    for cause in causes:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror.lower()
    for cause in causes:
        if isinstance(cause, OUT_OF_TIME):
            return "no answer in time"
        if isinstance(cause, exceptions.IncompatibleProtocolError):
            return "it does not speak AMQP 0-9-1 (is it a TLS port? then amqps://)"
    return "it hung up while the connection was opened"


def _causes(reason: BaseException | None) -> Iterator[BaseException]:
    """The exceptions that pika wraps in one another, outermost first."""
    pending, seen = [reason], set[int]()
    while pending:
        cause = pending.pop(0)
        if not isinstance(cause, BaseException) or id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        pending += [*cause.args, cause.__cause__, getattr(cause, "exception", None)]
        pending += getattr(cause, "exceptions", ())
