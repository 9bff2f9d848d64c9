"""Whether a broker is in step with a topology, bindings included, as a plan says it."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from orquestador.broker.crew import Crew
from orquestador.provision.found import Snapshot
from orquestador.provision.inspecting import look
from orquestador.provision.management import links
from orquestador.provision.plan import Action, Wishes
from orquestador.provision.planning import make
from orquestador.settings import settle
from orquestador.topology.model import Topology
from tests.support.rabbitmq import Node


def out_of_step(topology: Topology, node: Node, vhost: str) -> list[str]:
    """What a plan would do, or say, about anything; nothing for a broker that is in step."""

    async def snapshot() -> Snapshot:
        async with await Crew.open(settle(node.address(vhost), {}), "plan") as crew:
            return await look(crew, topology)

    seen = replace(asyncio.run(snapshot()), links=links(node.management(), vhost))
    plan = make(topology, seen, None, Wishes())
    return [
        f"{step.action} {step.id.name}" for step in plan.steps if step.action is not Action.KEEP
    ]
