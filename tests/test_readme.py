"""What the READMEs promise: their examples run, and the Spanish one is in step with the English."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from orquestador.errors import ConfigurationError
from orquestador.topology.load import load
from tests.support.programs import ROOT, MonitorProgram, Program

ENGLISH, SPANISH = ROOT / "README.md", ROOT / "README.es.md"


def blocks(readme: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", readme.read_text(), re.DOTALL)


def commands(readme: Path) -> list[str]:
    """Indented lines up to their comment, with what is only an example left out."""
    lines = [line for line in readme.read_text().splitlines() if line.startswith("    ")]
    return [
        re.sub(r"\s+#.*", "", line).strip()
        for line in lines
        if re.match(r"\s+(python|make)\b", line)
    ]


@pytest.fixture
def readme_project(tmp_path: Path) -> Path:
    """The seed's topology with the README's two extra lines, and its plugin beside it."""
    added = "".join(blocks(ENGLISH, "yaml"))
    (tmp_path / "topology.yaml").write_text((ROOT / "topology.yaml").read_text() + added)
    (tmp_path / "plugins").mkdir()
    plugin = next(block for block in blocks(ENGLISH, "python") if "register_responders" in block)
    # The answer must be known to be tested: heads or tails is left to the reader.
    certain = plugin.replace("random() < 0.5", "random() < 0.0")
    assert certain != plugin
    (tmp_path / "plugins" / "coin.py").write_text(certain)
    return tmp_path


@pytest.mark.broker
def test_the_readme_s_responder_is_one_file_and_one_line(
    readme_project: Path, start: Callable[..., Program], url: str
) -> None:
    runner = (str(ROOT / "runner.py"), "--url", url, "--role")
    monitor = start(*runner, "monitor", "--json", cwd=readme_project, monitor=True)
    start(*runner, "mock", "--name", "mock4", cwd=readme_project)

    assert isinstance(monitor, MonitorProgram)
    said = monitor.eventually("mock4", "DEGRADED")
    assert said["reason"] == "failing" and "coin: tails" in said["text"]


def test_the_readme_s_mistake_is_told_as_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, mock, after = (ROOT / "topology.yaml").read_text().partition("  mock:\n")
    broken = before + mock + after.replace("exchange: heartbeat", "exchange: heartbeet", 1)
    (tmp_path / "topology.yaml").write_text(broken)
    monkeypatch.chdir(tmp_path)

    with pytest.raises(ConfigurationError) as caught:
        load("topology.yaml")

    promised = next(line for line in ENGLISH.read_text().splitlines() if "heartbeet" in line)
    assert [str(fault) for fault in caught.value.faults] == [promised.strip()]


def test_the_spanish_readme_gives_the_same_commands_and_examples() -> None:
    assert commands(SPANISH) == commands(ENGLISH)
    assert blocks(SPANISH, "yaml") == blocks(ENGLISH, "yaml")
    strip = [re.sub(r'""".*?"""', "", block) for block in blocks(SPANISH, "python")]
    assert strip == [re.sub(r'""".*?"""', "", block) for block in blocks(ENGLISH, "python")]
    headings = [
        len(re.findall(r"^## ", each.read_text(), re.MULTILINE)) for each in (SPANISH, ENGLISH)
    ]
    assert headings[0] == headings[1]


@pytest.mark.parametrize("readme", [ENGLISH, SPANISH])
def test_every_file_that_a_readme_links_to_is_there(readme: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)\)", readme.read_text())
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
