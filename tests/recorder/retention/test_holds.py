"""The rule of holds, over any groups and any holds."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as some

from recorder.contract.hold import MAX_HOLD_NS, Hold, HoldRelease
from recorder.retention.holds import kept_groups
from vms.base.clock import NS_PER_SECOND

CAMERA = "cam-00000000000000000000000001"
NOW_NS = 1_000 * NS_PER_SECOND
LONG_NS = 10_000 * NS_PER_SECOND


class Group(NamedTuple):
    start_ns: int
    end_ns: int

    def shows(self, hold: Hold) -> bool:
        """Whether some instant is in the group and in the range of the hold, said in another way than the rule does."""
        return max(self.start_ns, hold.start_ns) < min(self.end_ns, hold.end_ns)


def hold(start_ns: int, end_ns: int, expires_at_ns: int = LONG_NS, **fields: Any) -> Hold:
    given_fields: dict[str, Any] = {
        "hold_id": "hold-1", "camera_id": CAMERA, "start_ns": start_ns, "end_ns": end_ns, "placed_at_ns": 1,
        "expires_at_ns": expires_at_ns, "reference": "PV 2026/118", "authority": "OPJ, BR Évreux",
        "legal_basis": "CPP 60-1",
    }  # fmt: skip
    return Hold(**{**given_fields, **fields})


@some.composite
def groups(draw: some.DrawFn) -> list[Group]:
    """Groups in order, some with a hole between them, some that overlap as reordered pictures make them."""
    edge = draw(some.integers(1, 50))
    found = []
    for length, step in draw(some.lists(some.tuples(some.integers(1, 20), some.integers(-3, 6)), max_size=12)):
        found.append(Group(edge, edge + length))
        edge = max(edge + 1, edge + length + step)
    return found


@some.composite
def holds(draw: some.DrawFn) -> list[Hold]:
    ranges = draw(some.lists(some.tuples(some.integers(1, 200), some.integers(1, 80), some.booleans()), max_size=4))
    return [hold(start, start + length, LONG_NS if live else NOW_NS) for start, length, live in ranges]


@given(groups(), holds())
def test_a_group_is_kept_exactly_when_a_hold_in_force_has_an_instant_of_it(found: list[Group], placed: list[Hold]):
    """LAW-10."""
    kept = {place for stretch in kept_groups(found, placed, NOW_NS) for place in stretch}
    wanted = {
        place
        for place, group in enumerate(found)
        if any(one.expires_at_ns > NOW_NS and group.shows(one) for one in placed)
    }
    assert kept == wanted


@given(groups(), holds())
def test_kept_stretches_are_in_order_apart_and_as_long_as_can_be(found: list[Group], placed: list[Hold]):
    stretches = kept_groups(found, placed, NOW_NS)
    assert all(len(stretch) > 0 for stretch in stretches)
    assert all(after.start > before.stop for before, after in pairwise(stretches))


@given(groups(), holds(), holds())
def test_one_more_hold_keeps_no_less(found: list[Group], placed: list[Hold], more: list[Hold]):
    before = {place for stretch in kept_groups(found, placed, NOW_NS) for place in stretch}
    after = {place for stretch in kept_groups(found, [*placed, *more], NOW_NS) for place in stretch}
    assert before <= after


@given(groups(), holds())
def test_what_is_kept_of_what_was_kept_is_all_of_it(found: list[Group], placed: list[Hold]):
    """Cutting twice takes nothing more than cutting once."""
    kept = [found[place] for stretch in kept_groups(found, placed, NOW_NS) for place in stretch]
    again = kept_groups(kept, placed, NOW_NS)
    assert sum(map(len, again)) == len(kept)


@given(groups(), holds())
def test_when_every_hold_is_over_nothing_is_kept(found: list[Group], placed: list[Hold]):
    """LAW-10: a hold past its end keeps nothing, at that very instant."""
    assert kept_groups(found, placed, LONG_NS) == ()


@pytest.mark.parametrize("missing", ["reference", "authority", "legal_basis"])
def test_a_hold_without_requisition_authority_or_basis_does_not_exist(missing: str):
    """LAW-10."""
    with pytest.raises(ValueError, match="requisition"):
        hold(1, 2, LONG_NS, **{missing: "  "})


def test_a_hold_has_an_end_and_a_range():
    """LAW-10."""
    with pytest.raises(ValueError, match="within a year"):
        replace(hold(1, 2), expires_at_ns=MAX_HOLD_NS + 2)
    with pytest.raises(ValueError, match="begins before"):
        hold(2, 2)


@pytest.mark.parametrize(("asked", "confirmed"), [("per-1", "per-1"), ("", "per-2"), ("per-1", "")])
def test_one_person_alone_releases_nothing(asked: str, confirmed: str):
    """LAW-10."""
    with pytest.raises(ValueError, match="two different persons"):
        HoldRelease("hold-1", asked, confirmed)
