"""`vms audit expiry` and the days of the settings."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.access_audit import built
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
