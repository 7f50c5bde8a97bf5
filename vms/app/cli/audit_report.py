"""`vms audit report`: the monthly report of a commune, with what proves it, written to a folder."""

from __future__ import annotations

import asyncio
import getpass
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vms.app.cli.place import ConfigOption, DataOption, JsonOption, installation
from vms.app.layout import DataFolder, read_audit_key
from vms.base import durable
from vms.base.clock import SystemClock
from vms.base.errors import ErrorKind, VmsError
from vms.base.log import configure_logging

if TYPE_CHECKING:
    from supervision_centre.reports.service import Issued


def report(
    commune: Annotated[str, typer.Option(help="Code INSEE de la commune, comme 27229.")],
    month: Annotated[str, typer.Option(help="Mois passé, comme 2026-10.")],
    output: Annotated[Path, typer.Option(help="Dossier où écrire les fichiers.")] = Path(),
    config: ConfigOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Établit le rapport mensuel d'une commune : PDF/A, données JSON et preuve d'inscription au journal."""
    from supervision_centre.reports.answers import envelope

    configure_logging("audit", level="error", as_json=False)
    folder = installation(config, data)
    issued, drawn = asyncio.run(_issue(folder, commune, month))
    name = f"rapport-{commune}-{month}"
    files = {
        f"{name}.pdf": drawn,
        f"{name}.json": issued.canonical,
        f"{name}.preuve.json": json.dumps(issued.anchor.proof, ensure_ascii=False, indent=1).encode(),
    }
    try:
        durable.make_folder(output)
        for file_name, content in files.items():
            durable.write_atomic(output / file_name, content, mode=0o600)
    except OSError as refused:
        raise VmsError(
            ErrorKind.INVALID_INPUT,
            "report.output",
            f"Le rapport ne peut pas être écrit dans {output}.",
            hint="Choisissez un autre dossier avec --output.",
            detail=str(refused),
        ) from None
    if as_json:
        sys.stdout.write(json.dumps(envelope(issued), ensure_ascii=False, indent=1) + "\n")
        return
    receipt = issued.anchor.receipt
    typer.echo("\n".join(str(output / file_name) for file_name in files))
    typer.echo(f"SHA-256 {issued.digest}, inscrit au journal sous le n° {receipt.index}.")
    typer.echo(f"Vérifier : vms audit verify --proof {output / f'{name}.preuve.json'}")


async def _issue(folder: DataFolder, commune: str, month: str) -> tuple[Issued, bytes]:
    from access_audit.client import AuditClient
    from recorder.node.local import LocalNode
    from supervision_centre.documents.process import pdf_bytes
    from supervision_centre.people.provision import system_author
    from supervision_centre.reports.month import Month
    from supervision_centre.reports.page import report_page
    from supervision_centre.reports.service import Reports
    from vms.app.inventory import open_inventory

    wanted = Month.parse(month)
    audit = AuditClient(folder.audit_socket, await asyncio.to_thread(read_audit_key, folder.audit_public_key))
    node = LocalNode(folder.shard_sockets, None)
    try:
        async with open_inventory(folder) as (inventory, _):
            reports = Reports(audit, node, inventory, SystemClock())
            issued = await reports.issue(system_author(getpass.getuser()), commune, wanted)
        return issued, await pdf_bytes(report_page(issued, folder.settings.centre_name))
    finally:
        await node.close()
        await audit.close()


def register(app: typer.Typer) -> None:
    """Add the command to `vms audit`."""
    app.command("report")(report)
