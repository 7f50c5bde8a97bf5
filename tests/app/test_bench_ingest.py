from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.simulated import PASSWORD, USERNAME, simulated_camera
from vms.app.bench import ingest as bench
from vms.app.bench.ingest import IngestBenchOptions, run_ingest_bench
from vms.app.bench.usage import usage_of
from vms.app.cli.bench import app as bench_app
from vms.base.errors import VmsError


async def test_the_ingest_bench_measures_a_real_shard_and_cleans_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bench, "SETTLE_SECONDS", 0.5)
    async with simulated_camera() as camera:
        options = IngestBenchOptions(
            camera.stream_url("main"), 3, 1.5, username=USERNAME, password=PASSWORD, folder=tmp_path
        )
        result = await run_ingest_bench(options)
    ours = result["vms"]
    assert ours["frames"] > 30
    assert ours["lost_packets"] == 0
    assert ours["recorded_bytes"] > 0
    assert ours["empty_process_mib"] > 5
    assert list(tmp_path.iterdir()) == []  # noqa: ASYNC240 - a folder of this test
    json.dumps(result)


async def test_the_ingest_bench_says_which_cameras_do_not_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bench, "START_SECONDS", 2.0)
    with pytest.raises(VmsError, match=r"bench\.cameras_missing") as missing:
        await run_ingest_bench(IngestBenchOptions("rtsp://127.0.0.1:9/{i}", 1, 1.0, folder=tmp_path))
    assert "refused" in missing.value.message


async def test_a_baseline_that_is_unknown_is_refused():
    with pytest.raises(VmsError, match=r"bench\.no_baseline"):
        await run_ingest_bench(IngestBenchOptions("rtsp://127.0.0.1:9/{i}", 1, baseline="vlc"))


def test_each_camera_has_its_own_address_without_credentials():
    options = IngestBenchOptions("rtsp://user:secret@192.0.2.{i}:554/main", 2)
    assert options.camera_url(2) == "rtsp://192.0.2.2:554/main"
    assert "secret" not in repr(IngestBenchOptions("rtsp://192.0.2.1/", 1, password="secret"))


def test_usage_is_read_from_the_system():
    import os

    usage = usage_of(os.getpid())
    assert usage.cpu_s > 0
    assert usage.resident_bytes > 1_000_000


def test_the_command_says_what_it_takes():
    from typer.testing import CliRunner

    result = CliRunner().invoke(bench_app, ["ingest", "--help"])
    assert result.exit_code == 0
    assert "--baseline" in result.output
