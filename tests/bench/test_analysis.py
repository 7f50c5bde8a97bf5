"""The analysis behind the benchmarks; what they measure is run by people, not by tests."""

from __future__ import annotations

import io
from pathlib import Path

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.system.demo_process import vms
from vms.app.bench.clock_film import BITS, BLOCKS, SECONDS, blocks_of, number_of, write_clock_film
from vms.app.bench.endurance import Sample, account, slope_per_minute
from vms.app.bench.live import Sighting, latency_s, summary


@given(st.integers(0, (1 << BITS) - 1))
def test_a_number_in_blocks_is_read_back(number: int):
    assert number_of(blocks_of(number)) == number


@given(st.integers(0, (1 << BITS) - 2))
def test_neighbouring_pictures_differ_in_one_block(number: int):
    pairs = zip(blocks_of(number), blocks_of(number + 1), strict=True)
    assert sum(one != other for one, other in pairs) == 1


def test_what_shows_no_code_is_not_read():
    assert number_of([False] * BLOCKS) is None
    assert number_of([True] * BLOCKS) is None


def test_latency_is_taken_around_the_end_of_the_loop():
    assert latency_s(Sighting("c", 384, 1_000.1, 0), 0.0) == pytest.approx(0.1)
    assert latency_s(Sighting("c", 384, SECONDS * 50 + 0.05, SECONDS * 25 - 2), 0.0) == pytest.approx(0.13)
    assert latency_s(Sighting("c", 384, 1_000.0, 25), 1.2) == pytest.approx(0.2)


def test_a_summary_names_median_and_high_end():
    said = summary([0.1] * 90 + [0.4] * 10)
    assert (said["samples"], said["median_ms"], said["p95_ms"]) == (100, 100, 400)
    assert summary([]) == {"samples": 0}


def test_the_clock_survives_coding(tmp_path: Path):
    write_clock_film(tmp_path / "clock.mp4", 384, 288, 4)
    with av.open(io.BytesIO((tmp_path / "clock.mp4").read_bytes()), "r") as container:
        for place, frame in enumerate(container.decode(video=0)):
            picture = frame.to_ndarray(format="gray")
            block = picture.shape[1] / BLOCKS
            blocks = [bool(picture[20, int((number + 0.5) * block)] > 128) for number in range(BLOCKS)]
            assert number_of(blocks) == place * 4
            if place == 40:
                break


def test_growth_is_the_slope_of_the_second_half():
    steady = [Sample(second, second / 10, 50.0) for second in range(0, 600, 5)]
    assert account(steady)["growth_mib_per_minute"] == 0
    assert account(steady)["cpu_percent"] == pytest.approx(10)
    growing = [Sample(second, 0, 50 + second / 60) for second in range(0, 600, 5)]
    assert slope_per_minute(growing) == pytest.approx(1)


@pytest.mark.parametrize("command", ["ingest", "audit", "live", "demo", "start", "all"])
def test_each_benchmark_says_what_it_measures(command: str):
    said = vms("bench", command, "--help")
    assert said.returncode == 0, said.stderr
    assert "--json" in said.stdout
