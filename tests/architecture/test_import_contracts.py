"""The import contracts hold, and each of them catches a violation planted in a copy of the source."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.architecture.source import PACKAGES, ROOT

PLANTED = {
    "layers": ("cameras/contract.py", "import recorder.contract.status"),
    "recorder-by-contract": ("supervision_centre/live/__init__.py", "import recorder.store"),
    "cameras-by-contract": ("supervision_centre/live/__init__.py", "import cameras.inventory"),
    "recording-without-luxury": ("recorder/store/__init__.py", "import sqlalchemy"),
    "decoder-alone": ("recorder/decoding/__init__.py", "import recorder.store"),
    "verifier-alone": ("access_audit/verify/__init__.py", "import vms.base.clock"),
    "log-without-luxury": ("access_audit/anchors/files.py", "import fastapi"),
    "key-without-network": ("access_audit/sequence.py", "import httpx"),
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


def test_every_package_of_the_recorder_but_the_decoders_is_kept_from_them():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    kept = next(each for each in contracts if each["id"] == "recording-without-luxury")["source_modules"]
    packages = {f"recorder.{init.parent.name}" for init in (ROOT / "recorder").glob("*/__init__.py")}
    assert packages - set(kept) == {"recorder.decoding"}


def test_every_contract_is_kept():
    result = _lint(ROOT)
    assert result.returncode == 0, result.stdout[-3000:]


@pytest.mark.parametrize(
    ("contract", "relative", "line"),
    [
        *((contract, *planted) for contract, planted in PLANTED.items()),
        ("recording-without-luxury", "recorder/ingest/__init__.py", "import av"),
        ("recording-without-luxury", "recorder/live/__init__.py", "import recorder.decoding.forking"),
        ("recording-without-luxury", "vms/app/processes/shard.py", "import recorder.decoding"),
    ],
)
def test_a_planted_violation_is_caught(contract: str, relative: str, line: str, copied_source: Path):
    module = copied_source / relative
    original = module.read_text(encoding="utf-8")
    module.write_text(original + f"\n{line}\n", encoding="utf-8")
    try:
        result = _lint(copied_source, "--contract", contract)
    finally:
        module.write_text(original, encoding="utf-8")
    assert result.returncode == 1, result.stdout[-3000:] + result.stderr[-2000:]
    assert "BROKEN" in result.stdout
