"""`vms-verify.py`: the verifier as one readable file, for a machine without the product.

The modules of `access_audit.verify` stand one after the other, what is needed before what needs it, with their
explanations as comments and their imports from each other left out. Nothing is packed or renamed: an expert reads what
runs. The same sources give the same bytes, so that its digest can be published.
"""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

_PACKAGE = "access_audit.verify"
_MAIN = "__main__"
_HEAD = '''#!/usr/bin/env python3
"""vms-verify: verifies an access log of vms-departemental, without the product.

Needs Python 3.11 and the package `cryptography`. Reads, and writes nothing.

    python3 -I vms-verify.py FOLDER --key log.pub
    python3 -I vms-verify.py --help

Made from the sources of the product by `vms audit verifier`. Licence: EUPL-1.2.
"""
'''


def standalone_verifier() -> str:
    """The text of the one file. ValueError when two modules give one name to two things."""
    folder = Path(__file__).with_name("verify")
    sources = {path.stem: path.read_text("utf-8") for path in sorted(folder.glob("*.py")) if path.stem != "__init__"}
    trees = {name: ast.parse(source) for name, source in sources.items()}
    _check_names(trees)
    order = list(TopologicalSorter({name: _needs(tree) for name, tree in trees.items()}).static_order())
    order.remove(_MAIN)
    imports = _imports(list(trees.values()))
    parts = [_HEAD, "\nfrom __future__ import annotations\n\n", imports]
    parts += [_body(name, sources[name], trees[name]) for name in [*order, _MAIN]]
    return "".join(parts)


def _needs(tree: ast.Module) -> list[str]:
    found = {
        node.module.removeprefix(f"{_PACKAGE}.")
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith(f"{_PACKAGE}.")
    }
    return sorted(found)


def _names(tree: ast.Module) -> set[str]:
    names: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {part.id for target in node.targets for part in ast.walk(target) if isinstance(part, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
    return names


def _check_names(trees: dict[str, ast.Module]) -> None:
    owners: dict[str, str] = {}
    for module, tree in trees.items():
        for name in sorted(_names(tree)):
            if name in owners:
                raise ValueError(f"{owners[name]} and {module} both name something {name}")
            owners[name] = module


def _imports(trees: list[ast.Module]) -> str:
    """All imports from outside, merged: the standard library first, then `cryptography`."""
    plain: set[str] = set()
    chosen: dict[str, set[str]] = {}
    for node in (node for tree in trees for node in tree.body):
        if isinstance(node, ast.Import):
            plain |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.module.startswith((_PACKAGE, "__future__")):
            chosen.setdefault(node.module, set()).update(each.name for each in node.names)
    lines = [(name, f"import {name}\n") for name in plain]
    lines += [(name, f"from {name} import {', '.join(sorted(parts))}\n") for name, parts in chosen.items()]
    ours = sorted(lines, key=lambda line: (line[0].startswith("cryptography"), not line[1].startswith("import"), line))
    first = next((at for at, line in enumerate(ours) if line[0].startswith("cryptography")), len(ours))
    return "".join(text for _, text in ours[:first]) + "\n" + "".join(text for _, text in ours[first:])


def _body(name: str, source: str, tree: ast.Module) -> str:
    lines = source.splitlines()
    gone: set[int] = set()
    for node in tree.body:
        docstring = node is tree.body[0] and isinstance(node, ast.Expr)
        if docstring or isinstance(node, ast.Import | ast.ImportFrom):
            gone.update(range(node.lineno - 1, node.end_lineno or node.lineno))
    explained = "\n".join(f"# {line}".rstrip() for line in (ast.get_docstring(tree) or "").splitlines())
    rest = "\n".join(line for at, line in enumerate(lines) if at not in gone).strip("\n")
    rule = "-" * 116
    return f"\n\n# {rule}\n# {name.strip('_')}\n# {rule}\n#\n{explained}\n\n\n{rest}\n"
