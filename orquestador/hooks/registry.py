"""What plugins register: roles and responders, and what a running role is handed.

Finding and importing plugins is `loading.py`'s; the loop that runs a role is `run/`'s.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TextIO

from orquestador.errors import ConfigurationError, UnknownName
from orquestador.topology.access import Costs
from orquestador.topology.vocabulary import RoleTerms, Vocabulary
from orquestador.wording import did_you_mean

if TYPE_CHECKING:
    import argparse
    import asyncio

    from orquestador.hooks.observers import Observers
    from orquestador.settings import Settings
    from orquestador.topology.access import Access
    from orquestador.topology.model import Service, Topology

Respond = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class RoleContext:
    """What `Role.run` gets.  A standalone role has an empty topology and a service of its name."""

    topology: Topology
    service: Service
    settings: Settings
    arguments: argparse.Namespace
    stop: asyncio.Event
    observers: Observers
    registry: Registry
    loop: asyncio.AbstractEventLoop
    out: TextIO

    def say(self, text: str) -> None:
        """One line on standard output, at once, in one write: the observers' thread prints too."""
        print(f"{text}\n", end="", file=self.out, flush=True)

    def request_stop(self) -> None:
        """Ask the role to end, from any thread."""
        self.loop.call_soon_threadsafe(self.stop.set)


@dataclass(frozen=True, slots=True)
class Role:
    """A behaviour that `runner.py --role NAME` runs.

    `run(context)` serves until `context.stop` is set and returns the exit code.  `options`: JSON
    Schema (an object's) of what a service of this role may say in its entry; a value with
    `format: duration` is handed on in seconds.  `arguments` adds command-line arguments of its
    own.  `takes_responder`: its services may name a `responder`.  `standalone`: runs without a
    service, a topology file and a broker.  `display`: it is what a person looks at (`--all` gives
    it the terminal).  `serves_broker`: it is a broker, for `--all` where no address is given: it
    takes `--listen HOST:PORT`, and its first line begins with its address.  `access(topology,
    service)`: what its process does on the broker beyond what the file says of the service, for
    `provision export permissions`.  `costs(topology, service)`: the connections and messages of one
    process, for `limits`.
    """

    name: str
    summary: str
    run: Callable[[RoleContext], Awaitable[int]]
    options: Mapping[str, Any] = field(default_factory=dict)
    arguments: Callable[[argparse.ArgumentParser], None] | None = None
    takes_responder: bool = False
    standalone: bool = False
    display: bool = False
    serves_broker: bool = False
    access: Callable[[Topology, Service], Access] | None = None
    costs: Callable[[Topology, Service], Costs] | None = None


@dataclass(frozen=True, slots=True)
class RegisteredResponder:
    name: str
    make: Callable[..., Any]
    options: Mapping[str, Any]
    plugin: str


class Registry:
    """All roles and responders, each with the plugin that it came from."""

    def __init__(self, searched: tuple[str, ...] = ()) -> None:
        self.roles: dict[str, Role] = {}
        self.responders: dict[str, RegisteredResponder] = {}
        self.role_plugin: dict[str, str] = {}
        self.searched = searched

    def add_role(self, role: Role, plugin: str) -> None:
        """Raises ConfigurationError if another plugin has that role already."""
        _once("role", role.name, self.role_plugin.get(role.name), plugin)
        self.roles[role.name] = role
        self.role_plugin[role.name] = plugin

    def add_responder(
        self,
        plugin: str,
        name: str,
        make: Callable[..., Any],
        *,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        """`make`: a function `respond(ping, service)`, or a class whose instances have `respond`.

        A class is called with the options of the service's entry as keyword arguments.
        """
        if not callable(make):
            raise TypeError(f"responder {name!r} is {make!r}, neither a function nor a class")
        known = self.responders.get(name)
        _once("responder", name, known.plugin if known else None, plugin)
        self.responders[name] = RegisteredResponder(name, make, options or {}, plugin)

    def respond(self, service: Service, default: str) -> Respond:
        """What answers the pings of `service`: `respond(ping, service_name)`."""
        name = service.options.get("responder", default)
        try:
            found = self.responders[name]
        except KeyError:
            near = did_you_mean(name, self.responders)
            raise UnknownName(f"no plugin provides responder {name!r}{near}") from None
        if not isinstance(found.make, type):
            return found.make
        known = found.options.get("properties", {})
        options = {key: value for key, value in service.options.items() if key in known}
        try:
            respond: Respond = found.make(**options).respond
        except Exception as fault:
            text = f"responder {name!r} of plugin {found.plugin!r} cannot be made"
            raise ConfigurationError(f"{text}: {type(fault).__name__}: {fault}") from None
        return respond

    @property
    def accesses(self) -> Mapping[str, Callable[[Topology, Service], Access]]:
        """By role: what it adds to what the file says of a service."""
        return {role.name: role.access for role in self.roles.values() if role.access}

    def costs(self, topology: Topology, service: Service) -> Costs:
        """Of one process of the service; one connection where its role does not say."""
        role = self.roles.get(service.role)
        return role.costs(topology, service) if role and role.costs else Costs()

    def vocabulary(self) -> Vocabulary:
        """What a topology file may say, as plain data for its loading."""
        return Vocabulary(
            roles={
                role.name: RoleTerms(role.options, role.takes_responder)
                for role in self.roles.values()
                if not role.standalone
            },
            responders={each.name: each.options for each in self.responders.values()},
            searched=self.searched,
        )


def _once(what: str, name: str, known: str | None, plugin: str) -> None:
    if known is not None:
        raise ConfigurationError(f"{what} {name!r} is registered twice: by {known} and by {plugin}")
