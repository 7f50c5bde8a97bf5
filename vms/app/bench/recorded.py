"""What a recording lacks, as its own ledger and index tell it."""

from __future__ import annotations

import itertools

from recorder.contract.timeline import Timeline


def holes_ms(timeline: Timeline) -> int:
    """How long nothing is recorded between the spans of a time line, in milliseconds."""
    spans = sorted(timeline.spans, key=lambda span: span.start_ns)
    between = (max(0, after.start_ns - before.end_ns) for before, after in itertools.pairwise(spans))
    return sum(between) // 1_000_000
