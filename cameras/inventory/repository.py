"""The inventory: the one place that reads and writes cameras, authorisations and their history.

Rules: a camera is in service only under an authorisation without an obstacle (LAW-01, LAW-33); every change leaves a
row in the history with who and why; passwords enter and leave sealed, and only `recordable` opens them.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import structlog
from sqlalchemy import select

from cameras.authorisation import Authorisation, AuthorisationKind
from cameras.contract import CameraState, CameraView, RecordableCamera, RecordableStream
from cameras.credentials import CredentialVault
from cameras.inventory.tables import AuthorisationRow, CameraChangeRow, CameraRow, CommuneRow, StreamRow
from vms.base.clock import Clock
from vms.base.database import Database, ReadSession, WriteSession
from vms.base.errors import ErrorKind, VmsError
from vms.base.ids import new_id

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class StreamRecord:
    """One stream as the camera describes it; the address holds no credentials."""

    role: str
    url: str
    codec: str
    width: int
    height: int
    frame_rate: float
    tls_pins: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CameraRecord:
    """A camera to be kept: who it is, where it stands, how it is reached."""

    hardware_id: str
    name: str
    commune: str
    authority: str
    address: str
    service_url: str
    username: str
    password: str = field(repr=False)
    streams: tuple[StreamRecord, ...] = ()
    site: str = ""
    latitude: float | None = None
    longitude: float | None = None
    orientation_deg: float | None = None
    field_type: str = "narrow"
    manufacturer: str = ""
    model: str = ""
    firmware: str = ""
    serial: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """Who changes the inventory, and why."""

    author: str
    reason: str


_TRACKED = ("name", "site", "commune", "address", "service_url", "firmware", "username", "latitude", "longitude")


class Inventory:
    """The cameras of a department in a database; implements `CameraDirectory`."""

    def __init__(self, database: Database, vault: CredentialVault, clock: Clock) -> None:
        self._database = database
        self._vault = vault
        self._clock = clock

    async def add_authorisation(self, authorisation: Authorisation) -> str:
        """Keep a prefect's decision and return its id; the same reference for the same commune is kept once."""
        async with self._database.writing() as session:
            question = select(AuthorisationRow.authorisation_id).where(
                AuthorisationRow.reference == authorisation.reference,
                AuthorisationRow.commune == authorisation.commune,
            )
            known = await session.one_or_none(question)
            if known is not None:
                return known
            session.add(_authorisation_row(authorisation))
        return authorisation.authorisation_id

    async def authorisation_of_commune(self, commune: str) -> Authorisation | None:
        """The decision in force for a commune, the one that ends last."""
        async with self._database.reading() as session:
            rows = await session.all(select(AuthorisationRow).where(AuthorisationRow.commune == commune))
        now = self._clock.utc_ns()
        in_force = [found for row in rows if (found := _authorisation(row)).starts_at_ns <= now < found.ends_at_ns]
        return max(in_force, key=lambda found: found.ends_at_ns, default=None)

    async def put_camera(self, camera: CameraRecord, change: Change) -> str:
        """Keep a camera, known by its hardware identity, and return its id; what changed goes into the history."""
        async with self._database.writing() as session:
            await _require_commune(session, camera.commune)
            row = await session.one_or_none(select(CameraRow).where(CameraRow.hardware_id == camera.hardware_id))
            if row is None:
                row = self._new_row(camera)
                session.add(row)
                session.add(self._change(row.camera_id, change, "camera", "", camera.name))
            for name in _TRACKED:
                before, after = getattr(row, name), getattr(camera, name)
                if before != after:
                    session.add(self._change(row.camera_id, change, name, str(before), str(after)))
            _describe(row, camera)
            row.sealed_password = self._vault.seal(camera.password, row.camera_id)
            await session.flush()
            for role, before, after in await _put_streams(session, row.camera_id, camera.streams):
                session.add(self._change(row.camera_id, change, f"tls_pins {role}", before, after))
            return row.camera_id

    async def set_pins(self, camera_id: str, pins: Mapping[str, Sequence[str]], change: Change) -> None:
        """Keep the keys that a camera may show, by the role of the stream."""
        async with self._database.writing() as session:
            await _camera_row(session, camera_id)
            for row in await session.all(select(StreamRow).where(StreamRow.camera_id == camera_id)):
                if (wanted := pins.get(row.role)) is not None and list(wanted) != row.tls_pins:
                    before, row.tls_pins = row.tls_pins, list(wanted)
                    after = " ".join(wanted)
                    session.add(self._change(camera_id, change, f"tls_pins {row.role}", " ".join(before), after))

    async def streams(self, camera_id: str) -> list[RecordableStream]:
        """The streams of a camera, whatever its state. Raises VmsError `camera.unknown`."""
        async with self._database.reading() as session:
            await _camera_row(session, camera_id)
            rows = await session.all(select(StreamRow).where(StreamRow.camera_id == camera_id))
        return [_recordable_stream(row) for row in rows]

    async def put_in_service(self, camera_id: str, authorisation_id: str, change: Change) -> None:
        """Put a camera in service. Raises VmsError `camera.not_authorised` while anything stands against it."""
        async with self._database.writing() as session:
            camera = await _camera_row(session, camera_id)
            row = await session.one_or_none(
                select(AuthorisationRow).where(AuthorisationRow.authorisation_id == authorisation_id)
            )
            obstacle = _authorisation(row).obstacle(self._clock.utc_ns()) if row is not None else "no_authorisation"
            if obstacle is not None:
                raise VmsError(
                    ErrorKind.CONFLICT,
                    "camera.not_authorised",
                    f"La caméra « {camera.name} » ne peut pas être mise en service : {_OBSTACLES[str(obstacle)]}.",
                    hint="Complétez l'autorisation préfectorale, puis recommencez.",
                    detail=str(obstacle),
                )
            if (camera.state, camera.authorisation_id) == (CameraState.IN_SERVICE, authorisation_id):
                return
            session.add(self._change(camera_id, change, "state", camera.state, CameraState.IN_SERVICE))
            camera.state = CameraState.IN_SERVICE
            camera.authorisation_id = authorisation_id

    async def set_state(self, camera_id: str, state: CameraState, change: Change) -> None:
        """Move a camera to a state other than in service (which `put_in_service` alone gives)."""
        if state is CameraState.IN_SERVICE:
            raise ValueError("put_in_service checks what this would not")
        async with self._database.writing() as session:
            camera = await _camera_row(session, camera_id)
            session.add(self._change(camera_id, change, "state", camera.state, state))
            camera.state = state

    async def history(self, camera_id: str) -> Sequence[CameraChangeRow]:
        """Every change of a camera's record, the oldest first."""
        async with self._database.reading() as session:
            question = select(CameraChangeRow).where(CameraChangeRow.camera_id == camera_id)
            return await session.all(question.order_by(CameraChangeRow.at_ns, CameraChangeRow.change_id))

    async def hardware_ids(self) -> dict[str, str]:
        """The id of every known camera by its hardware identity."""
        async with self._database.reading() as session:
            rows = await session.rows(select(CameraRow.hardware_id, CameraRow.camera_id))
        return {row[0]: row[1] for row in rows}

    async def all(self) -> list[CameraView]:
        async with self._database.reading() as session:
            return await self._views(session)

    async def get(self, camera_id: str) -> CameraView | None:
        async with self._database.reading() as session:
            views = await self._views(session, camera_id)
        return views[0] if views else None

    async def recordable(self) -> list[RecordableCamera]:
        async with self._database.reading() as session:
            question = (
                select(CameraRow, AuthorisationRow)
                .join(AuthorisationRow, AuthorisationRow.authorisation_id == CameraRow.authorisation_id)
                .where(CameraRow.state == CameraState.IN_SERVICE)
                .order_by(CameraRow.camera_id)
            )
            rows = await session.rows(question)
            streams = await _streams(session)
        found = []
        for camera, authorisation in rows:
            try:
                _authorisation(authorisation)  # a row written by another hand may say what no decision can (LAW-07)
            except ValueError as unlawful:
                log.error("camera left out: its authorisation", camera_id=camera.camera_id, detail=str(unlawful))
                continue
            try:
                password = self._vault.open(camera.sealed_password, camera.camera_id)
            except VmsError as unreadable:
                log.error(
                    "camera left out: its password cannot be read", camera_id=camera.camera_id, code=unreadable.code
                )
                continue
            found.append(_recordable(camera, authorisation, streams.get(camera.camera_id, ()), password))
        return found

    async def _views(self, session: ReadSession, camera_id: str | None = None) -> list[CameraView]:
        question = select(CameraRow, CommuneRow.name).join(CommuneRow, CommuneRow.code_insee == CameraRow.commune)
        if camera_id is None:
            question = question.where(CameraRow.state != CameraState.RETIRED)
        else:  # what a camera recorded outlives it: holds and certificates still ask for it by its name (LAW-09)
            question = question.where(CameraRow.camera_id == camera_id)
        streams = await _streams(session)
        views = [
            _view(camera, commune_name, streams.get(camera.camera_id, ()))
            for camera, commune_name in await session.rows(question)
        ]
        return sorted(views, key=lambda view: (_french_order(view.commune_name), _french_order(view.name)))

    def _new_row(self, camera: CameraRecord) -> CameraRow:
        return CameraRow(
            camera_id=new_id("cam"),
            hardware_id=camera.hardware_id,
            state=CameraState.COMMISSIONED,
            created_at_ns=self._clock.utc_ns(),
            **{name: getattr(camera, name) for name in _TRACKED},
        )

    def _change(self, camera_id: str, change: Change, name: str, before: str, after: str) -> CameraChangeRow:
        return CameraChangeRow(
            change_id=new_id("chg"),
            camera_id=camera_id,
            at_ns=self._clock.utc_ns(),
            author=change.author,
            reason=change.reason,
            field=name,
            before=before,
            after=after,
        )


