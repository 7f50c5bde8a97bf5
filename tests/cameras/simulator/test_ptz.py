"""The head as a state machine over time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cameras.simulator.ptz import MAXIMUM_PRESETS, PAN_TILT_PER_S, Position, PtzHead
from vms.base.clock import NS_PER_SECOND

SECOND = NS_PER_SECOND


def test_an_absolute_move_takes_its_time_and_ends_at_the_target():
    head = PtzHead()
    head.move_to(0, (1.0, -0.25), 0.5)
    assert head.position(SECOND) == Position(PAN_TILT_PER_S, -0.25, 0.25)
    assert head.pan_tilt_moving(SECOND)
    assert head.position(60 * SECOND) == Position(1.0, -0.25, 0.5)
    assert not head.pan_tilt_moving(60 * SECOND)


def test_a_slower_speed_takes_longer():
    head = PtzHead()
    head.move_to(0, (1.0, 0.0), None, speed=0.5)
    assert head.position(SECOND).pan == PAN_TILT_PER_S / 2


def test_a_relative_move_starts_from_where_the_head_is():
    head = PtzHead()
    head.move_to(0, (0.5, 0.0), None)
    head.move_by(10 * SECOND, (-0.2, 0.1), 0.3)
    end = head.position(20 * SECOND)
    assert (end.pan, end.tilt, end.zoom) == pytest.approx((0.3, 0.1, 0.3))


def test_a_continuous_move_ends_by_its_timeout_even_when_nobody_says_stop():
    head = PtzHead()
    head.move_on(0, (1.0, 0.0), None, timeout_s=1.0)
    assert head.position(SECOND) == head.position(30 * SECOND) == Position(pan=PAN_TILT_PER_S)
    assert not head.pan_tilt_moving(SECOND)


def test_stopping_one_axis_leaves_the_other_moving():
    head = PtzHead()
    head.move_on(0, (1.0, 0.0), 1.0, timeout_s=60)
    head.stop(SECOND, zoom=False)
    assert head.position(2 * SECOND) == Position(PAN_TILT_PER_S, 0.0, 0.5)
    assert head.zoom_moving(2 * SECOND)


def test_presets_are_kept_renamed_and_bounded():
    head = PtzHead()
    first = head.save_preset(0, name="Entrée")
    assert first is not None
    moved = head.save_preset(0, token=first.token)
    assert moved is not None
    assert moved.name == "Entrée"
    assert head.save_preset(0, token="absent") is None
    for _ in range(MAXIMUM_PRESETS - 1):
        assert head.save_preset(0) is not None
    assert head.save_preset(0) is None


moves = st.tuples(
    st.sampled_from(["move_to", "move_by", "move_on"]),
    st.tuples(st.floats(-1, 1), st.floats(-1, 1)),
    st.floats(-1, 1),
    st.integers(0, 5 * SECOND),
)


@given(st.lists(moves, max_size=12), st.integers(0, 20 * SECOND))
def test_the_head_never_leaves_its_range_and_never_leaps(steps, later):
    head, now = PtzHead(), 0
    for name, pan_tilt, zoom, wait in steps:
        before = head.position(now)
        getattr(head, name)(now, pan_tilt, zoom)
        assert head.position(now) == before
        now += wait
        after = head.position(now)
        assert abs(after.pan - before.pan) <= PAN_TILT_PER_S * wait / SECOND + 1e-9
    end = head.position(now + later)
    assert -1 <= end.pan <= 1
    assert -1 <= end.tilt <= 1
    assert 0 <= end.zoom <= 1
