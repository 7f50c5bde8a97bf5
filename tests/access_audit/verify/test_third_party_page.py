"""The page that verifies the log with nothing of ours: its blocks are run as they stand (LAW-31, LAW-51)."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from access_audit.proof import proof_of
from tests.access_audit.verify.real_log import NEW_KEY, SIZE, WITNESS, RealLog
from tests.architecture.source import ROOT

PAGE = (ROOT / "docs" / "verification.md").read_text(encoding="utf-8")
GO_MODULES = "src/cmd/vendor/golang.org/x/mod"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def place(real_log: RealLog, tmp_path: Path) -> Path:
    """What an expert has before him."""
    (tmp_path / "racine.pem").write_bytes(real_log.authority.root)
    (tmp_path / "temoin.pub").write_text(WITNESS.key.text)
    (tmp_path / "log.pub").write_text(NEW_KEY.log_key.text())
    proof = proof_of(real_log.folder, 500, SIZE, (real_log.folder / "checkpoint").read_bytes())
    (tmp_path / "preuve.json").write_text(json.dumps(proof, ensure_ascii=False), encoding="utf-8")
    return tmp_path


def run_page(place: Path, folder: Path, upto: int = 99) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "JOURNAL": str(folder), "AUTORITE": "horodatage",
        "RACINE_AUTORITE": "racine.pem", "TEMOIN": "temoin.pub",
    }  # fmt: skip
    script = "set -euo pipefail\n" + "\n".join(blocks("sh")[:upto])
    command = ["bash", "-c", script]
    return subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("index", [0, 511, SIZE - 1])
def test_the_shell_proves_an_entry(real_log: RealLog, place: Path, index: int):
    """LAW-51: a checkpoint, an inclusion proof, the payload, a time-stamp and a cosignature, without our programs."""
    proof = proof_of(real_log.folder, index, SIZE, (real_log.folder / "checkpoint").read_bytes())
    (place / "preuve.json").write_text(json.dumps(proof, ensure_ascii=False), encoding="utf-8")
    said = run_page(place, real_log.folder)
    assert said.returncode == 0, said.stderr
    shown = said.stdout + said.stderr
    assert shown.count("Signature Verified Successfully") == 2
    assert "L'inscription est dans l'arbre." in shown
    assert "Le contenu est celui qui a été scellé." in shown
    assert "Verification: OK" in shown


@pytest.mark.parametrize(
    ("old", "new", "missing"),
    [
        ("Odile", "Olive", "Le contenu est celui qui a été scellé."),
        ('\\"index\\":500', '\\"index\\":501', "L'inscription est dans l'arbre."),
        ('"index": 500', '"index": 501', "L'inscription est dans l'arbre."),
    ],
)
def test_the_shell_refuses_a_forged_proof(real_log: RealLog, place: Path, old: str, new: str, missing: str):
    text = (place / "preuve.json").read_text(encoding="utf-8")
    assert old in text
    (place / "preuve.json").write_text(text.replace(old, new), encoding="utf-8")
    assert missing not in run_page(place, real_log.folder, 4).stdout


@pytest.mark.parametrize("name", ["checkpoint", "anchors/timestamps/656-horodatage.tsr", "anchors/cosigned/656"])
def test_the_shell_refuses_a_forged_attestation(real_log: RealLog, place: Path, name: str):
    folder = place / "journal"
    shutil.copytree(real_log.folder, folder)
    content = bytearray((folder / name).read_bytes())
    content[-20] ^= 1
    (folder / name).write_bytes(content)
    assert run_page(place, folder).returncode != 0


@pytest.mark.skipif(shutil.which("go") is None, reason="Go is not installed: its own verifier of such logs is not run")
@pytest.mark.long
def test_the_library_of_go_proves_an_entry(place: Path, tmp_path: Path):
    """LAW-51: an implementation that we have not written, from the sources that come with Go itself."""
    root = Path(subprocess.run(["go", "env", "GOROOT"], capture_output=True, text=True, check=True).stdout.strip())
    (program,) = blocks("go")
    shutil.copytree(root / GO_MODULES, tmp_path / "mod")
    (tmp_path / "mod" / "go.mod").write_text("module golang.org/x/mod\n\ngo 1.22\n")
    (place / "main.go").write_text(program)
    lines = ("module expert", "go 1.22", "require golang.org/x/mod v0.0.0", "replace golang.org/x/mod => ./mod")
    (place / "go.mod").write_text("\n\n".join(lines) + "\n")
    command = ["go", "run", "."]
    said = subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)
    assert (said.returncode, said.stdout) == (0, f"inscription 500 prouvée parmi {SIZE}\n"), said.stderr
    proof = (place / "preuve.json").read_text(encoding="utf-8")
    (place / "preuve.json").write_text(proof.replace('\\"index\\":500', '\\"index\\":501'), encoding="utf-8")
    assert subprocess.run(command, cwd=place, capture_output=True, check=False).returncode != 0