_OBSTACLES = {
    "no_authorisation": "aucune autorisation préfectorale ne la couvre",
    "authorisation_not_yet_in_force": "l'autorisation n'est pas encore en vigueur",
    "authorisation_expired": "l'autorisation a expiré",
    "cnil_commitment_missing": "la date d'envoi de l'engagement de conformité à la CNIL manque",
    "prefect_information_missing": "la date d'information du préfet manque",
}


def _describe(row: CameraRow, camera: CameraRecord) -> None:
    for name in (*_TRACKED, "authority", "orientation_deg", "field_type", "manufacturer", "model", "serial"):
        setattr(row, name, getattr(camera, name))


async def _require_commune(session: ReadSession, code_insee: str) -> None:
    if await session.one_or_none(select(CommuneRow.name).where(CommuneRow.code_insee == code_insee)) is None:
        raise VmsError(
            ErrorKind.INVALID_INPUT,
            "commune.unknown",
            f"La commune « {code_insee} » n'est pas dans l'inventaire.",
            hint="Donnez le code INSEE à cinq chiffres d'une commune du département.",
        )


async def _camera_row(session: ReadSession, camera_id: str) -> CameraRow:
    row = await session.one_or_none(select(CameraRow).where(CameraRow.camera_id == camera_id))
    if row is None:
        raise VmsError(
            ErrorKind.NOT_FOUND,
            "camera.unknown",
            f"La caméra « {camera_id} » n'existe pas.",
            hint="« vms cameras list » donne les identifiants.",
        )
    return row


