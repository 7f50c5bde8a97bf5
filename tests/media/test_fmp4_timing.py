from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from vms.media.fmp4 import DecodeTimer

STEP = 3_600


def test_without_reordering_decode_time_is_presentation_time():
    timer = DecodeTimer()
    assert [timer.date(stamp) for stamp in (5, 3_605, 9_000)] == [(5, 0), (3_605, 0), (9_000, 0)]


def test_b_pictures_are_decoded_before_they_are_presented():
    timer = DecodeTimer(2, STEP)
    order = [0, 4, 2, 1, 3, 8, 6, 5, 7]
    times = [timer.date(place * STEP) for place in order]
    assert [time.decode_time_90k // STEP for time in times] == [-2, -1, 0, 1, 2, 3, 4, 5, 6]
    assert all(time.composition_offset_90k >= 0 for time in times)


def test_a_stamp_that_repeats_or_goes_back_does_not_stop_the_clock():
    timer = DecodeTimer()
    times = [timer.date(stamp).decode_time_90k for stamp in (100, 100, 40, 200)]
    assert times == [100, 101, 102, 200]


@given(st.integers(0, 16), st.lists(st.integers(-(2**40), 2**40), max_size=60))
def test_decode_times_grow_whatever_a_camera_stamps(depth: int, stamps: list[int]):
    timer = DecodeTimer(depth)
    times = [timer.date(stamp) for stamp in stamps]
    assert all(before.decode_time_90k < after.decode_time_90k for before, after in pairwise(times))
    assert [time.decode_time_90k + time.composition_offset_90k for time in times] == stamps


@given(st.integers(1, 4), st.integers(1, 30), st.randoms(use_true_random=False))
def test_bounded_reordering_never_presents_before_decoding(depth: int, groups: int, chance):
    order: list[int] = []
    for group in range(groups):
        members = [group * (depth + 1) + place for place in range(1, depth + 1)]
        chance.shuffle(members)
        order += [(group + 1) * (depth + 1), *members]
    timer = DecodeTimer(depth, STEP)
    timer.date(0)
    assert all(timer.date(place * STEP).composition_offset_90k >= 0 for place in order)
