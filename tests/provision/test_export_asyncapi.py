"""The AsyncAPI document fits AsyncAPI's own schema, and its messages fit ours."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator, Draft202012Validator

from orquestador import schemas
from orquestador.hooks import loading
from orquestador.provision.exports.asyncapi import asyncapi, embedded
from orquestador.provision.exports.usage import Accesses
from orquestador.topology.load import load
from tests.provision.test_export_definitions import EVERYTHING
from tests.support.programs import ROOT
from tests.support.required import absent

PACKAGE = "@asyncapi/specs@6.11.1"  # Apache-2.0


@pytest.fixture(scope="session")
def asyncapi_schema(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """AsyncAPI 3.0.0's schema, fetched where npm is there to fetch it."""
    if not shutil.which("npm"):
        absent("npm")
    folder = tmp_path_factory.mktemp("asyncapi")
    ran = subprocess.run(
        ["npm", "install", "--prefix", str(folder), "--no-audit", "--no-fund", "--ignore-scripts",
         PACKAGE],
        capture_output=True,
        text=True,
        timeout=100,
    )  # fmt: skip
    if ran.returncode:
        absent(f"AsyncAPI's schema that npm would give ({ran.stderr.strip()[-200:]})")
    file = folder / "node_modules/@asyncapi/specs/schemas/3.0.0.json"
    schema: dict[str, Any] = json.loads(file.read_bytes())
    return schema


@pytest.fixture(scope="module")
def accesses() -> Accesses:
    roles = loading.load(ROOT).registry.roles.values()
    return {role.name: role.access for role in roles if role.access}


def document(text: str, folder: Path, accesses: Accesses) -> dict[str, Any]:
    (folder / "topology.yaml").write_text(text, encoding="utf-8")
    made: dict[str, Any] = yaml.safe_load(asyncapi(load(folder / "topology.yaml"), "/", accesses))
    return made


@pytest.fixture
def seed(tmp_path: Path, accesses: Accesses) -> dict[str, Any]:
    return document((ROOT / "topology.yaml").read_text(encoding="utf-8"), tmp_path, accesses)


def test_it_fits_asyncapi_s_own_schema(
    seed: dict[str, Any], asyncapi_schema: dict[str, Any], tmp_path: Path, accesses: Accesses
) -> None:
    validator = Draft7Validator(asyncapi_schema)

    for made in (seed, document(EVERYTHING, tmp_path, accesses)):
        assert [(list(e.path), e.message) for e in validator.iter_errors(made)] == []
    assert list(validator.iter_errors({**seed, "channels": {"x": {"adress": "x"}}}))


def test_every_reference_leads_somewhere(seed: dict[str, Any]) -> None:
    refs = list(references(seed))

    assert len(refs) > 20
    for ref in refs:
        place: Any = seed
        for step in ref.removeprefix("#/").split("/"):
            place = place[step]


def references(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for each in value:
            yield from references(each)
    elif isinstance(value, dict):
        for key, each in value.items():
            if key == "$ref":
                yield each
            else:
                yield from references(each)


def test_services_send_and_receive_the_heartbeat_s_messages(seed: dict[str, Any]) -> None:
    operations = seed["operations"]

    def messages(name: str) -> list[str]:
        return [each["$ref"].rpartition("/")[2] for each in operations[name].get("messages", ())]

    assert messages("monitor.sends.exchange.heartbeat") == ["ping"]
    assert messages("monitor.sends.exchange.events") == ["echo", "status"]
    assert messages("mock1.sends.exchange.events") == ["echo"]
    assert messages("mock1.receives.queue.ping.mock1") == ["ping"]
    assert messages("monitor.receives.queue.echoes.monitor._unique") == ["ping", "echo", "status"]
    keys = operations["mock1.sends.exchange.events"]["bindings"]["amqp"]["cc"]
    assert keys == ["echo.mock1"]


def test_channels_say_what_the_broker_holds(tmp_path: Path, accesses: Accesses) -> None:
    channels = document(EVERYTHING, tmp_path, accesses)["channels"]

    work = channels["queue.shop.work"]
    assert work["address"] == "shop.work"
    assert work["bindings"]["amqp"]["queue"]["durable"] is True
    assert work["x-arguments"]["x-queue-type"] == "quorum"
    assert {"exchange": "shop.orders", "key": "order.*"} in work["x-bindings"]
    assert channels["queue.shop.own._unique"]["parameters"].keys() == {"unique"}


@pytest.mark.parametrize("name", ["ping", "echo", "status"])
def test_an_embedded_schema_is_one_of_draft_07_that_says_the_same(name: str) -> None:
    ours = schemas.schema(name)
    inlined = embedded(ours)
    (example,) = ours["examples"]

    Draft7Validator.check_schema(inlined)
    assert not list(references(inlined))
    others: tuple[Any, ...] = (None, 0, "", "x" * 200, {})
    for key in example:
        for value in (example[key], *others):
            changed = {**example, key: value}
            fits = Draft202012Validator(ours).is_valid(changed)
            assert Draft7Validator(inlined).is_valid(changed) == fits
