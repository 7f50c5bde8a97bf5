"""What anybody reads of a published log: its newest checkpoint, and the hand-overs of its key."""

from __future__ import annotations

import json
from pathlib import Path

from access_audit import layout
from access_audit.checkpoint import CheckpointError, LogKey, SignedCheckpoint, open_note
from access_audit.handover import HandOver
from access_audit.verify.handovers import find_hand_overs


def read_published(folder: Path) -> tuple[LogKey, SignedCheckpoint] | None:
    """The newest key of a log and its published checkpoint; None while they are not there or do not fit."""
    try:
        key = LogKey.parse((folder / layout.LOG_KEY).read_text("utf-8"))
        return key, open_note((folder / layout.CHECKPOINT).read_bytes(), key)
    except (OSError, UnicodeDecodeError, CheckpointError):
        return None


def read_hand_overs(folder: Path) -> list[HandOver]:
    """The hand-overs that stand in the published log; their receiver verifies them."""
    found: list[HandOver] = []
    for index, payload in find_hand_overs(folder, ()):
        try:
            found.append(HandOver(index, json.loads(payload)["details"]))
        except (ValueError, KeyError, TypeError):
            continue
    return found
