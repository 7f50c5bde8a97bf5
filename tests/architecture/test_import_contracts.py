"""The import contracts hold, and each of them catches a violation planted in a copy of the source."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.source import PACKAGES, ROOT

PLANTED = {
    "layers": ("cameras/contract.py", "import recorder.contract.status"),
    "recorder-by-contract": ("supervision_centre/live/__init__.py", "import recorder.store"),
    "cameras-by-contract": ("supervision_centre/live/__init__.py", "import cameras.inventory"),
    "recording-without-luxury": ("recorder/store/__init__.py", "import sqlalchemy"),
    "verifier-alone": ("access_audit/verify/__init__.py", "import vms.base.clock"),
    "media-is-pure": ("vms/media/rtp.py", "import structlog"),
    "simulator-is-not-product": ("recorder/ingest/__init__.py", "import cameras.simulator"),
}


@pytest.fixture(scope="module")
def copied_source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path_factory.mktemp("source")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, copy / package, ignore=shutil.ignore_patterns("*.mp4", "__pycache__", "static"))
    shutil.copy(ROOT / "pyproject.toml", copy)
    return copy


def _lint(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_contract_is_kept():
    result = _lint(ROOT)
    assert result.returncode == 0, result.stdout[-3000:]


@pytest.mark.parametrize("contract", PLANTED)
def test_a_planted_violation_is_caught(contract: str, copied_source: Path):
    relative, line = PLANTED[contract]
    module = copied_source / relative
    original = module.read_text(encoding="utf-8")
    module.write_text(original + f"\n{line}\n", encoding="utf-8")
    try:
        result = _lint(copied_source, "--contract", contract)
    finally:
        module.write_text(original, encoding="utf-8")
    assert result.returncode == 1, result.stdout[-3000:] + result.stderr[-2000:]
    assert "BROKEN" in result.stdout
