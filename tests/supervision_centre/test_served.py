"""What a gateway served against what the log says: what nothing explains is an alarm in the log (LAW-25, LAW-26)."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from access_audit.events import EventKind
from recorder.contract.served import ServedView
from recorder.contract.ticket import MediaAct
from supervision_centre.people.person import Role
from supervision_centre.served.comparison import TOLERANCE_NS
from supervision_centre.served.service import ServedComparison
from tests.supervision_centre.centre import TestCentre, running_centre
from tests.supervision_centre.parts import EVREUX, camera_id
from vms.base.clock import NS_PER_SECOND
from vms.base.database import Database

DAY_S = 86_400
KIND = EventKind.VIEWING_UNEXPLAINED


@pytest.fixture
async def centre(database: Database, short_folder: Path) -> AsyncIterator[TestCentre]:
    """A centre whose clock agrees with that of the log."""
    async with running_centre(database, short_folder, start_ns=time.time_ns()) as running:
        yield running


async def watched(centre: TestCentre) -> ServedView:
    """A look of ten seconds that the log knows, as an honest gateway measures it."""
    browser = await centre.logged_in(Role.OPERATOR, EVREUX)
    answer = await browser.watch(camera_id(1))
    (session,) = answer.json()["sessions"]
    opened_ns = centre.clock.utc_ns()
    person_id = (await browser.get("/api/me")).json()["person"]["id"]
    await centre.clock.advance(8)
    await browser.post("/api/live-sessions/close", {"sessions": [session["session_id"]]})
    await centre.some(EventKind.LIVE_CLOSED, 1)
    return ServedView(
        session["session_id"],
        person_id,
        camera_id(1),
        MediaAct.LIVE,
        session["receipt"]["index"],
        opened_ns,
        centre.clock.utc_ns(),
        running=False,
        sent_bytes=4096,
    )


@pytest.mark.parametrize(
    ("cause", "excess_s"), [("", 0), ("longer", 60), ("no_entry", 8), ("another_camera", 8), ("before_entry", 60)]
)
async def test_a_view_that_the_log_does_not_explain_is_an_alarm(centre: TestCentre, cause: str, excess_s: int):
    """LAW-25: a gateway that serves without an entry, longer than it, or another camera is found out; once."""
    view = await watched(centre)
    if cause == "longer":
        view = replace(view, until_ns=view.until_ns + 60 * NS_PER_SECOND)
    elif cause == "no_entry":
        view = replace(view, session_id="view-planted")
    elif cause == "another_camera":
        view = replace(view, camera_id=camera_id(2))
    elif cause == "before_entry":
        view = replace(view, opened_at_ns=view.opened_at_ns - 60 * NS_PER_SECOND)
    centre.node.views = [view]
    centre.clock.step_utc(DAY_S)
    comparison = ServedComparison(centre.services)
    await comparison.once()
    if not cause:
        assert await centre.entries(KIND) == []
        return
    event = (await centre.entry(KIND)).event
    assert event is not None
    assert event.details["cause"] == ("no_entry" if cause == "another_camera" else cause)
    assert event.details["excess_s"] == str(excess_s)
    assert event.details["bytes"] == "4096"
    assert (event.commune, event.camera_id) == (EVREUX, view.camera_id)
    await ServedComparison(centre.services).once()
    assert len(await centre.entries(KIND)) == 1


async def test_two_clocks_and_a_lease_are_allowed_for(centre: TestCentre):
    view = await watched(centre)
    centre.node.views = [replace(view, until_ns=view.until_ns + TOLERANCE_NS), replace(view, sent_bytes=0)]
    day = datetime.fromtimestamp(centre.clock.utc_ns() // NS_PER_SECOND, UTC).date()
    assert await ServedComparison(centre.services).compare_day(day) == []


async def test_a_node_that_is_away_is_asked_again(centre: TestCentre):
    view = await watched(centre)
    centre.node.views = [replace(view, session_id="view-planted")]
    centre.clock.step_utc(DAY_S)
    comparison = ServedComparison(centre.services)
    centre.node.away = True
    await comparison.once()
    assert await centre.entries(KIND) == []
    centre.node.away = False
    await comparison.once()
    await centre.entry(KIND)


async def test_the_alarm_is_shown_in_the_journal(centre: TestCentre):
    """LAW-31: to the mayor of the commune as well."""
    view = await watched(centre)
    centre.node.views = [replace(view, session_id="view-planted")]
    centre.clock.step_utc(DAY_S)
    await ServedComparison(centre.services).once()
    await centre.entry(KIND)
    mayor = await centre.logged_in(Role.MAYOR, EVREUX)
    answer = await mayor.get("/api/audit/entries")
    assert answer.status_code == 200, answer.text
    shown = answer.json()["entries"]
    assert [each["kind_label"] for each in shown if each["kind"] == KIND.value] == [
        "ALARME : images transmises sans consultation inscrite"
    ]
