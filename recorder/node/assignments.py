"""The cameras of a shard, kept across restarts: a shard records what it was last told to, whoever is down (LAW-14).

The file holds camera passwords: it is readable by its owner only.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path

import structlog

from recorder.contract.assignment import CameraAssignment
from recorder.node import protocol
from vms.base import durable

log = structlog.get_logger(__name__)

FILE_NAME = "assignments.json"
_VERSION = 1
_OWNER_ONLY = 0o600


def load_assignments(folder: Path) -> list[CameraAssignment]:
    """What the shard was last told, or nothing. Blocks: call it in a thread.

    A file that cannot be read is reported and left where it is; the centre assigns again.
    """
    path = folder / FILE_NAME
    try:
        content = json.loads(path.read_bytes())
        if content["version"] != _VERSION:
            raise ValueError(f"version {content['version']}")
        return [protocol.assignment_from_json(camera) for camera in content["cameras"]]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError) as unreadable:
        log.error("assignments cannot be read", path=str(path), error=repr(unreadable))
        return []


def save_assignments(folder: Path, assignments: Collection[CameraAssignment]) -> None:
    """Keep these, durably. Blocks: call it in a thread."""
    cameras = [protocol.assignment_to_json(assignment) for assignment in assignments]
    content = json.dumps({"version": _VERSION, "cameras": cameras}, ensure_ascii=False, separators=(",", ":"))
    durable.write_atomic(folder / FILE_NAME, content.encode(), _OWNER_ONLY)
