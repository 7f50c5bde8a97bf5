"""`vms audit expiry`, `copy`, `take-over` and `compare`, and the days of the settings."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from access_audit.keys import open_signing_key
from tests.access_audit import built
from tests.access_audit.logs import ORIGIN
from tests.app.test_command_line import said
from vms.app.cli.main import main
from vms.app.settings import read_settings
from vms.base.errors import VmsError


def configured(folder: Path, text: str) -> Path:
    path = folder / "vms.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_command_says_what_falls_when(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """LAW-28: per controller, with its own days."""
    built.build(tmp_path / "audit")
    config = configured(tmp_path, '[audit.controllers]\n"Maire d\'Évreux" = 200\n')
    words = ["audit", "expiry", "--folder", str(tmp_path / "audit"), "--config", str(config), "--data", str(tmp_path)]
    with pytest.raises(SystemExit) as ended:
        main([*words, "--json"])
    assert ended.value.code == 0
    found = json.loads(capsys.readouterr().out)
    assert found["erased"] == 0
    nodes, mayor = found["controllers"]
    assert (nodes["controller"], nodes["retention_days"], nodes["payloads"]) == ("", 1095, 9)
    assert (mayor["controller"], mayor["retention_days"], mayor["payloads"]) == ("Maire d'Évreux", 200, 590)
    assert sum(mayor["months"].values()) == 590
    assert said(capsys, *words)[0] == 0


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[audit]\nretention_days = 182\n", "la valeur de « audit.retention_days » est refusée : 183 au moins."),
        ("[audit]\nretention_days = 1097\n", "la valeur de « audit.retention_days » est refusée : 1096 au plus."),
        (
            '[audit.controllers]\n"Préfet" = 30\n',
            "la valeur de « audit.controllers.Préfet » est refusée : 183 au moins.",
        ),
    ],
)
def test_days_outside_the_law_are_refused_in_french(tmp_path: Path, text: str, sentence: str):
    """LAW-28: six months at least, three years at most."""
    with pytest.raises(VmsError) as refused:
        read_settings(configured(tmp_path, text))
    assert refused.value.message.endswith(sentence)


def run(*words: str) -> int | str | None:
    with pytest.raises(SystemExit) as ended:
        main(["audit", *words])
    return ended.value.code


def installed(folder: Path) -> Path:
    """An installation with a log that nobody writes at the moment."""
    built.build(folder / "audit", open_signing_key(folder / "audit" / "keys" / "log.key", folder / "audit", ORIGIN))
    return folder


def test_a_copy_is_taken_over_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    config = str(configured(tmp_path, f'[audit]\norigin = "{ORIGIN}"\n'))
    first, second = installed(tmp_path / "first"), tmp_path / "second"
    assert run("copy", str(tmp_path / "copy"), "--data", str(first), "--config", config) == 0
    assert not (tmp_path / "copy" / "keys").exists()
    (second / "audit" / "keys").mkdir(parents=True)
    shutil.copy(first / "audit" / "keys" / "log.key", second / "audit" / "keys" / "log.key")
    words = ["take-over", "--from", str(tmp_path / "copy"), "--data", str(second), "--config", config]
    assert run(*words) == 5
    assert "complète" in capsys.readouterr().err
    assert run("take-over", "--old", str(first / "audit"), "--data", str(second), "--config", config) == 0
    assert (first / "audit" / "fence").exists()
    assert run(*words) == 5
    assert "déjà" in capsys.readouterr().err
    assert run("copy", str(tmp_path / "none"), "--folder", str(tmp_path / "nothing")) == 4
    assert run("take-over", "--seen", config, "--data", str(second), "--config", config) == 2


def test_what_nobody_was_served_is_explained(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert run("compare", "--day", "2026-11-23", "--data", str(tmp_path), "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"day": "2026-11-23", "views": 0, "bytes": 0, "unexplained": []}
    assert run("compare", "--day", "hier", "--data", str(tmp_path)) == 2
