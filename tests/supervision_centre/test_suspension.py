"""Suspending a person, and a centre whose other parts are away."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from access_audit.events import AccessEvent, EventKind
from access_audit.receipt import AuditReceipt
from supervision_centre.access import looks
from supervision_centre.access.sweep import Sweep
from supervision_centre.bus.port import Message, Topic
from supervision_centre.people.person import Role
from supervision_centre.people.provision import system_author
from tests.access_audit.logs import client_of, running_writer
from tests.supervision_centre.centre import TestCentre, running_centre, services_over, until
from tests.supervision_centre.parts import DAY_NS, camera_id
from vms.base.clock import ManualClock
from vms.base.database import Database


async def test_suspending_ends_sessions_and_live_views_at_once(centre: TestCentre) -> None:
    """LAW-17: log-in, looks and tickets end with the answer, without waiting for any lease."""
    operator = await centre.logged_in(Role.OPERATOR)
    supervisor = await centre.logged_in(Role.SUPERVISOR)
    opened = (await operator.watch(camera_id(1), camera_id(2))).json()["sessions"]
    names = {session["session_id"] for session in opened}
    person_id = operator.me["person"]["id"]
    async with centre.services.bus.subscribe(Topic.REVOCATIONS) as messages:
        assert (await supervisor.post(f"/api/people/{person_id}/suspend")).status_code == 204
        assert set((await anext(messages)).fields["sessions"].split(",")) == names
    assert set(centre.node.revoked) == names
    assert (await operator.get("/api/me")).status_code == 401
    assert (await operator.post("/api/live-sessions/renew", {"sessions": list(names)})).status_code == 401
    closed = await centre.some(EventKind.LIVE_CLOSED, 2)
    assert {entry.event.details["cause"] for entry in closed if entry.event} == {"suspended"}
    suspended = (await centre.entry(EventKind.ACCOUNT_SUSPENDED)).event
    assert suspended is not None
    assert suspended.author.person_id == supervisor.me["person"]["id"]
    refused = await operator.log_in("operator")
    assert (refused.status_code, refused.json()["code"]) == (403, "access.suspended")


async def test_a_restored_person_may_come_back(centre: TestCentre) -> None:
    operator = await centre.logged_in(Role.OPERATOR)
    supervisor = await centre.logged_in(Role.SUPERVISOR)
    person_id = operator.me["person"]["id"]
    await supervisor.post(f"/api/people/{person_id}/suspend")
    assert (await supervisor.post(f"/api/people/{person_id}/restore")).status_code == 204
    assert (await operator.log_in("operator")).status_code == 204
    assert (await centre.entry(EventKind.ACCOUNT_RESTORED)).event is not None


async def test_a_suspension_from_the_command_line_reaches_the_node_with_the_next_sweep(centre: TestCentre) -> None:
    """LAW-17: another process writes to the database alone; the running centre does the rest within a second."""
    operator = await centre.logged_in(Role.OPERATOR)
    opened = (await operator.watch(camera_id(1))).json()["sessions"][0]["session_id"]
    await centre.accounts.suspend(operator.me["person"]["id"], system_author("root"))
    assert centre.node.revoked == []
    await centre.clock.advance(1)

    async def told() -> bool:
        return centre.node.revoked == [opened]

    await until(told)


async def test_a_node_that_was_away_is_told_again(centre: TestCentre) -> None:
    """LAW-17."""
    operator = await centre.logged_in(Role.OPERATOR)
    supervisor = await centre.logged_in(Role.SUPERVISOR)
    opened = (await operator.watch(camera_id(1))).json()["sessions"][0]["session_id"]
    centre.node.away = True
    assert (await supervisor.post(f"/api/people/{operator.me['person']['id']}/suspend")).status_code == 204
    centre.node.away = False

    async def told() -> bool:
        await centre.clock.advance(1)
        return opened in centre.node.revoked

    await until(told)


async def test_while_a_node_is_away_the_sweep_keeps_to_its_pace(centre: TestCentre) -> None:
    """A turn that fails must not bring the next one at once by its own message."""
    operator = await centre.logged_in(Role.OPERATOR)
    opened = (await operator.watch(camera_id(1))).json()["sessions"][0]["session_id"]
    await centre.accounts.suspend(operator.me["person"]["id"], system_author("root"))
    centre.node.away = True
    at_work = centre.app.state.centre
    sweep = Sweep(centre.services, at_work.viewing, at_work.web_sessions, at_work.deliverer)
    async with centre.services.bus.subscribe(Topic.REVOCATIONS) as messages:
        await sweep.once()
        await centre.services.bus.publish(Message(Topic.REVOCATIONS, {"sessions": "last"}))
        assert (await anext(messages)).fields == {"sessions": "last"}
    centre.node.away = False
    await sweep.once()
    assert opened in centre.node.revoked


async def test_a_person_suspended_while_the_journal_writes_gets_no_ticket(
    centre: TestCentre, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LAW-17: the entry stands without an act, which is acceptable; a ticket of ten seconds more would not be."""
    operator = await centre.logged_in(Role.OPERATOR)
    audit = centre.services.audit
    record_all = audit.record_all

    async def slow(events: Sequence[AccessEvent]) -> list[AuditReceipt]:
        receipts = await record_all(events)
        if events[0].kind is EventKind.LIVE_OPENED:
            await centre.accounts.suspend(operator.me["person"]["id"], system_author("root"))
        return receipts

    monkeypatch.setattr(audit, "record_all", slow)
    answer = await operator.watch(camera_id(1))
    assert (answer.status_code, answer.json()["code"]) == (401, "session.missing")
    async with centre.services.database.reading() as session:
        assert await looks.open_looks(session) == []
    assert (await centre.entry(EventKind.LIVE_OPENED)).event is not None


