"""Role `mock`: a service that only answers its pings, by the responder that its entry names."""

from __future__ import annotations

from collections.abc import Callable

from orquestador import Costs, Role, RoleContext, Service, Topology, hookimpl

DEFAULT_RESPONDER = "echo"
OPTIONS = {
    "type": "object",
    "properties": {
        "responder": {
            "type": "string",
            "default": DEFAULT_RESPONDER,
            "description": "What answers the pings: echo unless said, or one of a plugin's.",
        }
    },
}


@hookimpl
def register_roles(register: Callable[[Role], None]) -> None:
    register(
        Role(
            name="mock",
            summary="a service that answers pings, however its responder does",
            run=_run,
            options=OPTIONS,
            takes_responder=True,
            costs=_costs,
        )
    )


def _costs(topology: Topology, service: Service) -> Costs:
    """One connection; the messages of pings and echoes are told by whoever sends the pings."""
    return Costs(connections=1)


async def _run(context: RoleContext) -> int:
    from orquestador import Names, Serving, Told

    name, observers = context.service.name, context.observers
    serving = Serving(
        name,
        context.registry.respond(context.service, DEFAULT_RESPONDER),
        Names.of(name, context.topology, provision=not context.arguments.no_provision),
        context.settings,
        Told(
            received=observers.received,
            published=observers.published,
            rejected=observers.rejected,
            connected=lambda address: context.say(f"{name} answers pings on {address}"),
            lost=lambda why: context.say(f"{name}: {why}; trying again"),
        ),
    )
    await serving.run(context.stop)
    counts = serving.counts
    skipped = f", {counts['dropped']} older ones skipped" if counts["dropped"] else ""
    context.say(f"{name} stopped: {counts['answered']} answered{skipped}")
    return 0
