"""The benchmark of the index, small: what it prints is complete, and a month would fit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from vms.app.cli import bench
from vms.app.cli.bench import app


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command in this process leaves the logs of the tests alone."""
    monkeypatch.setattr(bench, "configure_logging", lambda *_, **__: None)


def test_the_index_of_a_small_month_is_built_asked_and_removed(tmp_path: Path):
    arguments = ["index", "--cameras", "10", "--days", "1.5", "--questions", "20", "--folder", str(tmp_path), "--json"]
    told = json.loads(CliRunner().invoke(app, arguments).stdout)
    assert told["segments"] == 10 * 36 * 60
    assert told["bytes_of_30_days_of_250"] < told["limits"]["bytes"]
    for question in ("look_up", "hour", "day", "timeline_day"):
        figures = told[question]
        assert 0 < figures["median_ms"] <= figures["p95_ms"] <= figures["p99_ms"]
        assert figures["times_a_look_up"] >= 0.5
    assert list(tmp_path.iterdir()) == []


def test_the_figures_are_told_to_people_too(tmp_path: Path):
    arguments = ["index", "--cameras", "2", "--days", "1", "--questions", "20", "--folder", str(tmp_path)]
    text = CliRunner().invoke(app, arguments).stdout
    assert "2880 segments de 2 caméras" in text
    assert "étendues d'un jour" in text
