"""`--list`: what there is to run, and where each thing came from."""

from __future__ import annotations

from collections.abc import Iterator

from orquestador.hooks.loading import Plugins
from orquestador.topology.model import Topology


def of_plugins(plugins: Plugins) -> Iterator[str]:
    """One line a thing, under a heading each; whoever has no sound topology file needs it most."""
    registry = plugins.registry
    yield "roles:"
    for name, role in sorted(registry.roles.items()):
        yield f"  {name:<14} {role.summary} (plugin {registry.role_plugin[name]})"
    yield "responders:"
    for name, responder in sorted(registry.responders.items()):
        options = ", ".join(responder.options.get("properties", {})) or "no options"
        yield f"  {name:<14} {options} (plugin {responder.plugin})"
    yield "plugins:"
    for name, origin in sorted(plugins.origins.items()):
        yield f"  {name:<14} {origin}"


def of_services(topology: Topology) -> Iterator[str]:
    """One line a service of the file."""
    yield f"services of {topology.path}:"
    for service in topology.services.values():
        watched = "watched" if service.watched else "not watched"
        yield f"  {service.name:<14} role {service.role}, {watched}"
