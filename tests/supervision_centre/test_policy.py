"""The matrix of rights and the decisions on looks, without I/O."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cameras.contract import CameraState, CameraView
from recorder.contract.ticket import MediaAct
from supervision_centre.access.policy import (
    IMAGE_RIGHTS,
    JUDICIAL_RIGHTS,
    MAX_PLAYBACK_NS,
    Grant,
    Refusal,
    Right,
    Wish,
    decide,
    reaches,
    rights_of,
)
from supervision_centre.access.purposes import VERSIONS, purposes_at, reason_label
from supervision_centre.people.person import Agrement, Delegation, Person, Role, department_of
from tests.supervision_centre.parts import DAY_NS, EVREUX, PARIS, PURPOSE, VERNON, camera, person

NOW_NS = 1_767_225_600_000_000_000


def wish(view: CameraView, act: MediaAct = MediaAct.LIVE, **fields: object) -> Wish:
    if act is MediaAct.PLAYBACK:
        fields = {"start_ns": NOW_NS - DAY_NS // 2, "end_ns": NOW_NS} | fields
    return Wish(act, view.camera_id, **{"purpose": PURPOSE, **fields})  # type: ignore[arg-type]


def cause(decision: Grant | Refusal) -> str:
    return decision.cause if isinstance(decision, Refusal) else "granted"


@pytest.mark.parametrize(
    ("role", "live", "playback"),
    [
        (Role.OPERATOR, True, True),
        (Role.SUPERVISOR, True, True),
        (Role.GENDARME, True, False),
        (Role.INSTALLER, False, False),
        (Role.MAYOR, False, False),
        (Role.DELEGATE, False, False),
        (Role.DPO, False, False),
        (Role.INSPECTOR, False, False),
        (Role.ADMINISTRATOR, False, False),
    ],
)
def test_who_sees_images(role: Role, live: bool, playback: bool) -> None:
    """LAW-24 (gendarmes view only), LAW-57 (installers see no image)."""
    view, somebody = camera(1), person(role, NOW_NS)
    assert cause(decide(somebody, view, wish(view), NOW_NS)) == ("granted" if live else "role")
    decision = decide(somebody, view, wish(view, MediaAct.PLAYBACK), NOW_NS)
    assert cause(decision) == ("granted" if playback else "role")
    assert bool(rights_of(role) & IMAGE_RIGHTS) == (live or playback)


def test_an_operator_has_no_judicial_function() -> None:
    """LAW-21."""
    assert rights_of(Role.OPERATOR) == {Right.CAMERAS, Right.LIVE, Right.PLAYBACK}
    assert not rights_of(Role.OPERATOR) & JUDICIAL_RIGHTS


def test_who_manages_people_sees_no_image_and_reads_no_journal() -> None:
    rights = rights_of(Role.ADMINISTRATOR)
    assert Right.PEOPLE_MANAGE in rights
    assert not rights & (IMAGE_RIGHTS | {Right.JOURNAL})


@pytest.mark.parametrize("act", list(MediaAct))
@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"suspended_at_ns": NOW_NS - 1}, "suspended"),
        ({"agrement": None}, "agrement"),
        ({"agrement": Agrement("1", "P", frozenset({"27"}), NOW_NS - 2, NOW_NS)}, "agrement"),
        ({"agrement": Agrement("1", "P", frozenset({"76"}), NOW_NS - 2, NOW_NS + 9)}, "out_of_scope"),
        ({"territories": frozenset({VERNON})}, "out_of_scope"),
        ({"territories": frozenset({"76"})}, "out_of_scope"),
        ({"territories": frozenset({EVREUX})}, "granted"),
        ({"territories": frozenset({"27"})}, "granted"),
    ],
)
def test_an_agent_without_their_titles_or_outside_their_territory(
    act: MediaAct, changes: dict[str, object], why: str
) -> None:
    """LAW-16, LAW-17, LAW-18."""
    view = camera(1)
    agent: Person = replace(person(Role.OPERATOR, NOW_NS), **changes)  # type: ignore[arg-type]
    assert cause(decide(agent, view, wish(view, act), NOW_NS)) == why


def test_an_agrement_of_another_department_shows_no_camera() -> None:
    """LAW-16: even where the territories would allow it."""
    agent = replace(person(Role.OPERATOR, NOW_NS), territories=frozenset({"27", "75"}))
    assert reaches(agent, camera(1), NOW_NS)
    assert not reaches(agent, camera(1, PARIS), NOW_NS)


def test_a_delegation_that_has_ended_opens_nothing() -> None:
    """LAW-19."""
    from supervision_centre.access.policy import may

    delegate = person(Role.DELEGATE, NOW_NS, delegation=Delegation("Arrêté 3", NOW_NS - 2, NOW_NS - 1))
    refusal = may(delegate, Right.JOURNAL, NOW_NS)
    assert refusal is not None
    assert refusal.cause == "delegation"


def test_a_camera_that_does_not_exist_and_one_of_elsewhere_read_the_same() -> None:
    """LAW-18."""
    agent, elsewhere = person(Role.OPERATOR, NOW_NS, EVREUX), camera(1, VERNON)
    hidden = decide(agent, elsewhere, wish(elsewhere), NOW_NS)
    missing = decide(agent, None, wish(elsewhere), NOW_NS)
    assert isinstance(hidden, Refusal)
    assert isinstance(missing, Refusal)
    assert (hidden.error.code, hidden.error.message) == (missing.error.code, missing.error.message)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"start_ns": NOW_NS, "end_ns": NOW_NS - 1}, "range"),
        ({"start_ns": 0, "end_ns": NOW_NS}, "range"),
        ({"start_ns": NOW_NS - MAX_PLAYBACK_NS - 1}, "range"),
        ({"start_ns": NOW_NS - MAX_PLAYBACK_NS}, "granted"),
        ({"end_ns": NOW_NS + DAY_NS}, "range"),
        ({"purpose": ""}, "purpose"),
    ],
)
def test_a_playback_has_bounds_and_a_purpose(fields: dict[str, object], why: str) -> None:
    """LAW-04, LAW-27."""
    view = camera(1)
    decision = decide(person(Role.OPERATOR, NOW_NS), view, wish(view, MediaAct.PLAYBACK, **fields), NOW_NS)
    assert cause(decision) == why


@pytest.mark.parametrize("state", [state for state in CameraState if state is not CameraState.IN_SERVICE])
def test_only_a_camera_in_service_is_shown_live(state: CameraState) -> None:
    """LAW-33."""
    view = camera(1, state=state)
    assert cause(decide(person(Role.OPERATOR, NOW_NS), view, wish(view), NOW_NS)) == "not_in_service"


def test_a_grant_is_made_by_the_policy_alone() -> None:
    with pytest.raises(TypeError):
        Grant(person(Role.OPERATOR, NOW_NS), camera(1), wish(camera(1)), NOW_NS, object())


def test_the_purposes_are_dated_data() -> None:
    """LAW-04, LAW-52: eleven codes, none before the article, old codes keep their label."""
    assert [purpose.number for purpose in purposes_at(NOW_NS)] == list(range(1, 12))
    assert len({purpose.code for purpose in purposes_at(NOW_NS)}) == 11
    assert purposes_at(VERSIONS[0].from_ns - 1) == ()
    assert reason_label(PURPOSE) == "Prévention des atteintes à la sécurité des personnes et des biens"
    assert reason_label("of_a_later_law") == "of_a_later_law"


def test_the_department_of_a_commune() -> None:
    assert [department_of(code) for code in ("27229", "2A004", "97411")] == ["27", "2A", "974"]
