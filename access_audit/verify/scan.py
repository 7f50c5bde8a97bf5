"""The long part of a verification: every bundle hashed and read, in as many processes as there are cores.

A worker takes neighbouring bundles and gives back one `Chunk`: a hash per bundle, what is wrong in it, and the few
things that can only be judged over the whole log (time, expiry, spools).
"""

from __future__ import annotations

import json
import multiprocessing
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from access_audit.verify.notes import Unreadable
from access_audit.verify.reading import (
    WIDTH,
    Leaf,
    canonical,
    commitment,
    fold,
    leaf_hash,
    number_path,
    read_leaf,
    read_tile,
    split_bundle,
    split_payloads,
)
from access_audit.verify.report import Finding, Flaw

CHUNK_BUNDLES = 32
_ALONE_BELOW_BUNDLES = 128

_APART_NS = 600 * 1_000_000_000
_AUTHOR = {"id", "name", "role"}
_REASON = {"code", "text"}
_ALWAYS = {"at_ns", "author", "kind", "reason", "recipients"}
_CONTROL_DETAILS = {"log.expired": ("before_ns", "controller"), "log.clock_stepped": ("from", "to")}
_DECODER = json.JSONDecoder()
_INSTANT = re.compile(r"[1-9][0-9]{0,18}", re.ASCII)
_SOMETIMES = {"authority", "camera", "commune", "details", "range", "requisition"}


class Run(NamedTuple):
    """Neighbouring entries that all have their payload, or all have none; instants of the first and the last."""

    present: bool
    first: int
    end: int
    first_ns: int
    last_ns: int


@dataclass(frozen=True, slots=True)
class Spooled:
    """One entry that came by a spool."""

    index: int
    spool_id: str
    sequence: int
    chain: bytes
    commitment: bytes


@dataclass(frozen=True, slots=True)
class Expired:
    """A statement of the log that payloads older than `before_ns` have been erased."""

    index: int
    at_ns: int
    before_ns: int
    controller: str


@dataclass(slots=True)
class Chunk:
    """What a worker found in bundles `first` to `first + len(leaf_roots)`.

    `kept` gives, for each authority that payloads name, index and instant of the oldest payload that is there.
    """

    first: int
    leaf_roots: list[bytes | None] = field(default_factory=list)
    tile_roots: list[bytes | None] = field(default_factory=list)
    bundles: list[Finding] = field(default_factory=list)
    leaves: list[Finding] = field(default_factory=list)
    times: list[Finding] = field(default_factory=list)
    payloads: list[Finding] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    spooled: list[Spooled] = field(default_factory=list)
    expired: list[Expired] = field(default_factory=list)
    kept: dict[str, tuple[int, int]] = field(default_factory=dict)
    hand_overs: list[int] = field(default_factory=list)
    steps_of_clock: int = 0
    dated_apart: int = 0
    first_ns: int | None = None
    last_ns: int = 0

    def add_run(self, index: int, at_ns: int, *, present: bool) -> None:
        """Lengthen the last run by one entry, or start another."""
        if self.runs and self.runs[-1].present == present and self.runs[-1].end == index:
            self.runs[-1] = self.runs[-1]._replace(end=index + 1, last_ns=at_ns)
        else:
            self.runs.append(Run(present, index, index + 1, at_ns, at_ns))


