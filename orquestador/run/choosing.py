"""Which role and which service of the topology a command line means."""

from __future__ import annotations

from orquestador.errors import UsageError
from orquestador.hooks.registry import Registry, Role
from orquestador.topology.model import Service, Topology
from orquestador.wording import did_you_mean


def role(registry: Registry, name: str) -> Role:
    """Raises UsageError with the nearest role and all there are."""
    if name not in registry.roles:
        near = did_you_mean(name, registry.roles)
        known = ", ".join(sorted(registry.roles))
        raise UsageError(f"no plugin provides the role {name!r}{near} (there are: {known})")
    return registry.roles[name]


def service(topology: Topology, role_name: str, name: str | None) -> Service:
    """Raises UsageError: no such service, of another role, or several and none named."""
    of_role = {each.name: each for each in topology.of_role(role_name)}
    if name is None:
        if len(of_role) == 1:
            return next(iter(of_role.values()))
        if not of_role:
            raise UsageError(f"{topology.path} has no service of role {role_name!r}")
        names = ", ".join(of_role)
        raise UsageError(f"role {role_name!r} has several services; --name one of: {names}")
    if name in of_role:
        return of_role[name]
    if name in topology.services:
        other = topology.services[name].role
        raise UsageError(f"service {name!r} has the role {other!r}, not {role_name!r}")
    near = did_you_mean(name, of_role)
    names = ", ".join(of_role) or "none"
    text = f"{topology.path} has no service {name!r}{near} (of role {role_name!r}: {names})"
    raise UsageError(f"{text}; one more is one more line under services:")
