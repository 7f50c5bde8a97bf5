"""One machine: its preflight, its children, their order, and their end.

Order of start: at the very first one the audit writer, since it makes the key that the others check its answers with;
otherwise everything together, since each waits for the others by itself; behind them what the machine can do without,
which must not delay them. Order of stop: the reverse. Nothing starts on
a taken port, a folder that cannot be written, or a folder that is in use.
"""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from vms.app.layout import DataFolder
from vms.app.processes.supervisor import ChildSpec, Observers, Supervisor
from vms.app.settings import Settings
from vms.base import durable
from vms.base.clock import SystemClock
from vms.base.errors import ErrorKind, VmsError, refusal_text

_WRITER = "audit-writer"


def children(folder: DataFolder, *, simulated: bool) -> list[ChildSpec]:
    """The processes of this machine, in the order of their start."""
    settings_file = str(folder.effective_settings)

    def child(name: str, label: str, body: str, *index: str, essential: bool = True) -> ChildSpec:
        return ChildSpec(name, label, ("-m", "vms.app.processes", body, settings_file, *index), essential)

    specs = [child(_WRITER, "journal des accès", _WRITER)]
    if simulated:
        specs.append(child("simulator", "caméras simulées", "simulator"))
    specs += [
        child(f"shard-{index}", f"enregistreur {index + 1}", "shard", str(index))
        for index in range(folder.settings.recorder.shards)
    ]
    specs.append(child("gateway", "passerelle vidéo", "gateway"))
    specs.append(child("centre", "console et API", "centre"))
    if folder.settings.recorder.reader:
        specs.append(child("reader", "lecteur des caméras UDP et des anciens codecs", "reader", essential=False))
    if folder.settings.recorder.stills:
        specs.append(child("stills", "images fixes", "stills", essential=False))
    audit = folder.settings.audit
    if audit.timestamp_authorities or audit.witnesses:
        specs.append(child("anchors", "attestations du journal", "anchors", essential=False))
    return specs


def open_folder(settings: Settings) -> tuple[DataFolder, durable.FolderLock]:
    """Prepare the data folder and take it for this instance. Raises VmsError with what to do."""
    root = settings.data.absolute()
    settings = settings.model_copy(update={"data": root})
    folder = DataFolder(root, settings)
    folder.prepare()
    lock = durable.FolderLock(root)
    durable.write_atomic(folder.effective_settings, settings.model_dump_json(indent=1).encode(), mode=0o600)
    return folder, lock


def check_ports(settings: Settings) -> None:
    """Refuse to start on a port that somebody else has, or with one port for two."""
    if settings.centre.port == settings.gateway.port:
        raise VmsError(
            ErrorKind.CONFIGURATION,
            "port.twice",
            f"La console et la passerelle vidéo ne peuvent pas partager le port {settings.centre.port}.",
            hint="Donnez à chacune le sien : centre.port et gateway.port, ou --port et --media-port de « vms demo ».",
        )
    for host, port, label, key, option in (
        (settings.centre.host, settings.centre.port, "de la console", "centre.port", "--port"),
        (settings.gateway.host, settings.gateway.port, "de la passerelle vidéo", "gateway.port", "--media-port"),
    ):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as taken:
                raise VmsError(
                    ErrorKind.CONFLICT,
                    "port.taken",
                    f"Le port {port} {label} n'est pas disponible sur {host} : {refusal_text(taken)}.",
                    hint=f"Arrêtez le programme qui l'occupe (« ss -ltnp » le nomme), ou changez {key}"
                    f" ({option} de « vms demo »).",
                    detail=repr(taken),
                ) from None


@asynccontextmanager
async def running(
    folder: DataFolder, *, simulated: bool, logs: Path | None, observers: Observers | None = None
) -> AsyncIterator[Supervisor]:
    """Every process of the machine, ready at the start of the block and gone at its end."""
    supervisor = Supervisor(folder.processes, SystemClock(), logs, observers)
    specs = children(folder, simulated=simulated)
    try:
        if not folder.audit_public_key.exists():
            await supervisor.start([spec for spec in specs if spec.name == _WRITER])
            specs = [spec for spec in specs if spec.name != _WRITER]
        await supervisor.start([spec for spec in specs if spec.essential])
        supervisor.start_beside([spec for spec in specs if not spec.essential])
        yield supervisor
    finally:
        await supervisor.stop()
