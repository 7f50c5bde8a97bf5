"""The capacity of disks as people read it."""

from __future__ import annotations

from dataclasses import replace

from recorder.contract.capacity import CapacityState, DiskCapacity
from supervision_centre.capacity.report import advise, report_json, summary, worst
from supervision_centre.people.person import Role
from tests.supervision_centre.centre import TestCentre
from tests.supervision_centre.parts import DAY_NS

NOW_NS = 1_767_225_600_000_000_000
ENOUGH = DiskCapacity(
    "disque-1", CapacityState.ENOUGH, 8 * 10**12, 4 * 10**12, 3 * 10**12, 10**9, 10**11, 30.0, 61.5, None
)
TIGHT = replace(ENOUGH, name="disque-2", state=CapacityState.TIGHT, reached_days=32.0, forced_at_ns=NOW_NS + 9 * DAY_NS)
SHORT = replace(
    ENOUGH, name="disque-3", state=CapacityState.SHORT, reached_days=12.5, forced_at_ns=NOW_NS + DAY_NS // 2
)
DEAD = DiskCapacity("disque-4", CapacityState.DEAD, 0, 0, 0, 0, 0, 0.0, 0.0, None)


def test_each_state_has_one_sentence_and_what_to_do() -> None:
    """LAW-08: who is responsible reads it days before the disk forces a choice."""
    assert advise(ENOUGH, NOW_NS).sentence == "Le disque « disque-1 » tient les 30 jours exigés (61,5 jours)."
    assert advise(ENOUGH, NOW_NS).advice == ""
    assert advise(TIGHT, NOW_NS).sentence == (
        "Le disque « disque-2 » tient de justesse les 30 jours exigés (32 jours) : il sera plein dans 9 jours."
    )
    assert advise(SHORT, NOW_NS).sentence == (
        "Le disque « disque-3 » ne tiendra que 12,5 jours des 30 jours exigés : il sera plein dans moins d'un jour."
    )
    full = replace(SHORT, forced_at_ns=NOW_NS)
    assert advise(full, NOW_NS).sentence.endswith(": il est plein.")
    idle = replace(ENOUGH, required_days=0.0, reached_days=366.0)
    assert advise(idle, NOW_NS).sentence == "Le disque « disque-1 » n'a rien enregistré depuis un jour."
    assert "plus d'un an" in advise(replace(ENOUGH, reached_days=366.0), NOW_NS).sentence
    assert all(advise(disk, NOW_NS).advice for disk in (TIGHT, SHORT, DEAD))


def test_the_gravest_disk_speaks_for_all() -> None:
    """LAW-08."""
    assert worst([]) is CapacityState.ENOUGH
    assert worst([ENOUGH, DEAD, SHORT]) is CapacityState.DEAD
    assert summary([ENOUGH], NOW_NS) == ""
    assert summary([ENOUGH, TIGHT, SHORT], NOW_NS) == advise(SHORT, NOW_NS).sentence
    two = [SHORT, replace(SHORT, name="disque-5")]
    assert summary(two, NOW_NS) == "2 disques ne tiendront pas la durée de conservation exigée."
    report = report_json([ENOUGH, TIGHT], NOW_NS)
    assert (report["state"], [disk["state"] for disk in report["disks"]]) == ("tight", ["enough", "tight"])


async def test_who_acts_on_disks_reads_their_capacity(centre: TestCentre) -> None:
    """LAW-08: supervisors and administrators; a node that is away is said to be."""
    centre.node.disks = [ENOUGH, replace(SHORT, forced_at_ns=centre.clock.utc_ns() + 3 * DAY_NS)]
    administrator = await centre.logged_in(Role.ADMINISTRATOR)
    report = (await administrator.get("/api/capacity")).json()
    assert (report["state"], len(report["disks"])) == ("short", 2)
    assert "dans 3 jours" in report["summary"]
    operator = await centre.logged_in(Role.OPERATOR)
    assert (await operator.get("/api/capacity")).status_code == 403
    centre.node.away = True
    assert (await administrator.get("/api/capacity")).json()["code"] == "node.unavailable"