async def test_nobody_suspends_themselves_and_an_operator_suspends_nobody(centre: TestCentre) -> None:
    operator = await centre.logged_in(Role.OPERATOR)
    supervisor = await centre.logged_in(Role.SUPERVISOR)
    oneself = await supervisor.post(f"/api/people/{supervisor.me['person']['id']}/suspend")
    assert (oneself.status_code, oneself.json()["code"]) == (409, "person.oneself")
    other = await operator.post(f"/api/people/{supervisor.me['person']['id']}/suspend")
    assert (other.status_code, other.json()["code"]) == (403, "access.role")
    unknown = await supervisor.post("/api/people/per-nobody/suspend")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "person.unknown")


async def test_an_agrement_that_ends_during_a_look_ends_the_look(centre: TestCentre) -> None:
    """LAW-16: rights are decided again at each renewal."""
    operator = await centre.logged_in(Role.OPERATOR)
    opened = (await operator.watch(camera_id(1))).json()["sessions"][0]["session_id"]
    directory = centre.cameras.views
    directory[camera_id(1)] = replace(directory[camera_id(1)], commune="75056")
    answer = (await operator.post("/api/live-sessions/renew", {"sessions": [opened]})).json()
    assert answer == {"sessions": [], "ended": [{"session_id": opened, "cause": "out_of_scope"}]}
    assert centre.node.revoked == [opened]


async def test_without_the_journal_nothing_is_shown_and_everything_else_goes_on(
    database: Database, short_folder: Path
) -> None:
    """An act without an entry is not acceptable; taking a right away waits for nothing (LAW-17, LAW-26)."""
    clock = ManualClock()
    async with running_writer(short_folder) as writer, client_of(writer, timeout_s=0.3) as audit:
        await audit.head()
        centre = TestCentre(services_over(database, audit, clock), short_folder)
        async with centre.app.router.lifespan_context(centre.app):
            operator = await centre.logged_in(Role.OPERATOR)
            supervisor = await centre.logged_in(Role.SUPERVISOR)
            opened = (await operator.watch(camera_id(1))).json()["sessions"][0]["session_id"]
            await audit.close()
            writer.socket.rename(writer.socket.with_suffix(".gone"))

            refused = await operator.watch(camera_id(2))
            assert (refused.status_code, refused.json()["code"]) == (503, "audit.unavailable")
            assert "journal des accès" in refused.json()["message"]
            renewal = await operator.post("/api/live-sessions/renew", {"sessions": [opened]})
            assert (renewal.status_code, renewal.json()["code"]) == (503, "audit.unavailable")
            async with database.reading() as session:
                assert [row.session_id for row in await looks.open_looks(session)] == [opened]

            assert (await operator.get("/api/cameras")).status_code == 200
            assert (await operator.get("/api/health")).json() == {
                "status": "degraded", "database": True, "viewing": False,
            }  # fmt: skip
            assert (await supervisor.post(f"/api/people/{operator.me['person']['id']}/suspend")).status_code == 204
            assert centre.node.revoked == [opened]

            writer.socket.with_suffix(".gone").rename(writer.socket)
            assert (await centre.entry(EventKind.ACCOUNT_SUSPENDED)).event is not None
            assert (await centre.entry(EventKind.LIVE_CLOSED)).event is not None
            assert len(await centre.entries(EventKind.LIVE_OPENED)) == 1
        centre.services.passwords.close()


async def test_a_centre_that_was_killed_closes_what_it_had_open(database: Database, short_folder: Path) -> None:
    """The looks of a process that is gone are closed at the end of their lease, by the next one."""
    clock = ManualClock()
    async with running_writer(short_folder) as writer, client_of(writer) as audit:
        first = TestCentre(services_over(database, audit, clock), short_folder)
        operator = await first.logged_in(Role.OPERATOR)
        await operator.watch(camera_id(1))
        first.services.passwords.close()
    async with running_centre(database, short_folder, start_ns=clock.utc_ns() + DAY_NS) as second:
        closed = (await second.entry(EventKind.LIVE_CLOSED)).event
    assert closed is not None
    assert (closed.details["cause"], closed.details["seconds"]) == ("lease_expired", "10")


async def test_two_sweeps_close_a_look_once(centre: TestCentre) -> None:
    operator = await centre.logged_in(Role.OPERATOR)
    await operator.watch(*(camera_id(number) for number in (1, 2, 3)))
    late_ns = centre.clock.utc_ns() + 60_000_000_000
    database = centre.services.database

    async def sweep() -> int:
        async with database.writing() as session:
            return len(await looks.close_lapsed(session, late_ns))

    assert sorted(await asyncio.gather(sweep(), sweep())) == [0, 3]
    centre.app.state.centre.deliverer.wake()
    await centre.some(EventKind.LIVE_CLOSED, 3)
