"""What watching costs the broker: connections, and the messages of calm rounds.

All of a round is told here, the services' echoes too: their roles know nothing of the pace.
Probes, changes of state, starts and ends are not in it.  benchmarks/messages.py measures the same.
"""

from __future__ import annotations

from orquestador import Costs, Rate, Service, Topology

from .timing import PING_EVERY, RENEW_EVERY

CONNECTIONS = 3  # wire.py: publishing, listening, watching
LONGEST = 480.0  # seconds; options.py: ping_every


def costs(topology: Topology, service: Service) -> Costs:
    """The first monitor of the file is taken to lead; others stand by and listen."""
    if not topology.watched:
        return Costs(connections=0)  # it does not run
    leader = topology.of_role(service.role)[0]
    leads = service.name == leader.name
    rounds = _round(topology, service, leader) if leads else _standing_by(topology, service, leader)
    return Costs(CONNECTIONS, (*rounds, _baton(service)) if leads else rounds)


def _round(topology: Topology, service: Service, leader: Service) -> tuple[Rate, ...]:
    """One ping to all, for each further replica one more (pinging.py); each is echoed."""
    answers, extra = _answers(topology), _answers(topology) - len(topology.watched)
    text = (
        f"{_many(1 + extra, 'ping')} published, {answers} delivered to services and 1 to "
        f"{service.name}, {_many(answers, 'echo')} published and delivered to it"
    )
    return (_paced(leader, 1 + extra + answers + 1 + 2 * answers, text),)


def _standing_by(topology: Topology, service: Service, leader: Service) -> tuple[Rate, ...]:
    """It hears the leader's round and all echoes; its own ping shows it that it sees."""
    answers = _answers(topology)
    text = f"1 ping and {_many(answers, 'echo')} delivered to {service.name}"
    own = _paced(service, 2, f"1 ping of {service.name} to itself published and delivered")
    return _paced(leader, 1 + answers, text), own


def _paced(service: Service, messages: int, text: str) -> Rate:
    every = service.options.get("ping_every", PING_EVERY)
    setting = f"services.{service.name}.ping_every"
    because = f"{messages} each {every:g} s: {text}"
    return Rate(messages / every, because, setting, every, LONGEST)


def _baton(service: Service) -> Rate:
    renew = service.options.get("renew_every", RENEW_EVERY)
    return Rate(2 / renew, f"2 each {renew:g} s: 1 baton published and delivered")


def _many(number: int, what: str) -> str:
    plural = "es" if what.endswith("o") else "s"
    return f"{number} {what}{'' if number == 1 else plural}"


def _answers(topology: Topology) -> int:
    """Processes that answer, if all replicas live."""
    return sum(int(each.options.get("replicas", 1)) for each in topology.watched)
