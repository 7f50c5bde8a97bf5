"""The other parts of the system as the centre's tests need them: in memory, behind the same protocols."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from cameras.contract import CameraState, CameraView, RecordableCamera
from recorder.contract.assignment import CameraAssignment, StreamRole
from recorder.contract.capacity import DiskCapacity
from recorder.contract.hold import HeldRange, Hold, HoldRelease
from recorder.contract.served import ServedView
from recorder.contract.status import StreamCondition, StreamStatus
from recorder.contract.ticket import TicketClaims, TicketVerifier
from recorder.contract.timeline import Gap, GapCause, RecordedSpan, Timeline
from supervision_centre.people.person import Agrement, Delegation, Habilitation, Person, Role
from vms.base.clock import NS_PER_SECOND, Clock
from vms.base.errors import ErrorKind, VmsError

DAY_NS = 86_400 * NS_PER_SECOND
EVREUX, VERNON, PARIS = "27229", "27681", "75056"
PURPOSE = "security_of_persons_and_property"
PASSWORD = "quatre mots bien choisis"


def camera_id(number: int) -> str:
    return f"cam-{number:026d}"


def camera(number: int, commune: str = EVREUX, authority: str = "", **changes: object) -> CameraView:
    names = {EVREUX: "Évreux", VERNON: "Vernon", PARIS: "Paris"}
    view = CameraView(
        camera_id=camera_id(number),
        name=f"Place {number}",
        commune=commune,
        commune_name=names[commune],
        authority=authority or f"Maire de {names[commune]}",
        state=CameraState.IN_SERVICE,
        has_sub=True,
    )
    return replace(view, **changes)  # type: ignore[arg-type]


class DirectoryInMemory:
    """The cameras of a department."""

    def __init__(self, *views: CameraView) -> None:
        self.views = {view.camera_id: view for view in views}

    async def all(self) -> list[CameraView]:
        return list(self.views.values())

    async def get(self, camera_id: str) -> CameraView | None:
        return self.views.get(camera_id)

    async def recordable(self) -> list[RecordableCamera]:
        return []


class NodeInMemory:
    """A node that checks tickets as a real one does, and remembers what it was told."""

    def __init__(self, key: Ed25519PublicKey, clock: Clock) -> None:
        self._verifier = TicketVerifier(key, clock)
        self.revoked: list[str] = []
        self.away = False
        self.states: list[StreamStatus] = []
        self.held: dict[str, HeldRange] = {}
        self.recorded_bytes = 48_000_000
        self.releases: list[HoldRelease] = []
        self.disks: list[DiskCapacity] = []
        self.views: list[ServedView] = []

    def claims(self, ticket: str) -> TicketClaims:
        return self._verifier.verify(ticket).claims

    async def assign(self, assignments: Collection[CameraAssignment]) -> None:
        self._answer()

    async def statuses(self) -> list[StreamStatus]:
        self._answer()
        return self.states

    async def timeline(self, camera_id: str, start_ns: int, end_ns: int) -> Timeline:
        self._answer()
        middle = (start_ns + end_ns) // 2
        return Timeline(
            camera_id,
            start_ns,
            end_ns,
            (RecordedSpan(start_ns, middle, 1, 20),),
            (Gap(middle, None, GapCause.LINK, "unreachable"),),
        )

    async def revoke(self, session_ids: Collection[str]) -> None:
        self._answer()
        self.revoked.extend(session_ids)

    async def place_hold(self, hold: Hold) -> HeldRange:
        self._answer()
        there = self.recorded_bytes > 0
        margin_ns = 2 * NS_PER_SECOND  # to a group of pictures
        held = HeldRange(
            hold,
            self.recorded_bytes,
            hold.start_ns - margin_ns if there else 0,
            hold.end_ns + margin_ns if there else 0,
        )
        return self.held.setdefault(hold.hold_id, held)

    async def release_hold(self, release: HoldRelease) -> None:
        self._answer()
        if self.held.pop(release.hold_id, None) is None:
            raise VmsError(ErrorKind.NOT_FOUND, "hold.unknown", "Cette conservation n'existe pas.")
        self.releases.append(release)

    async def holds(self) -> list[HeldRange]:
        self._answer()
        return list(self.held.values())

    async def capacity(self) -> list[DiskCapacity]:
        self._answer()
        return self.disks

    async def served(self, day: str) -> list[ServedView]:
        self._answer()
        return self.views

    def _answer(self) -> None:
        if self.away:
            raise VmsError(ErrorKind.UNAVAILABLE, "node.unavailable", "L'enregistreur ne répond pas.")


def live(number: int, since_ns: int, cause: str = "") -> StreamStatus:
    condition = StreamCondition.NO_SIGNAL if cause else StreamCondition.LIVE
    return StreamStatus(camera_id(number), StreamRole.MAIN, condition, since_ns, cause)


def person(role: Role, now_ns: int, *territories: str, **changes: object) -> Person:
    """A person in force, with the titles that their role needs."""
    agrement = Agrement("27-2024-001", "Préfet de l'Eure", frozenset({"27"}), now_ns - DAY_NS, now_ns + 900 * DAY_NS)
    delegation = Delegation("Arrêté 12/2025", now_ns - DAY_NS, now_ns + 300 * DAY_NS)
    made = Person(
        person_id="per-test",
        login=role.value,
        name=f"Dominique {role.value.capitalize()}",
        role=role,
        territories=frozenset(territories or ({EVREUX} if role in {Role.MAYOR, Role.DELEGATE} else {"27"})),
        habilitation=Habilitation("Décision 2025-7", now_ns - DAY_NS, now_ns + 300 * DAY_NS),
        agrement=agrement if role in {Role.OPERATOR, Role.SUPERVISOR} else None,
        delegation=delegation if role is Role.DELEGATE else None,
    )
    return replace(made, **changes)  # type: ignore[arg-type]
