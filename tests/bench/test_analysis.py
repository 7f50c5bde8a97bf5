"""The analysis behind the benchmarks; what they measure is run by people, not by tests."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterable
from pathlib import Path

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cameras.simulator.film import Film
from cameras.simulator.spec import CameraSpec
from recorder.contract.timeline import RecordedSpan, Timeline
from vms.app.bench import console, recorded, reference, watch
from vms.app.bench.clock_film import BITS, BLOCKS, SECONDS, blocks_of, number_of, require_encoder, write_clock_film
from vms.app.bench.console import require_browser
from vms.app.bench.endurance import Sample, account, demo_text, slope_per_minute
from vms.app.bench.live import NUMBERS, LiveBenchOptions, Sighting, latency_s, live_text, losses, percentile, summary
from vms.app.bench.live import report as live_report
from vms.app.bench.start import Start, start_text
from vms.app.bench.start import report as start_report
from vms.app.bench.usage import memory_of, usage_of
from vms.app.demonstration.cameras import expected_cameras
from vms.base.errors import VmsError


def seen(number: int | None, *, at_s: float = 1_000.0, presented: int = 1, camera: str = "c", width: int = 352):
    return Sighting(camera, width, at_s, number, presented)


def on_time(camera: str, width: int, step: int, late_s: float, count: int = 100) -> Iterable[Sighting]:
    """A stream that shows every picture, each of them so late."""
    for place in range(count):
        yield seen(place * step % NUMBERS, at_s=place * step / 25 + late_s, presented=place, camera=camera, width=width)


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


def test_the_clock_survives_coding(tmp_path: Path):
    write_clock_film(tmp_path / "clock.mp4", 352, 288, 2, seconds=4)
    with av.open(io.BytesIO((tmp_path / "clock.mp4").read_bytes()), "r") as container:
        for place, frame in enumerate(container.decode(video=0)):
            picture = frame.to_ndarray(format="gray")
            block = 352 // BLOCKS
            blocks = [bool(picture[30, int((number + 0.5) * block)] > 128) for number in range(BLOCKS)]
            assert number_of(blocks) == place * 2


@pytest.mark.parametrize(("width", "height", "step"), [(768, 576, 1), (352, 288, 2)])
def test_the_film_is_like_the_stream_of_a_camera_and_loops_with_the_clock(
    tmp_path: Path, width: int, height: int, step: int
):
    write_clock_film(tmp_path / "clock.mp4", width, height, step)
    film = Film.load(tmp_path / "clock.mp4")
    try:
        assert film.duration_ns == SECONDS * 1_000_000_000
        assert list(film.presentation_ns) == list(film.decode_ns)
        assert film.gov_length == round(25 / step)
        assert sum(film.key) <= SECONDS + 1
        assert film.bit_rate_kbps > 80
    finally:
        film.close()


def test_latency_is_taken_around_the_end_of_the_loop():
    assert latency_s(seen(0, at_s=1_000.1), 0.0) == pytest.approx(0.1)
    assert latency_s(seen(SECONDS * 25 - 2, at_s=SECONDS * 50 + 0.05), 0.0) == pytest.approx(0.13)
    assert latency_s(seen(25, at_s=1_000.0), 1.2) == pytest.approx(0.2)


def test_a_frame_seen_a_little_early_is_not_nearly_a_loop_late():
    assert latency_s(seen(2, at_s=1_000.07), 0.0) == pytest.approx(-0.01)


def test_the_high_end_is_no_interpolation():
    assert percentile([1.0, 2.0, 3.0, 4.0], 95) == 4
    assert percentile([float(number) for number in range(1, 101)], 95) == 95
    assert percentile([7.0], 50) == 7


def test_a_frame_that_was_never_presented_is_dropped_and_one_that_was_not_called_back_is_unread():
    shown = [seen(0, presented=10), seen(2, presented=11), seen(8, presented=13)]
    assert losses(shown, 2) == (1, 1)


def test_losses_are_counted_around_the_end_of_the_loop_and_over_unreadable_frames():
    shown = [seen(NUMBERS - 2, presented=4), seen(None, presented=5), seen(2, presented=6)]
    assert losses(shown, 2) == (0, 1)


def test_a_player_that_was_built_anew_is_no_loss():
    assert losses([seen(0, presented=900), seen(50, presented=1)], 2) == (0, 0)


def test_a_summary_names_median_high_end_and_losses():
    shown = [*on_time("a", 352, 2, 0.1), *on_time("b", 352, 2, 0.3), seen(None, camera="a")]
    said = summary(shown, {"a": 0.0, "b": 0.0}, 2)
    assert (said["streams"], said["samples"], said["unreadable"]) == (2, 200, 1)
    assert (said["median_ms"], said["p95_ms"], said["worst_stream_p95_ms"]) == (200, 300, 300)
    assert said["p95_in_frame_intervals"] == pytest.approx(3.75, abs=0.1)
    assert (said["dropped_frames"], said["unread_frames"]) == (0, 0)
    assert summary([], {}, 2) == {"streams": 0, "samples": 0, "unreadable": 0}


def test_a_tile_that_showed_nothing_misses_the_target():
    small = [*on_time("a", 352, 2, 0.1), *on_time("b", 352, 2, 0.1)]
    enlarged = [*on_time("a", 768, 1, 0.2), *on_time("b", 352, 2, 0.1)]
    offsets = {"a": 0.0, "b": 0.0}
    assert live_report(LiveBenchOptions(tiles=2), small, enlarged, offsets)["target_met"] is True
    assert live_report(LiveBenchOptions(tiles=3), small, enlarged, offsets)["target_met"] is False
    nothing = live_report(LiveBenchOptions(tiles=2), small, [], offsets)
    assert nothing["target_met"] is False
    assert "aucune image lue" in live_text(nothing)
    assert "NON tenu" in live_text(nothing)


def test_lateness_misses_the_target():
    small = [*on_time("a", 352, 2, 0.1), *on_time("b", 352, 2, 0.1)]
    late = live_report(LiveBenchOptions(tiles=2), small, list(on_time("a", 768, 1, 0.6)), {"a": 0.0, "b": 0.0})
    assert late["enlarged_tile"]["p95_ms"] == 600
    assert late["target_met"] is False


def test_the_wall_under_measurement_is_a_department_of_so_many_cameras():
    for tiles in (2, 12, 16):
        assert len(expected_cameras(LiveBenchOptions(tiles=tiles).settings)) == tiles


def test_growth_is_the_slope_of_the_second_half():
    steady = [Sample(1, second, second / 10, 90.0, 50.0) for second in range(0, 600, 5)]
    assert account(steady)["growth_mib_per_minute"] == 0
    assert account(steady)["cpu_percent"] == pytest.approx(10)
    growing = [Sample(1, second, 0, 90.0, 50 + second / 60) for second in range(0, 600, 5)]
    assert slope_per_minute(growing) == pytest.approx(1)
    filling = [Sample(1, second, 0, 90.0 - second / 60, 50 + min(second, 290) / 60) for second in range(0, 600, 5)]
    assert account(filling)["growth_mib_per_minute"] == 0


def test_a_process_that_came_back_is_judged_by_its_last_life():
    samples = [Sample(1, second, 5.0, 90.0, 60.0) for second in range(0, 100, 5)]
    samples += [Sample(2, second, (second - 100) / 100, 40.0, 30.0) for second in range(100, 200, 5)]
    said = account(samples)
    assert (said["restarts"], said["memory_mib"]) == (1, 40)
    assert said["cpu_percent"] == pytest.approx(1)


def test_the_table_of_the_demonstration_stands_with_and_without_a_reference():
    one = account([Sample(1, second, 0, 90.0, 50.0) for second in range(0, 60, 5)])
    result = {"minutes": 1.0, "wall_open": False, "cameras": 12, "processes": {"centre": one}, "total": one}
    assert "sans spectateur" in demo_text(result | {"one_ffmpeg_a_camera": None})
    beside = {"one_ffmpeg_a_camera": {"cpu_percent": 3.0, "memory_mib": 200.0}, "recorder_cpu_in_ffmpeg": 0.5}
    assert "enregistreur 0.5" in demo_text(result | beside)


def test_starts_are_told_by_their_medians_and_against_the_bare_interpreter():
    first, second = [Start(9.0, 6.0), Start(7.0, 6.0), Start(8.0, 7.0)], [Start(3.0, 5), Start(2.0, 5), Start(9.0, 6)]
    result = start_report(first, second, [0.02, 0.01, 0.02])
    assert (result["first_median_s"], result["second_median_s"]) == (8, 3)
    assert (result["first_cpu_s"], result["second_cpu_s"]) == (6, 5)
    assert result["second_in_interpreter_starts"] == 150
    assert result["target_met"] is True
    assert "tenu" in start_text(result)
    assert start_report([Start(9.0, 6.0)], [Start(5.2, 5.0)], [0.02])["target_met"] is False


def test_shared_pages_are_counted_in_part_and_anonymous_ones_alone():
    memory = memory_of(os.getpid())
    assert 0 < memory.anonymous_bytes <= memory.proportional_bytes <= usage_of(os.getpid()).resident_bytes * 1.1
    with pytest.raises(OSError, match="No such"):
        memory_of(2**22 + 1)


def test_a_reference_that_is_not_installed_is_left_out(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", "")
    assert reference.copying_cost([CameraSpec(name="")], 1.0) is None


@pytest.mark.parametrize("missing", ["av", "numpy"])
def test_a_missing_encoder_is_said_in_french(missing: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(VmsError, match=r"bench\.no_encoder") as refused:
        require_encoder()
    assert "make bench" in refused.value.hint


def test_a_missing_browser_is_said_in_french(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "playwright.sync_api", None)
        with pytest.raises(VmsError, match=r"bench\.no_browser") as refused:
            require_browser()
        assert "Playwright" in refused.value.message
    monkeypatch.setattr(console, "CHROMIUM", str(tmp_path / "chromium"))
    with pytest.raises(VmsError, match=r"bench\.no_browser") as refused:
        require_browser()
    assert "Chromium" in refused.value.message


def test_frames_that_are_missing_between_two_units_are_counted():
    frame = watch.TICKS_A_FRAME
    assert watch.missing_units([0, frame, 2 * frame + 5]) == 0
    assert watch.missing_units([0, frame, 4 * frame]) == 2
    assert watch.missing_units([]) == 0


def test_holes_between_the_spans_of_a_recording_are_summed():
    spans = (RecordedSpan(5_000_000, 9_000_000, 1, 40), RecordedSpan(0, 3_000_000, 1, 40))
    assert recorded.holes_ms(Timeline("cam", 0, 10_000_000, spans, ())) == 2
