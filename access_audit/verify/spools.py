"""What nodes delivered later: complete, in order, and once.

The chain runs over the commitments, so that it can be judged when the payloads have long been erased.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from access_audit.verify.reading import chain_next, chain_start
from access_audit.verify.report import Finding, Flaw, Step
from access_audit.verify.scan import Spooled

_REMEMBERED = 65_536


@dataclass(slots=True)
class _Chain:
    sequence: int
    chain: bytes
    missing: dict[int, int] = field(default_factory=dict)
    """Numbers that were jumped over, with the index of the entry that did."""


def judge_spools(step: Step, entries: Iterable[Spooled]) -> None:
    """Follow each spool through the log. What was jumped over and comes later has been reordered."""
    chains: dict[str, _Chain] = {}
    jumps: dict[int, tuple[str, int, int]] = {}
    late: dict[int, int] = {}
    findings: list[Finding] = []
    count = 0
    for entry in entries:
        count += 1
        head = chains.setdefault(entry.spool_id, _Chain(0, chain_start(entry.spool_id)))
        if entry.sequence in head.missing:
            jump = head.missing.pop(entry.sequence)
            late[jump] = late.get(jump, 0) + 1
            continue
        if entry.sequence <= head.sequence:
            detail = f"{entry.spool_id} number {entry.sequence}"
            findings.append(Finding(Flaw.SPOOL_REPLAYED, entry.index, detail))
            continue
        if entry.sequence > head.sequence + 1:
            jumps[entry.index] = entry.spool_id, head.sequence, entry.sequence
            # A hostile jump may be as wide as it likes; what is looked for later is bounded.
            head.missing.update(dict.fromkeys(range(head.sequence + 1, entry.sequence)[:_REMEMBERED], entry.index))
        elif entry.chain != chain_next(head.chain, entry.commitment):
            findings.append(Finding(Flaw.SPOOL_CHAIN, entry.index, entry.spool_id))
        head.sequence, head.chain = entry.sequence, entry.chain
    for index, (spool_id, before, after) in jumps.items():
        all_there = late.get(index, 0) == after - before - 1
        flaw = Flaw.SPOOL_REORDERED if all_there else Flaw.SPOOL_GAP
        findings.append(Finding(flaw, index, f"{spool_id} jumps from {before} to {after}"))
    for found in sorted(findings, key=lambda each: each.index or 0):
        step.fail(found.flaw, found.index, found.detail)
    if count:
        step.note("spooled", count)
