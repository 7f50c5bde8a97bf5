"""Rules that no linter knows, each with a planted violation that it must catch."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.architecture.source import ROOT, imported_names, modules

CEILING_LINES = 500
_DURABLE_CALLS = {
    "os": {"rename", "renames", "replace", "unlink", "remove", "fsync", "fdatasync", "link", "truncate", "sync"},
    "shutil": {"rmtree", "move"},
}
_DURABLE_METHODS = {"rename", "unlink", "hardlink_to"}
_WORKPLACES = {"asyncio", "socket", "os", "pathlib", "subprocess", "threading", "time", "ssl", "select", "tempfile"}


def durable_calls(source: str) -> list[str]:
    """Calls of a module that rename, unlink or sync."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        owner, name = node.func.value, node.func.attr
        owner_name = owner.id if isinstance(owner, ast.Name) else ""
        if name in _DURABLE_CALLS.get(owner_name, set()) or name in _DURABLE_METHODS:
            found.append(f"{owner_name or '…'}.{name} (line {node.lineno})")
    return found


def impure_imports(source: str) -> list[str]:
    """Imports by which a media module could do I/O or tell the time."""
    return [name for name in imported_names(ast.parse(source)) if name.split(".")[0] in _WORKPLACES]


def foreign_imports(source: str) -> list[str]:
    """Imports of the verifier beyond the standard library, `cryptography` and itself."""
    allowed = {*sys.stdlib_module_names, "cryptography", ""}
    return [
        name
        for name in imported_names(ast.parse(source))
        if name.split(".")[0] not in allowed and not name.startswith("access_audit.verify")
    ]


def too_long(source: str) -> list[str]:
    """The length of a file over the ceiling."""
    count = source.count("\n")
    return [f"{count} lines"] if count > CEILING_LINES else []


def _tracked() -> list[Path]:
    listing = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    suffixes = {".py", ".js", ".css", ".html", ".sh", ".md", ".toml"}
    paths = [ROOT / name for name in listing.stdout.splitlines()]
    return [path for path in paths if path.suffix in suffixes and "vendor" not in path.parts and path.exists()]


_RULES: dict[str, tuple[Callable[[str], list[str]], Callable[[], list[Path]], str]] = {
    "only the durable module renames, unlinks and syncs": (
        durable_calls,
        lambda: [path for path in modules() if path != ROOT / "vms" / "base" / "durable.py"],
        "import os\nos.unlink('x')\n",
    ),
    "media formats are pure": (impure_imports, lambda: list(modules(ROOT / "vms", ("media",))), "import socket\n"),
    "the verifier needs nothing but cryptography": (
        foreign_imports,
        lambda: list(modules(ROOT / "access_audit", ("verify",))),
        "import vms.base.clock\n",
    ),
    "no file is longer than the ceiling": (too_long, _tracked, "\n" * (CEILING_LINES + 1)),
}


@pytest.mark.parametrize("rule", _RULES)
def test_the_source_keeps_the_rule(rule: str):
    check, files, _ = _RULES[rule]
    broken = {str(path.relative_to(ROOT)): found for path in files() if (found := check(path.read_text("utf-8")))}
    assert not broken, rule


@pytest.mark.parametrize("rule", _RULES)
def test_a_planted_violation_is_caught(rule: str):
    check, _, violation = _RULES[rule]
    assert check(violation)


@pytest.mark.parametrize("body", ["vms.app.processes.shard", "vms.app.processes.gateway"])
def test_a_recording_process_loads_no_decoder_no_framework_and_no_orm(body: str):
    luxury = "{'av', 'cv2', 'fastapi', 'starlette', 'uvicorn', 'sqlalchemy', 'numpy', 'zeep', 'aiortc'}"
    probe = f"import sys, {body}; print(sorted({luxury} & set(sys.modules)))"
    loaded = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"
