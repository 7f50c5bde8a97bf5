"""`vms audit` and the verifier's own command: what people read, and exit codes for programs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from access_audit.verify import Flaw, Report, Step
from access_audit.verify.__main__ import main as verify_alone
from access_audit.verify.words import FLAWS, STEPS, VERDICTS, report_text
from tests.access_audit import built
from tests.access_audit.built import Built
from vms.app.cli.main import main as vms


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return built.build(tmp_path_factory.mktemp("built") / "log")


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    with pytest.raises(SystemExit) as ended:
        vms(["audit", *words])
    said = capsys.readouterr()
    return int(ended.value.code or 0), said.out + said.err


def test_verify_says_in_french_that_the_log_is_intact(log: Built, capsys: pytest.CaptureFixture[str]):
    code, text = run(capsys, "verify", "--folder", str(log.folder))
    assert code == 0
    assert "600 inscriptions publiées" in text
    assert text.rstrip().endswith("Le journal est intègre.")


def test_verify_names_what_was_changed(log: Built, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    copied = built.copy(log, tmp_path / "log")
    path = copied.folder / "payload" / "002"
    path.write_bytes(path.read_bytes().replace(b"cam-505", b"cam-999"))
    code, text = run(capsys, "verify", "--folder", str(copied.folder))
    assert code == 8
    assert "à partir de l'inscription 515 : un contenu, ou le sel qui le scelle, a été modifié" in text
    code, text = run(capsys, "verify", "--folder", str(copied.folder), "--lang", "en")
    assert "from entry 515: a payload, or the salt that seals it, has been changed" in text
    code, text = run(capsys, "verify", "--folder", str(copied.folder), "--json")
    assert code == 8
    step = json.loads(text)["steps"][7]
    assert step["findings"] == [{"flaw": "payload.changed", "index": 515, "detail": "payload or salt"}]


def test_show_prints_an_entry_and_its_proof_is_a_file(log: Built, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    code, text = run(capsys, "show", "5", "--folder", str(log.folder))
    assert code == 0
    assert "Odile Opératrice (operator)" in text
    assert "Preuve d'inscription : valide." in text
    code, text = run(capsys, "show", "5", "--folder", str(log.folder), "--json")
    proof = tmp_path / "proof.json"
    proof.write_text(text, encoding="utf-8")
    code, text = run(capsys, "verify", "--folder", str(log.folder), "--proof", str(proof))
    assert code == 0


def test_head_prints_the_signed_note(log: Built, capsys: pytest.CaptureFixture[str]):
    code, text = run(capsys, "head", "--folder", str(log.folder))
    assert code == 0
    assert text.encode() == (log.folder / "checkpoint").read_bytes()


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("show", "600"), 4, "n'a pas d'inscription n° 600"),
        (("verify", "--spool", "nowhere"), 2, "--spool un dossier"),
        (("verify", "--authority", __file__), 2, "Un certificat d'autorité"),
        (("verify", "--receipt", "nowhere.json"), 4, "absent ou illisible"),
        (("verify", "--receipt", __file__), 2, "ni un reçu ni une preuve"),
    ],
)
def test_a_mistake_is_one_french_sentence(
    log: Built, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], code: int, sentence: str
):
    found, text = run(capsys, words[0], "--folder", str(log.folder), *words[1:])
    assert found == code
    assert sentence in text


def test_a_folder_without_a_log_is_said_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    code, text = run(capsys, "verify", "--folder", str(tmp_path))
    assert code == 4
    assert "Il n'y a pas de journal des accès" in text


def test_the_verifier_alone_has_its_own_codes(log: Built, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    key = str(log.folder / "log.pub")
    assert verify_alone([str(log.folder), "--key", key]) == 0
    assert verify_alone([str(log.folder), "--key", built.STRANGER.log_key.text()]) == 8
    assert verify_alone([str(tmp_path / "nowhere"), "--key", key]) == 2
    assert "introuvable" in capsys.readouterr().err


def test_every_flaw_step_and_verdict_has_its_two_sentences():
    assert set(FLAWS) == set(Flaw)
    for pair in (*FLAWS.values(), *STEPS.values(), *VERDICTS.values()):
        assert all(pair)
        assert pair[0] != pair[1]
    report = Report("origin", steps=[Step(1, "key")])
    for flaw in Flaw:
        report.steps[0].fail(flaw, 5)
    assert "LE JOURNAL A ÉTÉ ALTÉRÉ." in report_text(report, "fr")
    assert f"and {len(Flaw) - 20} more" in report_text(report, "en")
