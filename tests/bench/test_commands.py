"""The commands of the benchmarks: what they take, what they refuse, and the shape of what they print."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.system.demo_process import vms
from vms.app.bench import endurance, everything, live, start, watch
from vms.app.cli.bench import app


def _run(*words: str) -> str:
    result = CliRunner().invoke(app, list(words))
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize("command", ["ingest", "audit", "live", "watch", "playback", "demo", "start", "all"])
def test_each_benchmark_says_what_it_measures(command: str):
    assert "--json" in _run(command, "--help")


@pytest.mark.parametrize(
    ("command", "module", "name"),
    [
        ("live", live, "run_live_bench"),
        ("watch", watch, "run_watch_bench"),
        ("start", start, "run_start_bench"),
        ("demo", endurance, "run_demo_bench"),
    ],
)
def test_a_benchmark_prints_one_object(command: str, module: Any, name: str, monkeypatch: pytest.MonkeyPatch):
    taken: list[Any] = []

    def measured(options: Any) -> dict[str, Any]:
        taken.append(options)
        return {"target_met": True}

    monkeypatch.setattr(module, name, measured)
    assert json.loads(_run(command, "--json", "--base", "127.93.0.0/16")) == {"target_met": True}
    assert taken[0].base == "127.93.0.0/16"


def test_the_options_of_the_wall_reach_the_measurement(monkeypatch: pytest.MonkeyPatch):
    taken: list[live.LiveBenchOptions] = []

    def measured(options: live.LiveBenchOptions) -> dict[str, Any]:
        taken.append(options)
        return {}

    monkeypatch.setattr(live, "run_live_bench", measured)
    _run("live", "--json", "--seconds", "5", "--tiles", "4", "--demo-rate")
    assert (taken[0].seconds, taken[0].tiles, taken[0].main_step) == (5, 4, 2)


def test_all_of_them_print_one_object(monkeypatch: pytest.MonkeyPatch):
    async def measured(*_: Any) -> dict[str, Any]:
        return {"measured": True}

    monkeypatch.setattr(everything, "_ingest", measured)
    monkeypatch.setattr(everything, "run_audit_bench", measured)
    monkeypatch.setattr(everything, "run_playback_bench", measured)
    for name in ("run_start_bench", "run_live_bench", "run_demo_bench"):
        monkeypatch.setattr(everything, name, lambda *_: {"measured": True})
    printed = json.loads(_run("all", "--json"))
    assert set(printed) == {"ingest", "audit", "playback", "start", "live", "demo"}
    assert all(part == {"measured": True} for part in printed.values())


def test_a_wall_larger_than_the_console_shows_is_refused_in_french():
    refused = vms("bench", "live", "--tiles", "17")
    assert refused.returncode == 2
    assert "de 2 à 16" in refused.stderr


def test_the_log_of_what_is_measured_does_not_mix_with_the_figures():
    measured = vms("bench", "audit", "--seconds", "0.2", "--json")
    assert measured.returncode == 0, measured.stderr
    assert json.loads(measured.stdout)["levels"]


def test_the_verification_of_a_log_is_measured_on_a_log_of_the_size_asked_for():
    measured = vms("bench", "audit", "--verify", "700", "--json")
    assert measured.returncode == 0, measured.stderr
    figures = json.loads(measured.stdout)
    assert figures["entries"] == 700
    assert figures["verified_s"] > 0
    assert figures["proof"]["made_p50_ms"] < 50
