"""The verifier as one file, on a machine that has Python and `cryptography` and nothing else (LAW-31, LAW-51)."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import pty
import shutil
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cryptography
import pytest

from access_audit.ledger import Ledger
from access_audit.standalone import standalone_verifier
from access_audit.verify import verify_log
from tests.access_audit import built
from tests.access_audit.verify import tampers_of_attestations, tampers_of_files, tampers_of_insiders
from tests.access_audit.verify.real_log import WITNESS, RealLog
from tests.architecture.source import ROOT
from tests.system.demo_process import vms
from vms.base.clock import ManualClock

CARRIED = ("cryptography", "cffi", "pycparser", "_cffi_backend*.so")


@dataclass(frozen=True)
class Machine:
    """Somebody else's machine: a Python of its own, `cryptography`, and our one file."""

    folder: Path

    def run(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """`python3 -I vms-verify.py …`"""
        command = [str(self.folder / "python" / "bin" / "python3"), "-I", "vms-verify.py", *arguments]
        return subprocess.run(
            command, cwd=self.folder, capture_output=True, text=True, check=False, timeout=60, env={}, **options
        )


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    folder = tmp_path_factory.mktemp("elsewhere")
    venv.create(folder / "python", symlinks=True, with_pip=False)
    (packages,) = (folder / "python" / "lib").glob("python3*/site-packages")
    installed = Path(cryptography.__file__).parents[1]
    for pattern in CARRIED:
        for path in installed.glob(pattern):
            (packages / path.name).symlink_to(path)
    written = vms("audit", "verifier", "--output", str(folder / "vms-verify.py"))
    assert written.returncode == 0, written.stderr
    content = (folder / "vms-verify.py").read_bytes()
    assert hashlib.sha256(content).hexdigest() in written.stdout
    assert content.decode() == standalone_verifier()
    return Machine(folder)


def _held_by_the_auditor(log: RealLog, folder: Path) -> list[str]:
    """What the auditor brings along, as files, and the words that name them."""
    folder.mkdir()
    (folder / "root.pem").write_bytes(log.authority.root)
    (folder / "witness.pub").write_text(WITNESS.key.text)
    (folder / "receipt.json").write_text(json.dumps(log.receipts[100]))
    (folder / "checkpoint").write_bytes(log.notes[344])
    return [
        "--key", log.key, "--authority", f"{folder}/root.pem", "--witness", f"{folder}/witness.pub",
        "--receipt", f"{folder}/receipt.json", "--checkpoint", f"{folder}/checkpoint", "--spool", str(log.spool),
    ]  # fmt: skip


def test_the_machine_has_nothing_of_the_product(machine: Machine):
    python = machine.folder / "python" / "bin" / "python3"
    for name in ("access_audit", "vms", "structlog"):
        assert subprocess.run([python, "-I", "-c", f"import {name}"], capture_output=True, check=False).returncode == 1


def test_one_file_says_what_the_product_says(real_log: RealLog, machine: Machine, tmp_path: Path):
    """LAW-51: the same report, from `vms audit verify` and from the one file alone."""
    words = _held_by_the_auditor(real_log, tmp_path / "held")
    (tmp_path / "log.pub").write_text(real_log.key)
    ours = vms(
        "audit", "verify", "--folder", str(real_log.folder), "--json", *words[2:], "--key", str(tmp_path / "log.pub")
    )
    theirs = machine.run(str(real_log.folder), "--json", *words)
    assert (theirs.returncode, theirs.stderr) == (0, "")
    assert json.loads(theirs.stdout) == json.loads(ours.stdout)
    assert {step["verdict"] for step in json.loads(theirs.stdout)["steps"]} == {"passed"}


@pytest.mark.parametrize(("lang", "last"), [("fr", "Le journal est intègre."), ("en", "The log is intact.")])
def test_it_speaks_two_languages_in_numbered_steps(real_log: RealLog, machine: Machine, lang: str, last: str):
    said = machine.run(str(real_log.folder), "--key", real_log.key, "--lang", lang)
    assert said.returncode == 0, said.stderr
    lines = said.stdout.splitlines()
    assert lines[-1] == last
    assert [line[:3] for line in lines[2:-1]] == [f"{number:2d}." for number in range(1, 17)]


@pytest.mark.parametrize(
    "tamper",
    [tampers_of_files.salt_changed, tampers_of_insiders.spool_reordered, tampers_of_attestations.timestamp_changed],
)
def test_a_tamper_is_told_with_code_8(real_log: RealLog, machine: Machine, tmp_path: Path, tamper: Any):
    copied = real_log.at(tmp_path / "log")
    shutil.copytree(real_log.folder, copied.folder)
    tamper(copied)
    said = machine.run(str(copied.folder), "--json", "--key", copied.key)
    assert said.returncode == 8, said.stderr
    assert json.loads(said.stdout) == verify_log(copied.folder, copied.key, workers=1).to_json()
    assert "LE JOURNAL A ÉTÉ ALTÉRÉ." in machine.run(str(copied.folder), "--key", copied.key).stdout


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nowhere", "--key", "{key}"], "introuvable"),
        (["{log}", "--key", "{key}", "--authority", "vms-verify.py"], "no certificate"),
        (["{log}", "--key", "{key}", "--spool", "nowhere"], "nowhere"),
        (["{log}", "--key", "{key}", "--receipt", "vms-verify.py"], "Expecting value"),
    ],
)
def test_what_cannot_be_used_has_code_2(real_log: RealLog, machine: Machine, words: list[str], told: str):
    said = machine.run(*(word.format(key=real_log.key, log=real_log.folder) for word in words))
    assert said.returncode == 2
    assert told in said.stderr


def test_long_work_is_shared_among_processes_and_shows_its_progress_on_a_terminal(machine: Machine, tmp_path: Path):
    folder = tmp_path / "log"
    folder.mkdir()
    ledger = Ledger(folder, built.KEY, ManualClock())
    ledger.record([built.looks(33_000)])
    ledger.close()
    terminal, inside = pty.openpty()
    command = [str(machine.folder / "python" / "bin" / "python3"), "-I", "vms-verify.py", str(folder)]
    command += ["--workers", "2", "--key", built.KEY.log_key.text()]
    with subprocess.Popen(command, cwd=machine.folder, stdout=subprocess.PIPE, stderr=inside) as process:
        os.close(inside)
        said, _ = process.communicate(timeout=50)
    shown = os.read(terminal, 65_536).decode()
    os.close(terminal)
    assert process.returncode == 0, shown
    assert "33000 inscriptions publiées" in said.decode()
    assert "33000/33000" in shown
    assert "[####" in shown


def test_the_same_sources_give_the_same_bytes():
    script = "from access_audit.standalone import standalone_verifier; print(standalone_verifier())"
    said = {
        subprocess.run(
            [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert len(said) == 1


def test_one_file_needs_the_standard_library_and_cryptography_alone():
    tree = ast.parse(standalone_verifier())
    names = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [each.name for each in node.names] if isinstance(node, ast.Import)
            else [node.module or ""] if isinstance(node, ast.ImportFrom)
            else []
        )
    }  # fmt: skip
    assert names - sys.stdlib_module_names == {"cryptography"}
    assert "access_audit" not in names