async def _put_streams(
    session: WriteSession, camera_id: str, streams: Sequence[StreamRecord]
) -> list[tuple[str, str, str]]:
    """Keep the streams of a camera; the role, and the pins before and after, of each whose pins changed."""
    changed = []
    known = {row.role: row for row in await session.all(select(StreamRow).where(StreamRow.camera_id == camera_id))}
    for stream in streams:
        row = known.pop(stream.role, None)
        if row is None:
            row = StreamRow(camera_id=camera_id, role=stream.role)
            session.add(row)
        row.url, row.codec = stream.url, stream.codec
        row.width, row.height, row.frame_rate = stream.width, stream.height, stream.frame_rate
        before, row.tls_pins = list(row.tls_pins or ()), list(stream.tls_pins)
        if before != row.tls_pins:
            changed.append((stream.role, " ".join(before), " ".join(row.tls_pins)))
    for row in known.values():
        await session.delete(row)
    return changed


async def _streams(session: ReadSession) -> dict[str, tuple[StreamRow, ...]]:
    by_camera: dict[str, tuple[StreamRow, ...]] = {}
    for row in await session.all(select(StreamRow).order_by(StreamRow.role)):
        by_camera[row.camera_id] = (*by_camera.get(row.camera_id, ()), row)
    return by_camera


