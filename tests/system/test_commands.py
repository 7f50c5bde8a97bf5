"""The commands of the documents that need an installation, run beside a demonstration that runs."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.test_documents import NEEDS_A_SYSTEM, commands
from tests.system.demo_process import Demo, vms

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]

SHOWN = sorted({command for _, command in commands() if command.startswith(NEEDS_A_SYSTEM)})


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A working folder with a running demonstration at its usual place."""
    folder = tmp_path_factory.mktemp("place")
    (folder / "var").mkdir()
    demo = Demo(folder / "var" / "demo")
    try:
        demo.start()
        yield folder
    finally:
        demo.stop()


@pytest.mark.parametrize("command", SHOWN)
def test_a_command_that_is_shown_runs_beside_a_running_system(command: str, place: Path):
    words = shlex.split(command)[1:]
    if "cam-…" in words:
        listing = vms("cameras", "list", "--json", cwd=place)
        words[words.index("cam-…")] = listing.stdout.split('"camera_id": "')[1].split('"')[0]
    for number, word in enumerate(words):
        if word == "audit" and number and words[number - 1] == "--folder":
            words[number] = "var/demo/audit"
    if "--proof" in words:
        entry = vms("audit", "show", "1", "--json", cwd=place)
        (place / "preuve.json").write_text(entry.stdout, encoding="utf-8")
        words[words.index("--proof") + 1] = "preuve.json"
    if words[:2] == ["people", "create"]:
        words.append("--password-stdin")  # where a person would type it twice
    result = vms(*words, cwd=place, input="un mot de passe de contrôle\n")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "Traceback" not in result.stderr
