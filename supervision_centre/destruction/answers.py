"""A certificate as JSON: what an auditor's program reads, with the proof file of each entry."""

from __future__ import annotations

from typing import Any

from supervision_centre.destruction.certificate import Cited, Hour
from supervision_centre.destruction.service import Proved
from supervision_centre.destruction.wording import CONCLUSIONS, HOURS
from vms.base.clock import utc_text

FORMAT = "vms-departemental/destruction/v1"


def certificate_json(proved: Proved) -> dict[str, Any]:
    """The certificate. `proofs` are proof files as `vms audit verify --proof` checks them, in the order of `index`."""
    certificate, camera = proved.certificate, proved.camera
    remaining = certificate.remaining
    return {
        "format": FORMAT,
        "camera": camera.camera_id,
        "camera_name": camera.name,
        "commune": camera.commune,
        "commune_name": camera.commune_name,
        "authority": camera.authority,
        "day": certificate.day.isoformat(),
        "from": utc_text(certificate.start_ns),
        "to": utc_text(certificate.end_ns),
        "made_at": utc_text(certificate.made_at_ns),
        "conclusion": certificate.conclusion.value,
        "conclusion_label": CONCLUSIONS[certificate.conclusion],
        "collected_bytes": certificate.collected_bytes,
        "erased_bytes": certificate.erased_bytes,
        "hours": [_hour_json(hour) for hour in certificate.hours],
        "remaining": None
        if remaining is None
        else [{"from": utc_text(one.start_ns), "to": utc_text(one.end_ns)} for one in remaining],
        "holds": [
            {
                "id": hold.hold_id,
                "from": utc_text(hold.start_ns),
                "to": utc_text(hold.end_ns),
                "expires_at": utc_text(hold.expires_at_ns),
            }
            for hold in certificate.holds
        ],
        "log": {"size": proved.head_size, "root": proved.head_root},
        "proofs": [proved.proofs[entry.index] for entry in certificate.cited],
    }


def _hour_json(hour: Hour) -> dict[str, Any]:
    return {
        "start": utc_text(hour.start_ns),
        "state": hour.state.value,
        "state_label": HOURS[hour.state],
        "collected": [_entry_json(entry) for entry in hour.collected],
        "erased": [_entry_json(entry) | {"cause": entry.cause, "kept": entry.kept} for entry in hour.erased],
    }


def _entry_json(entry: Cited) -> dict[str, Any]:
    return {
        "index": entry.index,
        "leaf": entry.leaf,
        "at": utc_text(entry.at_ns),
        "from": utc_text(entry.start_ns),
        "to": utc_text(entry.end_ns),
        "segments": entry.segments,
        "bytes": entry.size_bytes,
        "digest": entry.digest,
        "seal": entry.seal,
    }
