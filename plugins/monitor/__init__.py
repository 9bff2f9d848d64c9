"""Role `monitor`: pings every watched service, judges the silence, tells observers what changed."""

from __future__ import annotations

from collections.abc import Callable

from orquestador import Costs, Role, RoleContext, Service, Topology, hookimpl

from .access import access
from .options import OPTIONS, add_arguments


@hookimpl
def register_roles(register: Callable[[Role], None]) -> None:
    register(
        Role(
            name="monitor",
            summary="pings every watched service and shows which of them live",
            run=_run,
            options=OPTIONS,
            arguments=add_arguments,
            display=True,
            access=access,
            costs=_costs,
        )
    )


async def _run(context: RoleContext) -> int:
    from .role import run  # only the process that watches needs its parts

    return await run(context)


def _costs(topology: Topology, service: Service) -> Costs:
    from .costs import costs  # asked for by provisioning alone

    return costs(topology, service)
