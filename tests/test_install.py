"""`pip install .`: the wheel works away from the checkout, schemas and built-in plugins inside."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.programs import ROOT


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel's contents in a folder; its dependencies are this environment's."""
    folder = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--target", str(folder), str(ROOT)], check=True, timeout=100)
    return folder


def run(installed: Path, cwd: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environ = {k: v for k, v in os.environ.items() if not k.endswith("_URL")}
    return subprocess.run(
        [sys.executable, *command],
        cwd=cwd,
        env={**environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A folder that holds a topology file and nothing of the checkout."""
    (tmp_path / "topology.yaml").write_text((ROOT / "topology.yaml").read_text())
    return tmp_path


def test_it_finds_its_own_parts_not_the_checkout_s(installed: Path, elsewhere: Path) -> None:
    script = "import orquestador.schemas as s; print(s.__file__); print(s.folder())"
    ran = run(installed, elsewhere, "-c", script)

    assert ran.returncode == 0, ran.stderr
    found = ran.stdout.splitlines()
    assert [line.startswith(f"{installed}/") for line in found] == [True, True], found


def test_its_console_scripts_are_runner_and_provision(installed: Path, elsewhere: Path) -> None:
    listed = run(installed, elsewhere, str(installed / "bin" / "orquestador"), "--list")
    valid = run(installed, elsewhere, str(installed / "bin" / "orquestador-provision"), "validate")

    assert listed.returncode == 0, listed.stderr
    assert f"monitor        {installed / 'orquestador_plugins'}" in listed.stdout
    assert (valid.returncode, valid.stdout) == (0, "topology.yaml: valid\n")


def test_a_plugin_beside_the_topology_file_joins_the_shipped_ones(
    installed: Path, elsewhere: Path
) -> None:
    (elsewhere / "plugins").mkdir()
    (elsewhere / "plugins" / "mine.py").write_text(
        "from orquestador import hookimpl\n\n"
        "@hookimpl\n"
        "def register_responders(register):\n"
        "    register('mine', lambda ping, service: {})\n"
    )
    ran = run(installed, elsewhere, "-m", "orquestador", "--list")

    assert "mine           no options (plugin mine)" in ran.stdout
    assert "echo           no options (plugin responders)" in ran.stdout


@pytest.mark.broker
def test_it_provisions_a_broker(installed: Path, elsewhere: Path, url: str) -> None:
    ran = run(installed, elsewhere, "-m", "orquestador.provision", "--url", url)

    assert ran.returncode == 0, ran.stderr
    assert "queue    ping.mock1" in ran.stdout
