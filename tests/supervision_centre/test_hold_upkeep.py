"""Holds whose node is away, forgets, or knows of others: the upkeep mends what can be mended and says the rest."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from access_audit.events import EventKind
from recorder.contract.hold import HeldRange, Hold
from supervision_centre.holds import rows
from supervision_centre.holds import upkeep as upkeep_module
from supervision_centre.holds.upkeep import HoldUpkeep
from supervision_centre.people.person import Role
from tests.access_audit.logs import client_of, running_writer
from tests.supervision_centre.centre import Browser, TestCentre, services_over
from tests.supervision_centre.parts import DAY_NS, camera_id
from tests.supervision_centre.test_holds import REFERENCE, place, request, two_supervisors
from vms.base.clock import NS_PER_SECOND, ManualClock
from vms.base.database import Database

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


def upkeep_of(centre: TestCentre) -> HoldUpkeep:
    """The upkeep that the routes show; its turns are made by the test."""
    made = centre.app.state.centre.holds.upkeep
    assert isinstance(made, HoldUpkeep)
    return made


async def hold_of(browser: Browser, hold_id: str) -> dict[str, Any]:
    answer: dict[str, Any] = (await browser.get(f"/api/holds/{hold_id}")).json()
    return answer


async def test_a_node_that_is_away_leaves_the_hold_requested_until_it_confirms(centre: TestCentre) -> None:
    """LAW-10: nothing is shown as held before the node has said so, and the failure is logged once."""
    supervisor = await centre.logged_in(Role.SUPERVISOR)
    centre.node.away = True
    placed = await place(centre, supervisor)
    assert (placed["state"], placed["held"], placed["node_told"]) == ("requested", None, False)
    assert "l'enregistreur ne répond pas" in placed["warning"]
    failed = (await centre.entry(EventKind.HOLD_FAILED)).event
    assert failed is not None
    assert (failed.requisition, failed.details["cause"]) == (REFERENCE, "node.unavailable")
    await upkeep_of(centre).once()
    centre.node.away = False
    await upkeep_of(centre).once()
    mended = await hold_of(supervisor, placed["id"])
    assert (mended["state"], mended["warning"], mended["held"]["bytes"]) == ("placed", "", 48_000_000)
    assert (await centre.entry(EventKind.HOLD_CONFIRMED)).event is not None
    assert len(await centre.entries(EventKind.HOLD_FAILED)) == 1


async def test_a_node_that_never_answers_does_not_hold_up_the_answer(
    centre: TestCentre, monkeypatch: pytest.MonkeyPatch
) -> None:
    supervisor = await centre.logged_in(Role.SUPERVISOR)
    monkeypatch.setattr(upkeep_module, "NODE_DEADLINE_S", 0.05)

    async def never(_: Hold) -> HeldRange:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(centre.node, "place_hold", never)
    placed = await place(centre, supervisor)
    assert (placed["state"], "à temps" in placed["warning"]) == ("requested", True)


async def test_a_release_that_the_node_has_not_heard_is_told_again(centre: TestCentre) -> None:
    """LAW-10."""
    first, second = await two_supervisors(centre)
    placed = await place(centre, first)
    await first.post(f"/api/holds/{placed['id']}/release", {"reason": "Fin"})
    centre.node.away = True
    released = (await second.post(f"/api/holds/{placed['id']}/release/confirm")).json()
    assert (released["state"], released["node_told"]) == ("released", False)
    assert "ne l'a pas encore apprise" in released["warning"]
    centre.node.away = False
    await upkeep_of(centre).once()
    assert (await hold_of(first, placed["id"]))["warning"] == ""
    assert [release.hold_id for release in centre.node.releases] == [placed["id"]]


async def test_a_hold_ends_by_itself_and_its_end_is_logged(centre: TestCentre) -> None:
    """LAW-10: a hold past its end keeps nothing."""
    supervisor = await centre.logged_in(Role.SUPERVISOR)
    placed = await place(centre, supervisor)
    asked = await supervisor.post(f"/api/holds/{placed['id']}/release", {"reason": "Fin"})
    assert asked.status_code == 200
    centre.clock.step_utc(90 * DAY_NS // NS_PER_SECOND)
    await upkeep_of(centre).once()
    await upkeep_of(centre).once()
    entry = (await centre.entry(EventKind.HOLD_EXPIRED)).event
    assert entry is not None
    assert (entry.author.role, entry.requisition) == ("system", REFERENCE)
    async with centre.services.database.reading() as session:
        row = await rows.one(session, placed["id"])
    assert row is not None
    assert (row.state, row.ended_at_ns) == ("expired", row.expires_at_ns)


async def test_a_hold_that_the_node_lost_is_an_alarm_and_is_placed_again(centre: TestCentre) -> None:
    """LAW-10: the table of the centre and the disks of the node are compared."""
    supervisor = await centre.logged_in(Role.SUPERVISOR)
    placed = await place(centre, supervisor)
    centre.node.held.clear()
    await upkeep_of(centre).compare()
    lost = (await centre.entry(EventKind.HOLD_LOST)).event
    assert lost is not None
    assert lost.details == {"hold": placed["id"], "cause": "hold.missing_at_node"}
    assert list(centre.node.held) == [placed["id"]]
    assert (await hold_of(supervisor, placed["id"]))["state"] == "placed"
    await upkeep_of(centre).compare()
    assert len(await centre.entries(EventKind.HOLD_LOST)) == 1


async def test_what_grows_is_shown_and_a_node_that_does_not_answer_loses_nothing(centre: TestCentre) -> None:
    supervisor = await centre.logged_in(Role.SUPERVISOR)
    placed = await place(centre, supervisor)
    held = centre.node.held[placed["id"]]
    centre.node.held[placed["id"]] = HeldRange(held.hold, 96_000_000, held.held_start_ns, held.held_end_ns)
    centre.node.away = True
    await upkeep_of(centre).compare()
    assert (await hold_of(supervisor, placed["id"]))["held"]["bytes"] == 48_000_000
    centre.node.away = False
    await upkeep_of(centre).compare()
    assert (await hold_of(supervisor, placed["id"]))["held"]["bytes"] == 96_000_000
    assert await centre.entries(EventKind.HOLD_LOST) == []


async def test_a_shard_that_joined_later_learns_of_every_hold_within_the_hour(centre: TestCentre) -> None:
    """LAW-10: holds are placed again in silence, and no entry is made of it."""
    first, _ = await two_supervisors(centre)
    placed = await place(centre, first)
    centre.node.held.clear()
    await upkeep_of(centre).place_again()
    assert list(centre.node.held) == [placed["id"]]
    assert len(await centre.some(EventKind.HOLD_CONFIRMED, 1)) == 1
    assert await centre.entries(EventKind.HOLD_LOST) == []


async def test_a_released_hold_that_the_node_still_has_is_released_again(centre: TestCentre) -> None:
    first, second = await two_supervisors(centre)
    placed = await place(centre, first)
    held = centre.node.held[placed["id"]]
    await first.post(f"/api/holds/{placed['id']}/release", {"reason": "Fin"})
    await second.post(f"/api/holds/{placed['id']}/release/confirm")
    centre.node.held[placed["id"]] = held
    await upkeep_of(centre).compare()
    await upkeep_of(centre).once()
    assert centre.node.held == {}


async def test_a_hold_that_only_the_node_knows_is_shown_and_never_released(centre: TestCentre) -> None:
    """LAW-10: a machine alone lets go of nothing."""
    supervisor = await centre.logged_in(Role.SUPERVISOR)
    now_ns = centre.clock.utc_ns()
    stranger = Hold("hold-of-before", camera_id(2), 1, 2, now_ns, now_ns + DAY_NS, "R-1", "OPJ", "art. 60-1 CPP")
    centre.node.held[stranger.hold_id] = HeldRange(stranger, 10, 1, 2)
    await upkeep_of(centre).compare()
    (shown,) = (await supervisor.get("/api/holds")).json()["strangers"]
    assert (shown["id"], shown["camera_name"], shown["reference"]) == ("hold-of-before", "Place 2", "R-1")
    assert list(centre.node.held) == ["hold-of-before"]


async def test_without_the_journal_no_hold_is_placed_and_none_is_released(
    database: Database, short_folder: Path
) -> None:
    """LAW-25: the entry stands before the act, or there is no act."""
    clock = ManualClock()
    async with running_writer(short_folder) as writer, client_of(writer, timeout_s=0.3) as audit:
        await audit.head()
        centre = TestCentre(services_over(database, audit, clock), short_folder)
        first, second = await two_supervisors(centre)
        placed = await place(centre, first)
        await first.post(f"/api/holds/{placed['id']}/release", {"reason": "Fin"})
        await audit.close()
        writer.socket.rename(writer.socket.with_suffix(".gone"))
        for answer in (
            await first.post("/api/holds", request(centre, reference="another")),
            await second.post(f"/api/holds/{placed['id']}/release/confirm"),
        ):
            assert (answer.status_code, answer.json()["code"]) == (503, "audit.unavailable")
        assert (list(centre.node.held), centre.node.releases) == ([placed["id"]], [])
        assert (await hold_of(first, placed["id"]))["state"] == "release_asked"
        centre.services.passwords.close()
