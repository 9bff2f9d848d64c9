"""docs/topology.md: tables made from the schema, examples that load, faults told like that."""

from __future__ import annotations

import re

import pytest

from tests.topology.conftest import Complaining
from tests.topology.reference import PAGE, SECTIONS, section, table, tables
from tests.topology.test_schema import KEYS

TEXT = PAGE.read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
EXAMPLES = [text for language, text in BLOCKS if language == "yaml"]
HEADINGS = re.findall(r"^#+ (.*)$", TEXT, re.MULTILINE)
IN_ONE_CELL = {f"/properties/defaults/properties/{name}" for name in ("exchanges", "queues")}
WRONG = """\
version: 1
exchanges:
  orders: {type: topic}
  dead: {type: fanout}
queues:
  work:
    bindings:
      - {exchange: ordrs, key: "order.*"}
    arguments: {x-max-lenght: 5}
  temporary:
    durable: false
"""


@pytest.mark.parametrize("heading", SECTIONS)
def test_the_page_has_every_key_with_its_value_default_and_meaning(heading: str) -> None:
    shown = table(section(TEXT, heading)[0])

    assert shown == tables()[heading], "python -m tests.topology.reference writes it anew"


def test_every_mapping_of_the_schema_has_its_table() -> None:
    mappings = {place.rpartition("/properties/")[0] for place in KEYS}
    shown = {"".join(f"/{step}" for step in place) for place in SECTIONS.values()}

    assert mappings - IN_ONE_CELL == shown


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_is_a_sound_file(complaints_about: Complaining, example: str) -> None:
    text = example if example.startswith("version") else f"version: 1\n{example}"

    assert complaints_about(text) == []


def test_faults_are_told_as_the_page_says(complaints_about: Complaining) -> None:
    (promised,) = (text for language, text in BLOCKS if language == "text")

    assert [f"topology.yaml:{line}" for line in complaints_about(WRONG)] == promised.splitlines()


def test_every_key_that_the_text_names_with_a_value_exists() -> None:
    known = {place.rpartition("/")[2] for place in KEYS}

    named = re.findall(r"`(\w+): [^`]*`", TEXT)

    assert named and set(named) <= known


def test_every_link_leads_somewhere() -> None:
    anchors = {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in HEADINGS}

    inside = set(re.findall(r"\]\(#([^)]+)\)", TEXT))
    outside = re.findall(r"\]\(([^)#]+)\)", TEXT)

    assert inside <= anchors
    assert [link for link in outside if not (PAGE.parent / link).exists()] == []
