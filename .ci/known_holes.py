"""Check locked dependencies for known vulnerabilities; fail on any, and say so when the advisories are out of reach.

Usage: python .ci/known_holes.py LOCK...
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

AUDITOR = Path(sys.executable).with_name("pip-audit")


def judge(report: dict[str, Any]) -> tuple[list[str], int, int]:
    """The holes found, how many packages were checked, and how many could not be."""
    holes, checked, unknown = [], 0, 0
    for package in report["dependencies"]:
        if "skip_reason" in package:
            unknown += 1
            continue
        checked += 1
        holes += [f"{package['name']} {package['version']}: {hole['id']}" for hole in package["vulns"]]
    return holes, checked, unknown


def main(locks: list[str]) -> int:
    """0 when no known hole was found."""
    failed = False
    for lock in locks:
        command = [AUDITOR, "--progress-spinner", "off", "-f", "json", "--no-deps", "--disable-pip", "-r", lock]
        run = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 — our own arguments
        try:
            holes, checked, unknown = judge(json.loads(run.stdout))
        except (json.JSONDecodeError, KeyError):
            print(f"{lock}: NOT CHECKED, the auditor failed: {run.stderr.strip()[-300:]}")  # noqa: T201
            continue
        for hole in holes:
            print(f"{lock}: KNOWN HOLE {hole}")  # noqa: T201
        print(f"{lock}: {checked} packages checked, {unknown} NOT CHECKED for want of advisories, {len(holes)} holes")  # noqa: T201
        failed = failed or bool(holes)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
