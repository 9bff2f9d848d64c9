"""What the echoes queue brings: echoes, pings of all monitors, statuses of the leader.

Each is decoded and told to the watch; who leads is looked at here, for it shows in pings and
statuses: epochs never go back, and who sees a higher one stands down.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

from orquestador import Delivery, EventError, RoleContext
from orquestador.events import Echo, Ping, Status, decode
from orquestador.topology.model import ALL, HEARTBEAT

from .outputs import Said
from .telling import Teller
from .watch import Watch

EPOCHS_AHEAD = 86_400.0  # seconds, of another monitor's clock
SINCE_AT_MOST = 10 * 365 * 86_400.0  # seconds ago


class Incoming:
    """`highest`: epoch ever seen.  `led_at`: when a leader's ping was seen last.

    `deposed(why)`: called when this monitor leads and a later leader shows.
    """

    def __init__(
        self,
        context: RoleContext,
        instance: str,
        watch: Watch,
        teller: Teller,
        deposed: Callable[[str], None],
    ) -> None:
        self.highest = 0
        self.led_at = 0.0
        self._leader = ""
        self._heartbeat = context.topology.exchanges[HEARTBEAT].name
        self._observers, self._instance = context.observers, instance
        self._watch, self._teller, self._deposed = watch, teller, deposed

    def begin(self, now: float) -> None:
        """A session has begun: nobody is known to lead."""
        self._leader, self.led_at = "", now

    def take(self, delivery: Delivery, now: float) -> None:
        try:
            if delivery.routing_key.startswith("echo."):
                self._echo(delivery, now)
            elif delivery.exchange == self._heartbeat:
                self._ping(decode(Ping, delivery.body), delivery.routing_key, now)
            else:
                self._status(decode(Status, delivery.body), now)
        except EventError as fault:
            self._observers.rejected(fault)
            self._watch.rejects(f"{delivery.routing_key}: {fault}", now)

    def _echo(self, delivery: Delivery, now: float) -> None:
        echo = decode(Echo, delivery.body)
        if refusal := self._watch.refusal(echo, delivery.user_id):
            raise EventError(refusal)
        self._observers.received(echo)
        if echo.instance != self._instance:  # our own hello is for others
            self._watch.echo(echo, now)

    def _ping(self, ping: Ping, key: str, now: float) -> None:
        self._observers.received(ping)
        if ping.sender.instance == self._instance:
            self._watch.own_back(ping.id, now)
        elif ping.epoch:  # 0: a standby's to itself, or of --once
            self._look_at(ping.epoch, ping.sender.instance)
            self.led_at = now
            if key == ALL and ping.epoch == self.highest and not self._watch.leading:
                self._follow(ping, now)  # its pings to its own name are no round

    def _follow(self, ping: Ping, now: float) -> None:
        self._watch.other_round(ping.id, now)
        if self._leader != ping.sender.instance:
            self._leader = ping.sender.instance
            said = f"{ping.sender.service} leads, this one stands by"
            self._teller.say(Said("standby", said))

    def _status(self, status: Status, now: float) -> None:
        self._observers.received(status)
        if status.epoch < self.highest:
            return  # of a leader that was deposed meanwhile
        since = now - _ago(status)
        self._look_at(status.epoch, "")
        if not self._watch.leading:  # else it is our own
            self._watch.status(status, since, now)

    def _look_at(self, epoch: int, instance: str) -> None:
        """Raises EventError for an epoch that no clock can have led to."""
        if epoch > (time.time() + EPOCHS_AHEAD) * 1000:
            raise EventError(f"epoch {epoch} is more than a day ahead of this clock")
        self.highest = max(self.highest, epoch)
        mine = (self._watch.epoch, self._instance)
        if self._watch.epoch and (epoch, instance) > mine:  # 0: none, or --once's
            self._deposed("another monitor leads since: standing down")


def _ago(status: Status) -> float:
    """Seconds since its state was entered; EventError for a moment that no calendar has."""
    try:
        since = datetime.fromisoformat(status.since)
    except ValueError as fault:
        raise EventError(f"not valid as status: since: {fault}") from None
    return min(max((datetime.now(UTC) - since).total_seconds(), 0.0), SINCE_AT_MOST)
