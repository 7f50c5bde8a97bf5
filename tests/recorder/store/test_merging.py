"""One time line out of several ledgers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from recorder.contract.timeline import Gap, GapCause, RecordedSpan, Timeline
from recorder.store.merging import merged, what_is_missing
from vms.base.clock import NS_PER_SECOND

S = NS_PER_SECOND


def span(start: int, end: int) -> RecordedSpan:
    return RecordedSpan(start * S, end * S, 1, 20)


def gap(start: int, end: int | None, detail: str = "x", cause: GapCause = GapCause.LINK) -> Gap:
    return Gap(start * S, None if end is None else end * S, cause, detail)


def missing(spans: list[RecordedSpan], gaps: list[Gap], end: int = 100) -> list[tuple[int, int | None, str]]:
    found = what_is_missing(spans, gaps, 0, end * S)
    return [(one.start_ns // S, None if one.end_ns is None else one.end_ns // S, one.detail) for one in found]


def test_what_one_disk_holds_is_not_missing_on_another():
    assert missing([span(10, 20)], [gap(5, 30)]) == [(5, 10, "x"), (20, 30, "x")]


def test_where_ledgers_overlap_the_gap_that_began_last_speaks():
    assert missing([], [gap(0, 50, "disk"), gap(20, 30, "link")]) == [
        (0, 20, "disk"),
        (20, 30, "link"),
        (30, 50, "disk"),
    ]


def test_a_gap_that_its_disk_never_ended_ends_with_the_next_pictures_anywhere():
    assert missing([span(40, 60)], [gap(20, None, "stale"), gap(60, 70, "link")]) == [
        (20, 40, "stale"),
        (60, 70, "link"),
    ]


def test_a_gap_that_lasts_still_lasts():
    assert missing([span(0, 40)], [gap(40, None)]) == [(40, None, "x")]


def test_one_ledger_is_left_as_it_is():
    only = Timeline("cam", 0, 9 * S, (span(0, 5),), (gap(5, None),))
    assert merged([only]) is only


@given(
    st.lists(st.tuples(st.integers(0, 90), st.integers(1, 30)), max_size=8),
    st.lists(st.tuples(st.integers(0, 90), st.integers(1, 30)), max_size=8),
)
def test_every_missing_second_has_one_cause_and_no_recorded_one_has_any(
    spans: list[tuple[int, int]], gaps: list[tuple[int, int]]
):
    covered = {second for start, length in spans for second in range(start, start + length)}
    stated = {second for start, length in gaps for second in range(start, start + length)}
    ordered = [span(start, start + length) for start, length in sorted(spans)]
    found = missing(ordered, [gap(start, start + length) for start, length in gaps], end=200)
    told = [second for start, end, _ in found for second in range(start, end or 0)]
    assert len(told) == len(set(told))
    assert set(told) == stated - covered
