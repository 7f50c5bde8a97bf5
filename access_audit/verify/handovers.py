"""From one key of a log to the next: the entries `log.key_changed`, followed from the first key on.

They are looked for before anything is believed, since they say which key signs the newest checkpoint. That is safe: a
hand-over counts only with the signature of the old key, and that its entry is in the log is proved with all others.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from access_audit.verify.notes import Key, KeyChain, Unreadable, read_key
from access_audit.verify.reading import (
    WIDTH,
    PendingBatch,
    number_path,
    split_bundle,
    split_payloads,
)
from access_audit.verify.report import Flaw, Step

KEY_CHANGED = "log.key_changed"
_STATEMENT = "vms-departemental audit key hand-over v1"
_CHANGED = b'"control":"log.key_changed"'
_FULL = re.compile(r"(?:x[0-9]{3}/)*[0-9]{3}", re.ASCII)
_PARTIAL = re.compile(r"((?:x[0-9]{3}/)*[0-9]{3})\.p/([0-9]{1,3})", re.ASCII)

Found = tuple[int, bytes]
"""An index, and the payload that stands there (empty when there is none)."""


def find_hand_overs(folder: Path, batches: Sequence[PendingBatch]) -> list[Found]:
    """Every entry of the folder that says that it is a hand-over, by index; nothing of it is verified."""
    found: dict[int, bytes] = {}
    for number, path in _bundles(folder / "tile" / "entries"):
        try:
            content = path.read_bytes()
            if _CHANGED not in content:
                continue
            leaves = split_bundle(content)
        except (OSError, Unreadable):
            continue
        try:
            payloads = split_payloads((folder / "payload" / number_path(number)).read_bytes())
        except (OSError, Unreadable):
            payloads = []
        for place, leaf in enumerate(leaves):
            if _CHANGED in leaf:
                stored = payloads[place] if place < len(payloads) else None
                found[number * WIDTH + place] = stored[1] if stored else b""
    for batch in batches:
        for place, leaf in enumerate(batch.leaves):
            if _CHANGED in leaf:
                found[batch.first + place] = batch.payloads[place][1]
    return sorted(found.items())


def _bundles(folder: Path) -> Iterator[tuple[int, Path]]:
    """The entry bundles of a log; of a partial one every width, the largest last."""
    partial: list[tuple[int, int, Path]] = []
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if _FULL.fullmatch(name) and path.is_file():
            yield _number(name), path
        elif (cut := _PARTIAL.fullmatch(name)) is not None:
            partial.append((_number(cut[1]), int(cut[2]), path))
    yield from ((number, path) for number, _, path in sorted(partial))


def _number(name: str) -> int:
    return int(name.replace("x", "").replace("/", ""))


def follow(step: Step, given: Key, found: Sequence[Found]) -> KeyChain:
    """The keys of the log, from its first to its newest, as far as the hand-overs hold."""
    keys: list[Key] = []
    changes: list[int] = []
    for index, payload in found:
        try:
            old, new = _hand_over(index, payload, given.name)
            if keys and keys[-1] != old:
                raise Unreadable("it does not hand over from the key before")
        except (Unreadable, KeyError, TypeError, ValueError, RecursionError) as wrong:
            step.fail(Flaw.HAND_OVER, index, str(wrong))
            break
        keys += [new] if keys else [old, new]
        changes.append(index)
    if not keys:
        return KeyChain((given,))
    if given not in keys:
        step.fail(Flaw.KEY_MISMATCH, detail="the key given is none of those that the log hands over")
        return KeyChain((given,))
    step.note("hand_overs", len(changes))
    return KeyChain(tuple(keys), tuple(changes))


def _hand_over(index: int, payload: bytes, origin: str) -> tuple[Key, Key]:
    details = json.loads(payload)["details"]
    old, new = (read_key(f"{origin}+{details[name]}") for name in ("from", "to"))
    statement = f"{_STATEMENT}\n{origin}\n{index}\n{old.text}\n{new.text}\n".encode()
    for key, name in ((old, "signature"), (new, "acceptance")):
        if not key.signed(base64.b64decode(details[name], validate=True), statement):
            raise Unreadable(f"its {name} does not hold")
    return old, new
