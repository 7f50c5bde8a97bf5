"""The log as it was read: what is published, and after it what is only sequenced."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from access_audit.verify.notes import Head, Unreadable
from access_audit.verify.reading import WIDTH, PendingBatch, leaf_hash, read_leaf, read_tile, split_bundle
from access_audit.verify.report import Flaw, Step
from access_audit.verify.tree import roots_at, stack_at


class LogView:
    """Entries and roots of a log of `size` published entries; `end` counts those that are only sequenced too.

    `attested` grows with the sizes at which third parties have been found to agree.
    """

    def __init__(
        self, folder: Path, size: int, roots: list[bytes | None], batches: Sequence[PendingBatch] = ()
    ) -> None:
        self.folder = folder
        self.size = size
        self.roots = roots
        self.batches = [batch for batch in batches if batch.first + len(batch.leaves) > size]
        self.attested: set[int] = set()
        self.end = max([size, *(batch.first + len(batch.leaves) for batch in self.batches)])

    def leaf_at(self, index: int) -> bytes | None:
        """The leaf at an index; None when the log has none there, or its bundle cannot be read."""
        if index >= self.size:
            for batch in self.batches:
                if batch.first <= index < batch.first + len(batch.leaves):
                    return batch.leaves[index - batch.first]
            return None
        number, place = divmod(index, WIDTH)
        content = read_tile(self.folder, "entries", number, min(WIDTH, self.size - number * WIDTH)) or b""
        try:
            return split_bundle(content)[place]
        except (Unreadable, IndexError):
            return None

    def instant_at(self, index: int) -> int | None:
        """The writer's instant of an entry."""
        try:
            return read_leaf(self.leaf_at(index) or b"").at_ns
        except Unreadable:
            return None

    def first_after(self, instant_ns: int, end: int) -> int:
        """The first entry below `end` that is dated after an instant; `end` when there is none."""
        low = 0
        while low < end:
            middle = (low + end) // 2
            dated = self.instant_at(middle)
            if dated is not None and dated > instant_ns:
                end = middle
            else:
                low = middle + 1
        return end

    def roots_at(self, sizes: Iterable[int]) -> dict[int, bytes]:
        """The roots of the log at some sizes; a size that cannot be known is left out."""
        wanted = set(sizes)
        found = roots_at(self.folder, self.size, self.roots, list(wanted))
        late = {each for each in wanted if self.size < each <= self.end}
        stack = stack_at(self.folder, self.size, self.roots) if late else None
        for batch in self.batches if stack is not None else ():
            if stack is None or batch.first != stack.size:
                break
            for leaf in batch.leaves:
                stack.push(leaf_hash(leaf))
                if stack.size in late:
                    found[stack.size] = stack.root
        return found

    def compare(self, step: Step, heads: Iterable[Head], flaw: Flaw) -> list[Head]:
        """Which heads this log continues; the others are found as `flaw`, or as a log that was rolled back.

        The index of a contradiction is where the newest head that agrees ends: nothing before it has been changed.
        """
        ordered = sorted(set(heads), key=lambda head: head.size)
        roots = self.roots_at(head.size for head in ordered)
        good = [head for head in ordered if head.size <= self.end and roots.get(head.size, head.root) == head.root]
        for head in ordered:
            if head.size > self.end:
                step.fail(Flaw.LOG_ROLLED_BACK, self.end, f"a checkpoint of size {head.size} exists")
            elif head not in good:
                agreed = self.attested.union(each.size for each in good)
                holds = max((size for size in agreed if size < head.size), default=0)
                step.fail(flaw, holds, f"and before {head.size}: another checkpoint of that size exists")
        return good
