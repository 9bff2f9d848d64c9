"""`topology.state.json`: what was applied, one section a broker, one thing a line, sorted.

What a section means is `records.py`'s, writing the file `journal.py`'s.  It holds names, and no
user or password.  Each list ends in a line that never changes, so that no line depends on the next:
git merges what two branches have added, and where it cannot, the lines of both sides are right.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from orquestador.errors import ConfigurationError, Fault
from orquestador.provision.records import Record, Recorded, Section, in_order
from orquestador.settings import Address, Settings
from orquestador.topology.things import Id, Kind, Link, link

__all__ = ["Section", "State", "broker_key", "parse", "render", "state_path"]

VERSION = 1
ABOUT = "written by orquestador.provision alone; in a merge keep the lines of both sides"
END = ""
"""The last key of each mapping, without a value; a list's last item is null."""
RESTORE = (
    "restore it from version control, or delete it: what the topology once had is then forgotten"
)
_KINDS = {"exchanges": Kind.EXCHANGE, "queues": Kind.QUEUE}
_CONFLICT = re.compile(r"(<{7}|={7}|>{7}|\|{7})( |$)")


@dataclass(frozen=True, slots=True)
class State:
    """All sections of one file, by `broker_key`."""

    sections: Mapping[str, Section] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> State:
        """A missing file is an empty state.

        Raises ConfigurationError where it cannot be read, or is not what provisioning writes.
        """
        try:
            return parse(path.read_text(encoding="utf-8"), str(path))
        except FileNotFoundError:
            return cls()
        except UnicodeDecodeError:
            raise _fault(str(path), 1, "", f"is no UTF-8 text; {RESTORE}") from None
        except OSError as fault:
            raise ConfigurationError(f"{path}: cannot be read: {fault.strerror}") from None

    def section(self, broker: str) -> Section | None:
        """None: never applied there."""
        return self.sections.get(broker)

    def changed(self, broker: str, section: Section) -> State:
        """With that section; an empty one is left out."""
        others = {key: held for key, held in self.sections.items() if key != broker}
        return State({**others, broker: section} if section.records else others)


def state_path(topology: Path) -> Path:
    """`topology.state.json` beside `topology.yaml`."""
    return topology.with_name(f"{topology.stem}.state.json")


def broker_key(settings: Settings) -> str:
    """host:port/vhost; those of a cluster, sorted, with commas between.  Nobody's name in it."""
    return ",".join(sorted({_key(address) for address in settings.addresses}))


def _key(address: Address) -> str:
    host = f"[{address.host}]" if ":" in address.host else address.host
    vhost = "" if address.vhost == "/" else quote(address.vhost, safe="")
    return f"{host}:{address.port}/{vhost}"


# -- writing


def render(state: State) -> str:
    lines = ["{", f' "version": {VERSION},', f' "about": {json.dumps(ABOUT)},', ' "brokers": {']
    for broker in sorted(state.sections):
        lines += [f"  {json.dumps(broker)}: {{", *_section(state.sections[broker]), "  },"]
    return "\n".join([*lines, f'  "{END}": null', " }", "}", ""])


def _section(section: Section) -> Iterator[str]:
    things = in_order(section.records)
    for name, kind in _KINDS.items():
        yield f'   "{name}": {{'
        for thing in things:
            if isinstance(thing, Id) and thing.kind is kind:
                yield f"    {_text(thing.name)}: {_text(_of_record(section.records[thing]))},"
        yield f'    "{END}": null'
        yield "   },"
    yield '   "bindings": ['
    for thing in things:
        if isinstance(thing, Link):
            yield f"    {_text(_of_link(thing) | _of_record(section.records[thing]))},"
    yield "    null"
    yield "   ]"


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _of_record(record: Record) -> dict[str, Any]:
    """What is not usual."""
    terms = {name: getattr(record, name) for name in Record.__slots__}
    return {name: value for name, value in terms.items() if value}


def _of_link(link: Link) -> dict[str, Any]:
    terms = {"source": link.source, str(link.kind): link.destination, "key": link.key}
    return terms if not link.arguments else {**terms, "arguments": link.arguments}


# -- reading


