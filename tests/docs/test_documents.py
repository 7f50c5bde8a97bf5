"""What the documents say is true: commands run, links lead somewhere, tables fit the code, laws have their tests."""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from tests.architecture.source import ROOT
from tests.system.demo_process import vms
from vms.app.settings import Settings

DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
NEEDS_A_SYSTEM = (
    "vms recorder",
    "vms audit verify",
    "vms audit expiry",
    "vms audit compare",
    "vms audit report",
    "vms audit status",
    "vms people",
    "vms cameras list",
    "vms cameras show",
)
NEEDS_A_CAMERA = ("vms cameras onboard", "vms cameras trust")
NEEDS_ANOTHER_MACHINE = ("vms audit copy", "vms audit take-over")
INSTALLS = ("make ", "python3.11 ", "/opt/", "python3 -I vms-verify.py")
LEGAL_ROW = re.compile(r"^\| (LAW-\d\d) \|")
LAW = re.compile(r"LAW-\d\d")


def commands() -> Iterator[tuple[str, str]]:
    """Every command shown in a console block, with its document."""
    for document in DOCUMENTS:
        for block in re.findall(r"```console\n(.*?)```", document.read_text(encoding="utf-8"), re.DOTALL):
            for line in block.splitlines():
                if line.startswith("$ "):
                    yield document.name, line[2:].partition("   #")[0].strip()


RUNNABLE = [
    command
    for _, command in commands()
    if not command.startswith((*NEEDS_A_SYSTEM, *NEEDS_A_CAMERA, *NEEDS_ANOTHER_MACHINE, *INSTALLS))
]


def test_the_documents_show_commands():
    assert len(RUNNABLE) >= 5


@pytest.mark.parametrize("command", sorted(set(RUNNABLE)))
def test_a_command_that_is_shown_runs(command: str, tmp_path: Path):
    name, *arguments = shlex.split(command)
    assert name == "vms"
    result = vms(*arguments, cwd=tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("target", ["help"])
def test_what_make_offers_is_what_the_makefile_has(target: str):
    listed = subprocess.run(["make", "-s", target], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in ("demo", "test", "test-long", "check", "bench"):
        assert f"make {name}" in listed


@pytest.mark.parametrize("command", sorted({command for _, command in commands() if command.startswith("make ")}))
def test_a_make_target_that_is_shown_exists(command: str):
    target = command.split()[1]
    assert re.search(rf"^{re.escape(target)}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path):
    text = document.read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
        if not link.startswith(("http://", "https://")):
            assert (document.parent / link).exists(), link


def _keys(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, object]]:
    for name, field in model.model_fields.items():
        default = field.default
        if isinstance(default, BaseModel):
            yield from _keys(type(default), f"{prefix}{name}.")
        else:
            yield prefix + name, default


def test_the_table_of_settings_is_that_of_the_program():
    text = (ROOT / "docs" / "administrator.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `([a-z_.]+)` \| (?:`(.*?)`)? ?\|", text, re.MULTILINE))
    assert rows == {key: str(default) for key, default in _keys(Settings)}


def cited_laws() -> dict[str, set[str]]:
    """Each legal row that a test's docstring cites, with the names of those tests."""
    found: dict[str, set[str]] = {}
    for path in (ROOT / "tests").rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                for law in LAW.findall(ast.get_docstring(node) or ""):
                    found.setdefault(law, set()).add(f"{path.relative_to(ROOT / 'tests')}::{node.name}")
    return found


def legal_table() -> str:
    """The table of `docs/legal.md`, made from the tests."""
    lines = ["| duty | proved by |", "| --- | --- |"]
    for law, tests in sorted(cited_laws().items()):
        shown = ", ".join(f"`{test}`" for test in sorted(tests)[:3])
        more = f" and {len(tests) - 3} more" if len(tests) > 3 else ""
        lines.append(f"| {law} | {shown}{more} |")
    return "\n".join(lines)


def test_the_table_of_legal_duties_is_that_of_the_tests():
    """Made anew by `python -m tests.docs.legal`."""
    assert legal_table() in (ROOT / "docs" / "legal.md").read_text(encoding="utf-8")