def scan(folder: Path, size: int, workers: int, progress: Callable[[int, int], None]) -> Iterator[Chunk]:
    """The chunks of a log of `size`, in order. `progress` hears of entries done, and of their number."""
    bundles = -(-size // WIDTH)
    starts = range(0, bundles, CHUNK_BUNDLES)
    jobs = [(str(folder), start, min(start + CHUNK_BUNDLES, bundles), size) for start in starts]
    if workers <= 1 or bundles < _ALONE_BELOW_BUNDLES:
        for job in jobs:
            yield scan_bundles(job)
            progress(min(job[2] * WIDTH, size), size)
        return
    # Started fresh, since a forked child would inherit the locks of threads that it does not have.
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        for job, chunk in zip(jobs, pool.map(scan_bundles, jobs), strict=True):
            yield chunk
            progress(min(job[2] * WIDTH, size), size)


def scan_bundles(job: tuple[str, int, int, int]) -> Chunk:
    """One worker's part: bundles [start, end) of the folder, in a log of `size`."""
    folder, start, end, size = Path(job[0]), job[1], job[2], job[3]
    chunk = Chunk(start)
    for number in range(start, end):
        width = min(WIDTH, size - number * WIDTH)
        hashes = read_leaf_hashes(folder, number, width)
        chunk.tile_roots.append(None if hashes is None else fold(hashes))
        content = read_tile(folder, "entries", number, width)
        if content is None:
            chunk.leaf_roots.append(None)
            chunk.bundles.append(Finding(Flaw.BUNDLE_MISSING, number * WIDTH))
            continue
        try:
            leaves = split_bundle(content)
        except Unreadable as wrong:
            chunk.leaf_roots.append(None)
            chunk.bundles.append(Finding(Flaw.BUNDLE_MALFORMED, number * WIDTH, str(wrong)))
            continue
        if len(leaves) < width:
            chunk.leaf_roots.append(None)
            chunk.bundles.append(_shortened(leaves, hashes, number * WIDTH, width))
            continue
        leaves = leaves[:width]
        chunk.leaf_roots.append(fold([leaf_hash(leaf) for leaf in leaves]))
        _scan_entries(chunk, folder, number, leaves)
    return chunk


def read_leaf_hashes(folder: Path, number: int, width: int) -> list[bytes] | None:
    """The first `width` hashes of a tile of level 0; None when it is missing or cut."""
    content = read_tile(folder, 0, number, width)
    if content is None or len(content) < width * 32:
        return None
    return [content[place : place + 32] for place in range(0, width * 32, 32)]


def _shortened(leaves: list[bytes], hashes: list[bytes] | None, first: int, width: int) -> Finding:
    found = [leaf_hash(leaf) for leaf in leaves]
    place = next((at for at, pair in enumerate(zip(found, hashes or found, strict=False)) if pair[0] != pair[1]), None)
    detail = f"{len(leaves)} of {width} entries"
    return Finding(Flaw.ENTRY_DELETED, first + (len(leaves) if place is None else place), detail)


def compare_entries(leaves: list[bytes], authentic: list[bytes], first: int) -> list[Finding]:
    """Name what was done to the entries of a bundle, given the authentic leaf hashes."""
    found = [leaf_hash(leaf) for leaf in leaves]
    wrong = [place for place, pair in enumerate(zip(found, authentic, strict=True)) if pair[0] != pair[1]]
    if not wrong:
        return []
    place = wrong[0]
    if len(wrong) == 2 and found[wrong[0]] == authentic[wrong[1]] and found[wrong[1]] == authentic[wrong[0]]:
        return [Finding(Flaw.ENTRIES_SWAPPED, first + place, f"with {first + wrong[1]}")]
    if place + 1 < len(found) and found[place] == authentic[place + 1]:
        return [Finding(Flaw.ENTRY_DELETED, first + place)]
    if place + 1 < len(found) and found[place + 1] == authentic[place]:
        return [Finding(Flaw.ENTRY_INSERTED, first + place)]
    return [Finding(Flaw.ENTRY_CHANGED, first + place) for place in wrong]


def _scan_entries(chunk: Chunk, folder: Path, number: int, contents: list[bytes]) -> None:
    payloads = _payloads_of(chunk, folder, number, len(contents))
    for place, content in enumerate(contents):
        index = number * WIDTH + place
        try:
            leaf = read_leaf(content)
        except Unreadable as wrong:
            chunk.leaves.append(Finding(Flaw.ENTRY_MALFORMED, index, str(wrong)))
            continue
        if leaf.index != index:
            flaw = Flaw.ENTRY_DELETED if leaf.index > index else Flaw.ENTRY_INSERTED
            chunk.leaves.append(Finding(flaw, index, f"the entry says that it is {leaf.index}"))
        if leaf.at_ns < chunk.last_ns:
            chunk.times.append(Finding(Flaw.TIME_WENT_BACK, index, f"by {chunk.last_ns - leaf.at_ns} ns"))
        chunk.first_ns = leaf.at_ns if chunk.first_ns is None else chunk.first_ns
        chunk.last_ns = leaf.at_ns
        if leaf.control == "log.key_changed":
            chunk.hand_overs.append(index)
        if leaf.spool is not None:
            chunk.spooled.append(Spooled(index, *leaf.spool, leaf.commitment))
        if payloads is not None:
            stored = payloads[place]
            chunk.add_run(index, leaf.at_ns, present=stored is not None)
            if stored is not None:
                _scan_payload(chunk, index, leaf, *stored)
            elif leaf.control:
                chunk.payloads.append(Finding(Flaw.PAYLOAD_MISSING, index, f"{leaf.control} never expires"))


def _payloads_of(chunk: Chunk, folder: Path, number: int, width: int) -> list[tuple[bytes, bytes] | None] | None:
    try:
        payloads = split_payloads((folder / "payload" / number_path(number)).read_bytes())
    except FileNotFoundError:
        chunk.payloads.append(Finding(Flaw.PAYLOAD_MISSING, number * WIDTH, "the payload bundle is missing"))
        return None
    except Unreadable as wrong:
        chunk.payloads.append(Finding(Flaw.PAYLOAD_MALFORMED, number * WIDTH, str(wrong)))
        return None
    if len(payloads) < width:
        index = number * WIDTH + len(payloads)
        chunk.payloads.append(Finding(Flaw.PAYLOAD_MISSING, index, f"{len(payloads)} of {width} payloads"))
        return None
    return payloads


def _scan_payload(chunk: Chunk, index: int, leaf: Leaf, salt: bytes, payload: bytes) -> None:
    if commitment(salt, payload) != leaf.commitment:
        chunk.payloads.append(Finding(Flaw.PAYLOAD_CHANGED, index, "payload or salt"))
        return
    problem, content = check_payload(payload, leaf.control)
    if problem:
        chunk.payloads.append(Finding(Flaw.PAYLOAD_CATALOGUE, index, problem))
    elif leaf.control:
        _scan_control(chunk, index, leaf, content.get("details", {}))
    else:
        chunk.kept.setdefault(content.get("authority", ""), (index, leaf.at_ns))
        if leaf.spool is None and abs(int(content["at_ns"]) - leaf.at_ns) > _APART_NS:
            chunk.dated_apart += 1


def _scan_control(chunk: Chunk, index: int, leaf: Leaf, details: dict[str, str]) -> None:
    if leaf.control == "log.clock_stepped":
        chunk.steps_of_clock += 1
        if not details["to"] < details["from"]:
            chunk.times.append(Finding(Flaw.TIME_STATEMENT, index, "a step back that does not go back"))
    elif leaf.control == "log.expired":
        chunk.expired.append(Expired(index, leaf.at_ns, int(details["before_ns"]), details["controller"]))


def check_payload(payload: bytes, control: str) -> tuple[str, dict[str, Any]]:
    """What is wrong with an authentic payload (empty when nothing is), and its content (LAW-25, LAW-29)."""
    try:
        # What follows the value, or stands in front of it, is found by the comparison with the one byte form.
        content, _ = _DECODER.raw_decode(payload.decode())
        names = content.keys()
        if not names >= _ALWAYS or names - _ALWAYS - _SOMETIMES:
            return "fields outside the catalogue", {}
        if content["author"].keys() != _AUTHOR or content["reason"].keys() != _REASON:
            return "author or reason of another form", {}
        kind = content["kind"]
        if not content["author"]["id"] or not content["reason"]["code"] or not _INSTANT.fullmatch(content["at_ns"]):
            return "an empty field that the law asks for", {}
        if control != (kind if kind.startswith("log.") else ""):
            return "the leaf names another kind", {}
        if any(type(content["details"][name]) is not str for name in _CONTROL_DETAILS.get(control, ())):
            return "details of another form", {}
        if kind == "log.expired" and not content["details"]["before_ns"].isdecimal():
            return "details of another form", {}
        if canonical(content) != payload:
            return "not in its one byte form", {}
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as wrong:
        return f"unreadable: {wrong!r}", {}
    return "", content
