"""Decisions on holds and the bases of the day, without I/O."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from cameras.contract import CameraState
from recorder.contract.hold import MAX_HOLD_NS
from supervision_centre.access.policy import Refusal, Right, rights_of
from supervision_centre.holds.bases import VERSIONS, bases_at, basis_label
from supervision_centre.holds.policy import MAX_RANGE_NS, HoldGrant, HoldWish, decide_hold
from supervision_centre.people.person import Agrement, Role
from tests.supervision_centre.parts import DAY_NS, PARIS, camera, person

NOW_NS = 1_767_225_600_000_000_000
WISH = HoldWish(
    camera(1).camera_id, NOW_NS - DAY_NS, NOW_NS, NOW_NS + 30 * DAY_NS, "15127/00324/2026", "OPJ Martin", "preliminary"
)


def test_a_hold_is_granted_by_the_policy_alone() -> None:
    """LAW-10."""
    decision = decide_hold(person(Role.SUPERVISOR, NOW_NS), camera(1), WISH, NOW_NS)
    assert isinstance(decision, HoldGrant)
    with pytest.raises(TypeError):
        replace(decision, maker=None)


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"start_ns": 0}, "range"),
        ({"end_ns": NOW_NS - DAY_NS}, "range"),
        ({"start_ns": NOW_NS - MAX_RANGE_NS - 1}, "range"),
        ({"expires_at_ns": NOW_NS}, "expiry"),
        ({"end_ns": NOW_NS + 31 * DAY_NS, "start_ns": NOW_NS + 30 * DAY_NS}, "expiry"),
        ({"expires_at_ns": NOW_NS + MAX_HOLD_NS + 1}, "expiry"),
        ({"reference": ""}, "reference"),
        ({"authority": " "}, "authority"),
        ({"basis": ""}, "basis"),
    ],
)
def test_what_a_hold_must_be(changes: dict[str, object], cause: str) -> None:
    """LAW-10."""
    decision = decide_hold(person(Role.SUPERVISOR, NOW_NS), camera(1), replace(WISH, **changes), NOW_NS)  # type: ignore[arg-type]
    assert isinstance(decision, Refusal)
    assert decision.cause == cause


def test_a_camera_that_is_taken_down_keeps_what_it_recorded() -> None:
    """LAW-48: images of the past are held whatever became of the camera."""
    retired = camera(1, state=CameraState.RETIRED)
    assert isinstance(decide_hold(person(Role.SUPERVISOR, NOW_NS), retired, WISH, NOW_NS), HoldGrant)


def test_an_agent_without_agrement_and_a_camera_elsewhere_are_refused() -> None:
    """LAW-16, LAW-18."""
    expired = person(Role.SUPERVISOR, NOW_NS, agrement=Agrement("1", "P", frozenset({"27"}), 1, NOW_NS))
    causes = [
        decision.cause
        for decision in (
            decide_hold(expired, camera(1), WISH, NOW_NS),
            decide_hold(person(Role.SUPERVISOR, NOW_NS), camera(1, PARIS), WISH, NOW_NS),
            decide_hold(person(Role.SUPERVISOR, NOW_NS), None, WISH, NOW_NS),
        )
        if isinstance(decision, Refusal)
    ]
    assert causes == ["agrement", "out_of_scope", "out_of_scope"]


def test_who_has_the_rights_of_retention() -> None:
    """LAW-21, LAW-24: holding is a function of supervisors; LAW-09: destruction is told to who answers for it."""
    having = {right: {role for role in Role if right in rights_of(role)} for right in Right}
    assert having[Right.HOLD] == {Role.SUPERVISOR}
    assert having[Right.HOLD_LIST] == {Role.SUPERVISOR, Role.DPO, Role.INSPECTOR}
    assert having[Right.DESTRUCTION] == {
        Role.SUPERVISOR, Role.DPO, Role.INSPECTOR, Role.MAYOR, Role.DELEGATE
    }  # fmt: skip
    assert having[Right.CAPACITY] == {Role.SUPERVISOR, Role.INSPECTOR, Role.ADMINISTRATOR}


def test_from_2029_the_articles_of_the_new_code_are_proposed() -> None:
    """LAW-52: the bases are dated data; a hold of before keeps its article."""
    new_year_ns = int(datetime(2029, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000_000
    before, after = bases_at(new_year_ns - 1), bases_at(new_year_ns)
    assert [basis.code for basis in before] == [basis.code for basis in after]
    assert before[0].article == "art. 60-1 CPP"
    assert "nouveau CPP" in after[0].article
    assert basis_label("flagrance") == "Enquête de flagrance"
    assert basis_label("of another system") == "of another system"
    ends = [version.until_ns for version in VERSIONS]
    assert ends[:-1] == [version.from_ns for version in VERSIONS[1:]]
    assert ends[-1] is None
    assert bases_at(0) == ()
