"""What the disks of the nodes can promise, and what to do about it, in French: pure (LAW-08)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from recorder.contract.capacity import CapacityState, DiskCapacity
from vms.base.clock import NS_PER_SECOND, utc_text

STATES: dict[CapacityState, str] = {
    CapacityState.ENOUGH: "Suffisant",
    CapacityState.TIGHT: "Bientôt insuffisant",
    CapacityState.SHORT: "Insuffisant",
    CapacityState.DEAD: "En panne",
}
_GRAVITY = (CapacityState.ENOUGH, CapacityState.TIGHT, CapacityState.SHORT, CapacityState.DEAD)
_YEAR_DAYS = 365
_DAY_NS = 86_400 * NS_PER_SECOND


@dataclass(frozen=True, slots=True)
class DiskAdvice:
    """One disk, one sentence about it, and what to do; both French, the second empty when there is nothing to do."""

    disk: DiskCapacity
    sentence: str
    advice: str


def worst(disks: Iterable[DiskCapacity]) -> CapacityState:
    """The gravest state of several disks; enough where there is none."""
    return max((disk.state for disk in disks), key=_GRAVITY.index, default=CapacityState.ENOUGH)


def advise(disk: DiskCapacity, now_ns: int) -> DiskAdvice:
    """What a person reads about a disk."""
    required, reached = _days(disk.required_days), _days(disk.reached_days)
    match disk.state:
        case CapacityState.DEAD:
            return DiskAdvice(
                disk,
                f"Le disque « {disk.name} » ne répond plus.",
                "Remplacez-le. Ses caméras enregistrent sur les autres disques ; ce qu'il contient n'est plus lisible.",
            )
        case CapacityState.SHORT:
            return DiskAdvice(
                disk,
                f"Le disque « {disk.name} » ne tiendra que {reached} des {required} exigés{_forced(disk, now_ns)}.",
                "Ajoutez un disque ou répartissez ses caméras, avant qu'il ne soit plein.",
            )
        case CapacityState.TIGHT:
            return DiskAdvice(
                disk,
                f"Le disque « {disk.name} » tient de justesse les {required} exigés ({reached})"
                f"{_forced(disk, now_ns)}.",
                "Prévoyez un disque de plus ; vérifiez le débit des caméras ajoutées récemment.",
            )
        case _ if not disk.required_days:
            return DiskAdvice(disk, f"Le disque « {disk.name} » n'a rien enregistré depuis un jour.", "")
        case _:
            return DiskAdvice(disk, f"Le disque « {disk.name} » tient les {required} exigés ({reached}).", "")


def summary(disks: Sequence[DiskCapacity], now_ns: int) -> str:
    """One sentence for a banner; empty when every disk is well."""
    state = worst(disks)
    if state is CapacityState.ENOUGH:
        return ""
    grave = [disk for disk in disks if disk.state is state]
    if len(grave) == 1:
        return advise(grave[0], now_ns).sentence
    ends = {
        CapacityState.DEAD: "disques ne répondent plus.",
        CapacityState.SHORT: "disques ne tiendront pas la durée de conservation exigée.",
        CapacityState.TIGHT: "disques tiennent de justesse la durée de conservation exigée.",
    }
    return f"{len(grave)} {ends[state]}"


def report_json(disks: Sequence[DiskCapacity], now_ns: int) -> dict[str, Any]:
    """The disks and the gravest state, for the console and for programs."""
    state = worst(disks)
    return {
        "state": state.value,
        "state_label": STATES[state],
        "summary": summary(disks, now_ns),
        "disks": [_disk_json(advise(disk, now_ns)) for disk in disks],
    }


def _disk_json(advised: DiskAdvice) -> dict[str, Any]:
    disk = advised.disk
    return {
        "name": disk.name,
        "state": disk.state.value,
        "state_label": STATES[disk.state],
        "sentence": advised.sentence,
        "advice": advised.advice,
        "total_bytes": disk.total_bytes,
        "free_bytes": disk.free_bytes,
        "recorded_bytes": disk.recorded_bytes,
        "held_bytes": disk.held_bytes,
        "bytes_per_day": disk.bytes_per_day,
        "required_days": disk.required_days,
        "reached_days": disk.reached_days,
        "forced_at": utc_text(disk.forced_at_ns) if disk.forced_at_ns is not None else None,
    }


def _forced(disk: DiskCapacity, now_ns: int) -> str:
    """When the disk would force a choice, as words after what it reaches."""
    if disk.forced_at_ns is None:
        return ""
    days = (disk.forced_at_ns - now_ns) // _DAY_NS
    if disk.forced_at_ns <= now_ns:
        return " : il est plein"
    if days < 1:
        return " : il sera plein dans moins d'un jour"
    return f" : il sera plein dans {days} jour{'s' if days > 1 else ''}"


def _days(days: float) -> str:
    if days >= _YEAR_DAYS:
        return "plus d'un an"
    text = f"{days:.1f}".removesuffix(".0").replace(".", ",")
    return f"{text} jour{'s' if days >= 2 else ''}"