def _authorisation_row(authorisation: Authorisation) -> AuthorisationRow:
    return AuthorisationRow(
        authorisation_id=authorisation.authorisation_id,
        reference=authorisation.reference,
        prefect=authorisation.prefect,
        kind=authorisation.kind,
        commune=authorisation.commune,
        purposes=list(authorisation.purposes),
        retention_days=authorisation.retention_days,
        minimum_days=authorisation.minimum_days,
        starts_at_ns=authorisation.starts_at_ns,
        ends_at_ns=authorisation.ends_at_ns,
        cnil_commitment_at_ns=authorisation.cnil_commitment_at_ns,
        prefect_informed_at_ns=authorisation.prefect_informed_at_ns,
    )


def _authorisation(row: AuthorisationRow) -> Authorisation:
    return Authorisation(
        authorisation_id=row.authorisation_id,
        reference=row.reference,
        prefect=row.prefect,
        kind=AuthorisationKind(row.kind),
        commune=row.commune,
        purposes=tuple(row.purposes),
        retention_days=row.retention_days,
        minimum_days=row.minimum_days,
        starts_at_ns=row.starts_at_ns,
        ends_at_ns=row.ends_at_ns,
        cnil_commitment_at_ns=row.cnil_commitment_at_ns,
        prefect_informed_at_ns=row.prefect_informed_at_ns,
    )


def _view(camera: CameraRow, commune_name: str, streams: Sequence[StreamRow]) -> CameraView:
    return CameraView(
        camera_id=camera.camera_id,
        name=camera.name,
        commune=camera.commune,
        commune_name=commune_name,
        authority=camera.authority,
        state=CameraState(camera.state),
        has_sub=any(stream.role == "sub" for stream in streams),
        site=camera.site,
        latitude=camera.latitude,
        longitude=camera.longitude,
        orientation_deg=camera.orientation_deg,
    )


def _french_order(name: str) -> str:
    """A key that sorts « Évreux » among the E, as French readers expect and no database does by itself."""
    return "".join(
        letter for letter in unicodedata.normalize("NFD", name.casefold()) if letter.isalpha() or letter == " "
    )


def _recordable_stream(row: StreamRow) -> RecordableStream:
    return RecordableStream(row.role, row.url, tuple(row.tls_pins))


def _recordable(
    camera: CameraRow, authorisation: AuthorisationRow, streams: Sequence[StreamRow], password: str
) -> RecordableCamera:
    return RecordableCamera(
        camera_id=camera.camera_id,
        name=camera.name,
        commune=camera.commune,
        streams=tuple(map(_recordable_stream, streams)),
        authorisation_reference=authorisation.reference,
        starts_at_ns=authorisation.starts_at_ns,
        ends_at_ns=authorisation.ends_at_ns,
        retention_days=authorisation.retention_days,
        minimum_days=authorisation.minimum_days,
        username=camera.username,
        password=password,
    )
