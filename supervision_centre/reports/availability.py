"""How much of a month a camera was recorded, and every interruption: pure (LAW-12).

Two witnesses are heard. The journal holds one `recording.collected` for each hour of images, which outlasts the images;
the node's ledger of gaps names causes, and forgets them with the images. What either misses counts as missing. Time out
of the prefect's authorisation is not expected to be recorded.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from recorder.contract.timeline import Gap, GapCause
from supervision_centre.playback.labels import gap_label
from vms.base.clock import NS_PER_SECOND

UNTOLD_LABEL = "Aucune image inscrite au journal, cause inconnue"
_SMALLEST_HOLE_NS = 10 * NS_PER_SECOND


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of time, UTC nanoseconds, the end excluded."""

    start_ns: int
    end_ns: int

    @property
    def length_ns(self) -> int:
        """How long it is."""
        return self.end_ns - self.start_ns


@dataclass(frozen=True, slots=True)
class Interruption:
    """A stretch without images, and why in French."""

    start_ns: int
    end_ns: int
    label: str


@dataclass(frozen=True, slots=True)
class Availability:
    """One camera over a period: what was expected, what is missing of it, and each interruption in order."""

    expected_ns: int
    missing_ns: int
    interruptions: tuple[Interruption, ...]

    @property
    def share(self) -> float | None:
        """The share that was recorded, 0 to 1; None where nothing was expected."""
        return 1 - self.missing_ns / self.expected_ns if self.expected_ns > 0 else None


def availability_of(period: Stretch, collected: Iterable[Stretch], gaps: Sequence[Gap]) -> Availability:
    """The availability of a camera in the period in which it was in service, from both witnesses."""
    there = [(gap, stretch) for gap in gaps if not gap.repaired and (stretch := _within(gap, period)).length_ns > 0]
    known = [Interruption(one.start_ns, one.end_ns, gap_label(gap)) for gap, one in there]
    allowed_out = merged(one for gap, one in there if gap.cause is GapCause.AUTHORISATION)
    explained = merged(one for _, one in there)
    holes = [
        hole
        for missing in without([period], merged(collected))
        for hole in without([missing], explained)
        if hole.length_ns >= _SMALLEST_HOLE_NS
    ]
    untold = [Interruption(hole.start_ns, hole.end_ns, UNTOLD_LABEL) for hole in holes]
    everything = merged([*explained, *holes])
    expected = without([period], allowed_out)
    missing_ns = sum(one.length_ns for one in without(everything, allowed_out))
    interruptions = tuple(sorted((*known, *untold), key=lambda one: one.start_ns))
    return Availability(sum(one.length_ns for one in expected), missing_ns, interruptions)


def _within(gap: Gap, period: Stretch) -> Stretch:
    """The part of a gap that lies in a period; a gap that lasts ends with it."""
    end_ns = period.end_ns if gap.end_ns is None else min(gap.end_ns, period.end_ns)
    return Stretch(max(gap.start_ns, period.start_ns), end_ns)


def merged(stretches: Iterable[Stretch]) -> list[Stretch]:
    """The same time in stretches that neither touch nor overlap, in order."""
    found: list[Stretch] = []
    for one in sorted(stretches, key=lambda stretch: stretch.start_ns):
        if one.length_ns <= 0:
            continue
        if found and one.start_ns <= found[-1].end_ns:
            found[-1] = Stretch(found[-1].start_ns, max(found[-1].end_ns, one.end_ns))
        else:
            found.append(one)
    return found


def without(stretches: Iterable[Stretch], taken: Sequence[Stretch]) -> list[Stretch]:
    """The stretches less what `taken` covers, which is in order and disjoint."""
    left: list[Stretch] = []
    for one in stretches:
        start = one.start_ns
        for cover in taken:
            if cover.end_ns <= start or cover.start_ns >= one.end_ns:
                continue
            if cover.start_ns > start:
                left.append(Stretch(start, cover.start_ns))
            start = max(start, cover.end_ns)
        if start < one.end_ns:
            left.append(Stretch(start, one.end_ns))
    return left
