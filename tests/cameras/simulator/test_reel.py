"""A film in a loop: in phase with the clock, and without a seam."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cameras.simulator.film import Film
from cameras.simulator.reel import Reel
from cameras.simulator.spec import B_FRAMES_FILE, H265_FILE, MAIN_FILE, SUB_FILE
from vms.base.clock import NS_PER_SECOND
from vms.base.errors import ErrorKind, VmsError
from vms.media.access_unit import Codec

FILMS = {path.name: Film.load(path) for path in (MAIN_FILE, SUB_FILE, H265_FILE, B_FRAMES_FILE)}
MAIN = FILMS[MAIN_FILE.name]
EPOCHS = st.integers(1_600_000_000 * NS_PER_SECOND, 2_000_000_000 * NS_PER_SECOND)
REELS = st.builds(Reel.of, st.sampled_from(list(FILMS.values())), st.floats(-1e4, 1e4).map(lambda s: round(s, 3)))


def test_the_films_say_what_they_are():
    assert (MAIN.codec, MAIN.width, MAIN.height, float(MAIN.frame_rate)) == (Codec.H264, 768, 576, 12.5)
    assert (MAIN.gov_length, MAIN.profile_idc, MAIN.bit_rate_kbps) == (25, 77, 830)
    assert FILMS[H265_FILE.name].codec is Codec.H265
    reordered = FILMS[B_FRAMES_FILE.name]
    assert list(reordered.presentation_ns) != sorted(reordered.presentation_ns)
    assert B_FRAMES_FILE.stat().st_size < 1_000_000


@given(REELS, EPOCHS)
def test_the_position_in_the_loop_is_the_time_modulo_its_length(reel: Reel, utc_ns: int):
    number = reel.first_due(utc_ns)
    position_ns = (utc_ns + reel.offset_ns) % reel.loop_ns
    ahead_ns = (reel.film.decode_ns[reel.sample(number)] - position_ns) % reel.loop_ns
    assert reel.due_ns(number) == utc_ns + ahead_ns
    assert reel.due_ns(number - 1) < utc_ns


@given(REELS, EPOCHS)
@settings(max_examples=30)
def test_frames_are_due_one_after_the_other_across_the_end_of_the_loop(reel: Reel, utc_ns: int):
    number = reel.first_due(utc_ns) // reel.count * reel.count + reel.count - 2
    frame_ns = float(NS_PER_SECOND / reel.film.frame_rate)
    for each in range(number, number + 5):
        assert reel.due_ns(each + 1) - reel.due_ns(each) == pytest.approx(frame_ns, rel=0.01)


@pytest.mark.parametrize("name", [MAIN_FILE.name, H265_FILE.name])
def test_rtp_time_is_continuous_across_the_end_of_the_loop(name: str):
    reel = Reel.of(FILMS[name], 1.7)
    first = reel.first_due(1_800_000_000 * NS_PER_SECOND) // reel.count * reel.count
    steps = {reel.timestamp_90k(n + 1) - reel.timestamp_90k(n) for n in range(first, first + 2 * reel.count)}
    assert steps == {7_200}


@given(REELS, EPOCHS)
def test_a_sender_report_s_time_stamp_lies_on_the_scale_of_the_frames(reel: Reel, utc_ns: int):
    key = reel.key_from(reel.first_due(utc_ns))
    due_ns = reel.due_ns(key)
    displayed_ns = reel.film.presentation_ns[reel.sample(key)] - reel.film.decode_ns[reel.sample(key)]
    expected = reel.timestamp_90k_at(due_ns + displayed_ns)
    assert abs(reel.timestamp_90k(key) - expected) <= 1


def test_key_frames_are_found_in_both_directions():
    reel = Reel.of(MAIN, 0.0)
    assert [reel.key_from(n) for n in (0, 1, 25, 26)] == [0, 25, 25, 50]
    assert [reel.key_before(n) for n in (0, 1, 25, 49)] == [0, 0, 25, 25]
    assert reel.key_from(reel.count - 1) == reel.count


def test_a_sub_stream_of_nearly_the_same_length_keeps_step_with_the_main_stream():
    main = Reel.of(MAIN, 3.0)
    sub = Reel.of(FILMS[SUB_FILE.name], 3.0, like=main)
    assert sub.film.duration_ns != main.loop_ns == sub.loop_ns
    assert Reel.of(FILMS[H265_FILE.name], 3.0, like=main).loop_ns == 30 * NS_PER_SECOND


@pytest.mark.parametrize("content", [b"", b"no film", b"\x00\x00\x00\x18ftypisom" + bytes(12)])
def test_what_is_no_film_is_refused_in_french(tmp_path: Path, content: bytes):
    path = tmp_path / "film.mp4"
    path.write_bytes(content)
    with pytest.raises(VmsError) as refused:
        Film.load(path)
    assert refused.value.kind is ErrorKind.INVALID_INPUT
    assert "film.mp4" in refused.value.message
    assert refused.value.hint


def test_an_absent_film_is_refused_in_french(tmp_path: Path):
    with pytest.raises(VmsError, match=r"simulator\.bad_film"):
        Film.load(tmp_path / "absent.mp4")
