"""The product's own source, as the checks of this folder read it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("vms", "cameras", "recorder", "supervision_centre", "access_audit")


def modules(root: Path = ROOT, packages: tuple[str, ...] = PACKAGES) -> Iterator[Path]:
    """Every Python module of the product."""
    for package in packages:
        yield from sorted((root / package).rglob("*.py"))


def imported_names(tree: ast.AST) -> Iterator[str]:
    """The dotted name of everything that a module imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield ("." * node.level) + (node.module or "")
