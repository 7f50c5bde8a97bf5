"""The benchmark of erasure, small: everything goes, nothing that is recorded meanwhile is missing."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from vms.app.cli.bench import app


def test_a_small_day_is_erased_without_a_gap_in_what_is_recorded(tmp_path: Path):
    arguments = ["erasure", "--cameras", "3", "--hours", "0.5", "--recorded", "2", "--seconds", "2"]
    told = json.loads(CliRunner().invoke(app, [*arguments, "--folder", str(tmp_path), "--json"]).stdout)
    assert told["erased_segments"] == told["segments"] == 90
    assert told["erased_per_s"] > told["needed_per_s"]
    assert (told["gaps"], told["missing_s"]) == (0, 0.0)
    assert told["median_ratio"] > 0
    assert list(tmp_path.iterdir()) == []


def test_the_figures_of_erasure_are_told_to_people_too(tmp_path: Path):
    arguments = ["erasure", "--cameras", "1", "--hours", "0.1", "--recorded", "1", "--seconds", "2"]
    text = CliRunner().invoke(app, [*arguments, "--folder", str(tmp_path)]).stdout
    assert "6 segments de 1 caméras effacés" in text
    assert "manques dans 1 enregistrements : 0" in text
