"""The ticket maker: grant and receipt must speak of the same look."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from recorder.contract.ticket import MediaAct, TicketVerifier
from supervision_centre.access.entries import opened
from supervision_centre.access.policy import Grant, Wish, decide
from supervision_centre.access.tickets import EntryOnFile, issue_ticket
from supervision_centre.people.person import Role
from tests.access_audit.logs import client_of, running_writer
from tests.supervision_centre.parts import PURPOSE, camera, person
from vms.base.clock import ManualClock

ROOT = Path(__file__).parents[2]
PACKAGES = ("vms", "cameras", "recorder", "supervision_centre", "access_audit")


def grant(number: int, now_ns: int) -> Grant:
    view = camera(number)
    decision = decide(person(Role.OPERATOR, now_ns), view, Wish(MediaAct.LIVE, view.camera_id, PURPOSE), now_ns)
    assert isinstance(decision, Grant)
    return decision


async def test_a_receipt_of_another_look_makes_no_ticket(short_folder: Path) -> None:
    """LAW-26: one entry cannot be used for two cameras or two sessions."""
    clock, key = ManualClock(), Ed25519PrivateKey.generate()
    mine, other = grant(1, clock.utc_ns()), grant(2, clock.utc_ns())
    async with running_writer(short_folder) as writer, client_of(writer) as audit:
        receipt = await audit.record(opened(mine, "view-1"))
    ticket = issue_ticket(mine, receipt, "view-1", key)
    claims = TicketVerifier(key.public_key(), clock).verify(ticket.text).claims
    assert (claims.receipt_index, claims.receipt_leaf) == (receipt.index, receipt.leaf_hash.hex())
    with pytest.raises(ValueError, match="not about this grant"):
        issue_ticket(other, receipt, "view-1", key)
    with pytest.raises(ValueError, match="not about this grant"):
        issue_ticket(mine, receipt, "view-2", key)
    with pytest.raises(ValueError, match="not about this session"):
        issue_ticket(mine, EntryOnFile("view-1", 1, "00"), "view-2", key)


def test_only_the_ticket_maker_signs_tickets() -> None:
    """And a benchmark, with a key of its own that no node of an installation knows."""
    callers = set()
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            names = {
                getattr(node.func, "id", getattr(node.func, "attr", ""))
                for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
                if isinstance(node, ast.Call)
            }
            if "sign_ticket" in names:
                callers.add(path.relative_to(ROOT).as_posix())
    assert callers == {"supervision_centre/access/tickets.py", "vms/app/bench/player.py"}
