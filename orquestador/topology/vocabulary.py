"""What plugins let a topology file say: the roles and responders that exist, and their options.

Plain data: `hooks/` collects it from the plugins, `options.py` checks files against it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class RoleTerms:
    """`options`: the JSON Schema, an object's with `properties`, of a service's further keys.

    `takes_responder`: it may name a `responder`, whose options are keys of the service then; the
    schema's `default` of `responder`, if any, is the one that counts when none is named.
    """

    options: Mapping[str, Any] = field(default_factory=dict)
    takes_responder: bool = False


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """`responders`: name -> JSON Schema of its options.  `searched`: the plugin folders."""

    roles: Mapping[str, RoleTerms] = field(default_factory=dict)
    responders: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    searched: tuple[str, ...] = ()
