"""The role `broker`: a small AMQP 0-9-1 broker in memory, for trying out and for tests.

Cheap to import: the server is loaded when the role runs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from orquestador import Role, hookimpl

from .options import add_arguments

if TYPE_CHECKING:
    from orquestador import RoleContext


async def run(context: RoleContext) -> int:
    """Serve until told to stop.  Raises UsageError for an address that cannot be had."""
    from .serve import serve

    arguments = context.arguments
    await serve(
        arguments.listen,
        control=arguments.control,
        allow_remote=arguments.allow_remote,
        stop=context.stop,
        say=context.say,
    )
    context.say("the broker stopped; what it held is gone")
    return 0


@hookimpl
def register_roles(register: Callable[[Role], None]) -> None:
    register(
        Role(
            name="broker",
            summary="a small AMQP broker in memory, for trying out and for tests",
            run=run,
            arguments=add_arguments,
            standalone=True,
            serves_broker=True,
        )
    )