def parse(text: str, file: str) -> State:
    """The state; ConfigurationError with the line that no run of provisioning has written."""
    for number, line in enumerate(text.splitlines(), 1):
        if _CONFLICT.match(line):
            text = "git could not merge it; keep the lines of both sides, but those of <, = and >"
            raise _fault(file, number, "", text)
    try:
        data = json.loads(text, object_pairs_hook=_united)
    except json.JSONDecodeError as fault:
        raise _fault(file, fault.lineno, "", f"is no JSON ({fault.msg}); {RESTORE}") from None
    except (RecursionError, ValueError):  # nested too deep, a number of thousands of digits
        raise _fault(file, 1, "", f"is not what provisioning writes; {RESTORE}") from None
    return _Reading(text, file).state(data)


def _united(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A key that stands twice, after a merge, is one: with what both say."""
    data: dict[str, Any] = {}
    for key, value in pairs:
        data[key] = _both(data[key], value) if key in data else value
    return data


def _both(one: Any, other: Any) -> Any:
    if isinstance(one, dict) and isinstance(other, dict):
        return _united([*one.items(), *other.items()])
    if isinstance(one, list) and isinstance(other, list):
        return [*one, *other]
    return other


def _fault(file: str, line: int, key: str, text: str) -> ConfigurationError:
    return ConfigurationError([Fault(file, line, key, text)])


@dataclass(frozen=True, slots=True)
class _Reading:
    """Where each part must be what provisioning writes; the first that is not is the fault."""

    text: str
    file: str

    def state(self, data: Any) -> State:
        if not isinstance(data, dict) or "version" not in data or "brokers" not in data:
            raise _fault(self.file, 1, "", f"is not what provisioning writes; {RESTORE}")
        version = data["version"]
        if version != VERSION:
            text = (
                f"is {version!r}, and this orquestador knows {VERSION}; run the one that wrote it"
            )
            raise self._wrong("version", text)
        brokers = self._mapping("brokers", data["brokers"])
        return State({broker: self._section(broker, held) for broker, held in brokers.items()})

    def _section(self, broker: str, held: Any) -> Section:
        terms = self._mapping(broker, held)
        records: dict[Recorded, Record] = {}
        for name, kind in _KINDS.items():
            for thing, said in self._mapping(name, terms.pop(name, {})).items():
                records[Id(kind, thing)] = self._record(thing, said)
        bindings = terms.pop("bindings", [])
        if not isinstance(bindings, list):
            raise self._wrong("bindings", f"is no list; {RESTORE}")
        for said in bindings:
            if said is not None:
                binding, rest = self._link(said)
                records[binding] = self._record(binding.source, rest)
        if terms:
            raise self._wrong(next(iter(terms)), f"is unknown here; {RESTORE}")
        return Section(records)

    def _link(self, said: Any) -> tuple[Link, dict[str, Any]]:
        terms = dict(said) if isinstance(said, dict) else {}
        source, key, arguments = (terms.pop(name, None) for name in ("source", "key", "arguments"))
        ends = [(kind, terms.pop(kind)) for kind in (Kind.QUEUE, Kind.EXCHANGE) if kind in terms]
        names = (source, key, *(name for _, name in ends))
        if (
            len(ends) != 1
            or not all(isinstance(name, str) for name in names)
            or not isinstance(arguments, dict | None)
        ):
            text = f"holds {_text(said)}, which is no binding; {RESTORE}"
            raise self._wrong("bindings", text, _text(said))
        ((kind, destination),) = ends
        return link(source, kind, destination, key, arguments or {}), terms

    def _record(self, name: str, said: Any) -> Record:
        terms = self._mapping(name, said)
        usual = Record()
        for key, value in terms.items():
            if key not in Record.__slots__ or type(value) is not type(getattr(usual, key)):
                raise self._wrong(name, f"has {_text({key: value})}, unknown here; {RESTORE}")
        return Record(**terms)

    def _mapping(self, key: str, held: Any) -> dict[str, Any]:
        if not isinstance(held, dict):
            raise self._wrong(key, f"is no mapping; {RESTORE}")
        return {name: value for name, value in held.items() if name != END}

    def _wrong(self, key: str, text: str, at: str = "") -> ConfigurationError:
        """`at`: what stands in that line; the key, unless said."""
        sought, lines = at or _text(key), enumerate(self.text.splitlines(), 1)
        line = next((number for number, line in lines if sought in line), 1)
        return _fault(self.file, line, key, text)
