"""Certificates of destruction: from the entries of nodes to a page that an auditor can check."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pytest

from access_audit.events import AccessEvent, Author, EventKind, Reason
from access_audit.journal import JournalEntry
from access_audit.verify import verify_proof
from recorder.contract.timeline import RecordedSpan, Timeline
from supervision_centre.destruction.certificate import (
    HOUR_NS,
    Conclusion,
    HourState,
    bounds_of,
    certify,
)
from supervision_centre.destruction.wording import hour_text
from supervision_centre.people.person import Role
from tests.access_audit.logs import settings_of
from tests.supervision_centre.centre import TestCentre, running_centre
from tests.supervision_centre.parts import DAY_NS, VERNON, camera, camera_id
from tests.supervision_centre.test_holds import place
from vms.base.clock import NS_PER_SECOND, parse_utc, utc_text
from vms.base.database import Database

DAY = date(2026, 3, 2)
START_NS, END_NS = bounds_of(DAY)
NODE = Author("shard-1", "shard-1", "system")


def told(kind: EventKind, hour: int, at_ns: int, **details: str) -> AccessEvent:
    start_ns = START_NS + hour * HOUR_NS
    common = {"segments": "60", "bytes": "1800000000", "digest": f"{hour:064x}"}
    return AccessEvent(
        kind,
        NODE,
        at_ns,
        Reason("retention"),
        commune=camera(1).commune,
        camera_id=camera_id(1),
        range_start_ns=start_ns,
        range_end_ns=start_ns + HOUR_NS - 1,
        details=common | details,
    )


def collected(hour: int, **details: str) -> AccessEvent:
    return told(EventKind.RECORDING_COLLECTED, hour, START_NS + (hour + 2) * HOUR_NS, **details)


def erased(hour: int, **details: str) -> AccessEvent:
    return told(EventKind.RECORDING_ERASED, hour, END_NS + 10 * DAY_NS, cause="retention", **details)


def sealed(hour: int, **details: str) -> AccessEvent:
    return erased(hour, seal=f"{hour:064x}", **details)


def entries(*events: AccessEvent) -> list[JournalEntry]:
    """As a search gives them: newest first."""
    numbered = [JournalEntry(number, f"{number:064x}", event.at_ns, event) for number, event in enumerate(events)]
    return numbered[::-1]


def timeline(*spans: tuple[int, int]) -> Timeline:
    """Spans by hours of the day."""
    return Timeline(
        camera_id(1),
        START_NS,
        END_NS,
        tuple(RecordedSpan(START_NS + begin * HOUR_NS, START_NS + end * HOUR_NS, 1, 20) for begin, end in spans),
        (),
    )


@pytest.mark.parametrize(
    ("events", "left", "states", "conclusion"),
    [
        ([collected(0), sealed(0)], timeline(), ["destroyed"], Conclusion.DESTROYED),
        ([collected(0), collected(1), sealed(0)], timeline((1, 2)), ["destroyed", "standing"], Conclusion.REMAINING),
        ([collected(0), collected(1), sealed(0)], timeline(), ["destroyed", "standing"], Conclusion.UNTOLD),
        ([collected(0), erased(0, seal="f" * 64)], timeline(), ["contradicted"], Conclusion.CONTRADICTED),
        ([collected(0), erased(0, bytes="100", kept="2")], timeline((0, 1)), ["held"], Conclusion.REMAINING),
        ([collected(0), erased(0, bytes="100")], timeline((0, 1)), ["partial"], Conclusion.REMAINING),
        ([collected(0), erased(0)], timeline(), ["destroyed"], Conclusion.DESTROYED),
        ([collected(0), sealed(0)], None, ["destroyed"], Conclusion.UNKNOWN),
        ([collected(0)], None, ["standing"], Conclusion.REMAINING),
        ([sealed(0)], timeline(), ["destroyed"], Conclusion.DESTROYED),
        ([], timeline(), [], Conclusion.NOTHING),
        ([], timeline((3, 4)), [], Conclusion.REMAINING),
        ([], None, [], Conclusion.UNKNOWN),
        # a node that crashed tells in the same words again; another cause is another part of the hour
        (
            [collected(0), collected(0), erased(0, bytes="9", kept="1"), sealed(0, bytes="1799999991")],
            timeline(),
            ["destroyed"],
            Conclusion.DESTROYED,
        ),
    ],
)
def test_what_a_certificate_concludes(
    events: Sequence[AccessEvent], left: Timeline | None, states: list[str], conclusion: Conclusion
) -> None:
    """LAW-09: what was recorded and what is gone are named as one, or the certificate does not say so."""
    certificate = certify(camera_id(1), DAY, entries(*events), left, [], END_NS + 31 * DAY_NS)
    assert [hour.state.value for hour in certificate.hours] == states
    assert certificate.conclusion is conclusion


def test_several_erasures_of_an_hour_are_all_listed_and_a_repeated_one_counts_once() -> None:
    """LAW-09: a disk that was full, a hold, the end of retention: each has its entry and its cause."""
    first = erased(0, bytes="600000000", segments="20", digest="a" * 64, kept="40")
    early = told(
        EventKind.RECORDING_ERASED, 0, first.at_ns + 1, cause="disk_full", bytes="600000000", segments="20", kept="20"
    )
    last = sealed(0, bytes="600000000", segments="20")
    certificate = certify(
        camera_id(1), DAY, entries(collected(0), first, first, early, last), timeline(), [], END_NS + 31 * DAY_NS
    )
    (hour,) = certificate.hours
    assert [entry.cause for entry in hour.erased] == ["retention", "disk_full", "retention"]
    assert (certificate.collected_bytes, certificate.erased_bytes) == (1_800_000_000, 1_800_000_000)
    assert hour.state is HourState.DESTROYED
    assert [entry.index for entry in certificate.cited] == [0, 1, 3, 4]


def test_a_day_is_that_of_the_clock_on_the_wall() -> None:
    """LAW-09, LAW-39: 23 and 25 hours at the changes of the clock, and the doubled hour is told apart."""
    lengths = [
        (end - start) // HOUR_NS
        for start, end in map(bounds_of, (date(2026, 3, 29), date(2026, 10, 25), date(2026, 7, 1)))
    ]
    assert lengths == [23, 25, 24]
    doubled = parse_utc("2026-10-25T00:00:00Z")
    assert hour_text(doubled) == "02:00 (UTC+02)"
    assert hour_text(doubled + HOUR_NS) == "02:00 (UTC+01)"


async def made(centre: TestCentre) -> None:
    """A day of three hours: destroyed, held in part, not destroyed yet."""
    await centre.services.audit.record_all(
        [collected(8), collected(9), collected(10), sealed(8), erased(9, bytes="100", kept="2")]
    )

    async def left(camera_id: str, start_ns: int, end_ns: int) -> Timeline:
        return timeline((9, 11))

    centre.node.timeline = left  # type: ignore[method-assign]


async def test_a_certificate_proves_itself_and_its_reading_is_logged(database: Database, short_folder: Path) -> None:
    """LAW-09: all segments of the day with their erasure; LAW-31: an auditor checks each entry without the centre."""
    async with running_centre(database, short_folder, start_ns=END_NS + 11 * DAY_NS) as centre:
        await made(centre)
        supervisor = await centre.logged_in(Role.SUPERVISOR)
        held = await place(
            centre,
            supervisor,
            **{
                "from": utc_text(START_NS + 9 * HOUR_NS),
                "to": utc_text(START_NS + 10 * HOUR_NS),
                "expires": utc_text(END_NS + 90 * DAY_NS),
            },
        )
        mayor = await centre.logged_in(Role.MAYOR)
        path = f"/api/cameras/{camera_id(1)}/destruction"
        answer = await mayor.get(path, day=DAY.isoformat())
        certificate = answer.json()
        assert [(hour["start"], hour["state"]) for hour in certificate["hours"]] == [
            (utc_text(START_NS + 8 * HOUR_NS), "destroyed"),
            (utc_text(START_NS + 9 * HOUR_NS), "held"),
            (utc_text(START_NS + 10 * HOUR_NS), "standing"),
        ]
        assert certificate["conclusion"] == "remaining"
        assert [hold["id"] for hold in certificate["holds"]] == [held["id"]]
        assert held["reference"] not in answer.text
        key = (await asyncio.to_thread(settings_of(short_folder).folder.joinpath("log.pub").read_bytes)).decode()
        indices = [entry["index"] for hour in certificate["hours"] for entry in (*hour["collected"], *hour["erased"])]
        assert sorted(proof["index"] for proof in certificate["proofs"]) == sorted(indices)
        for proof in certificate["proofs"]:
            assert verify_proof(proof, key).ok, proof
        consulted = (await centre.entry(EventKind.JOURNAL_CONSULTED)).event
        assert consulted is not None
        assert (consulted.camera_id, consulted.author.role) == (camera_id(1), "mayor")
        page = await mayor.get(path, day=DAY.isoformat(), format="html")
        assert page.headers["content-type"].startswith("text/html")
        leaf = certificate["hours"][0]["erased"][0]["leaf"]
        for text in ("lundi 2 mars 2026", "Détruite, sauf images conservées", "Non détruite", leaf):
            assert text in page.text
        assert held["reference"] not in page.text


async def test_who_may_not_read_it_and_days_that_are_not_over(centre: TestCentre) -> None:
    """LAW-09, LAW-18."""
    path = f"/api/cameras/{camera_id(1)}/destruction"
    operator = await centre.logged_in(Role.OPERATOR)
    assert (await operator.get(path, day="2025-12-01")).status_code == 403
    elsewhere = await centre.logged_in(Role.MAYOR, VERNON)
    assert (await elsewhere.get(path, day="2025-12-01")).json()["code"] == "camera.unknown"
    dpo = await centre.logged_in(Role.DPO)
    today = utc_text(centre.clock.utc_ns() + 3 * 3600 * NS_PER_SECOND)[:10]
    assert (await dpo.get(path, day=today)).json()["code"] == "destruction.day"
    assert (await dpo.get(path, day="yesterday")).status_code == 422
    centre.node.away = True
    unknown = (await dpo.get(path, day="2025-12-01")).json()
    assert (unknown["conclusion"], unknown["remaining"]) == ("unknown", None)
