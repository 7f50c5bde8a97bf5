"""Which installation a command is about: the options that name it, and the folder that they lead to."""

from __future__ import annotations

import asyncio
import contextlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from vms.app.layout import DataFolder, read_audit_key
from vms.app.settings import Settings, read_settings
from vms.base.config import parse_config
from vms.base.errors import ErrorKind, VmsError

if TYPE_CHECKING:
    from access_audit.events import AccessEvent
    from access_audit.receipt import AuditReceipt

DEMONSTRATION_DATA: Final = Path("var/demo")

ConfigOption = Annotated[Path | None, typer.Option(help="Fichier de configuration TOML.")]
DataOption = Annotated[Path | None, typer.Option(help="Dossier de données, au lieu de celui du fichier.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Écrit du JSON, pour un programme.")]


def installation(config: Path | None, data: Path | None) -> DataFolder:
    """The data folder that these options name.

    Where they name none and there is no installation at the default place, the demonstration of this folder is meant.
    Without a file of settings, those hold that the installation was last started with.
    Raises VmsError `data.missing` when the folder does not exist.
    """
    settings = read_settings(config)
    root = data or settings.data
    if data is None and config is None and not root.is_dir() and DEMONSTRATION_DATA.is_dir():
        root = DEMONSTRATION_DATA
    if not root.is_dir() and not settings.centre.database_url:
        raise VmsError(
            ErrorKind.NOT_FOUND,
            "data.missing",
            f"Le dossier de données {root.absolute()} n'existe pas.",
            hint="Donnez-le avec --data, ou démarrez d'abord « vms serve » ou « vms demo ».",
        )
    folder = DataFolder(root.absolute(), settings)
    if config is None and folder.effective_settings.exists():
        with contextlib.suppress(VmsError, ValueError):  # written by another version: the defaults serve
            content = json.loads(folder.effective_settings.read_bytes())
            return DataFolder(folder.root, parse_config(Settings, content, str(folder.effective_settings)))
    return folder


async def record_in_journal(folder: DataFolder, event: AccessEvent) -> AuditReceipt:
    """Put one entry in the access log and wait for its receipt. VmsError `audit.not_started`, `audit.unavailable`."""
    from access_audit.client import AuditClient

    key = await asyncio.to_thread(read_audit_key, folder.audit_public_key)
    audit = AuditClient(folder.audit_socket, key)
    try:
        return await audit.record(event)
    finally:
        await audit.close()
