"""One time line out of those of several disks. Pure.

Rules
1. What one disk holds is not missing, whatever another one's ledger says.
2. A missing instant has one cause: where ledgers overlap, the gap that began last speaks, as the disk that has it knew
   the camera last.
3. A gap that its own ledger never ended, since its disk is away, ends with the next pictures on any disk.
"""

from __future__ import annotations

import bisect
import heapq
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from recorder.contract.timeline import Gap, RecordedSpan, Timeline
from recorder.store.queries import JOIN_TOLERANCE_NS, joined

_NEVER_NS = 1 << 62


def merged(timelines: Sequence[Timeline]) -> Timeline:
    """The time lines of one camera and range, made one. There is at least one."""
    first = timelines[0]
    if len(timelines) == 1:
        return first
    spans = sorted((span for one in timelines for span in one.spans), key=lambda span: (span.start_ns, span.end_ns))
    gaps = [gap for one in timelines for gap in one.gaps]
    left = what_is_missing(spans, gaps, first.start_ns, first.end_ns)
    return Timeline(first.camera_id, first.start_ns, first.end_ns, joined(spans), left)


def what_is_missing(spans: Sequence[RecordedSpan], gaps: Sequence[Gap], start_ns: int, end_ns: int) -> tuple[Gap, ...]:
    """What these gaps leave unrecorded of `[start_ns, end_ns)`, each instant once; the spans are in order."""
    starts = [span.start_ns for span in spans]
    ordered = sorted(gaps, key=lambda gap: gap.start_ns)
    ends = [_end(gap, starts) for gap in ordered]
    edges = {start_ns, end_ns}
    for gap, end in zip(ordered, ends, strict=True):
        edges |= {gap.start_ns, end}
    for span in spans:
        edges |= {span.start_ns, span.end_ns}
    pieces: list[tuple[int, int, int]] = []
    speaking: list[tuple[int, int]] = []
    next_gap = next_span = covered_until = 0
    for begin, end in pairwise(sorted(edge for edge in edges if edge >= start_ns)):
        while next_gap < len(ordered) and ordered[next_gap].start_ns <= begin:
            heapq.heappush(speaking, (-next_gap, ends[next_gap]))
            next_gap += 1
        while next_span < len(spans) and spans[next_span].start_ns <= begin:
            covered_until = max(covered_until, spans[next_span].end_ns)
            next_span += 1
        while speaking and speaking[0][1] <= begin:
            heapq.heappop(speaking)
        if not speaking or covered_until >= end or begin >= end_ns:
            continue
        number = -speaking[0][0]
        goes_on = bool(pieces) and pieces[-1][1:] == (begin, number)
        pieces.append((pieces.pop()[0] if goes_on else begin, end, number))
    return tuple(
        replace(ordered[number], start_ns=begin, end_ns=None if end == end_ns and ends[number] == _NEVER_NS else end)
        for begin, end, number in pieces
        if end - begin > JOIN_TOLERANCE_NS
    )


def _end(gap: Gap, starts: Sequence[int]) -> int:
    if gap.end_ns is not None:
        return gap.end_ns
    place = bisect.bisect_right(starts, gap.start_ns)
    return starts[place] if place < len(starts) else _NEVER_NS
