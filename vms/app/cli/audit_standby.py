"""`vms audit copy` and `vms audit take-over`: a cold copy of the access log, and going on with it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vms.app.cli.place import ConfigOption, DataOption, installation
from vms.base.clock import SystemClock
from vms.base.errors import ErrorKind, VmsError, refusal_text

if TYPE_CHECKING:
    from access_audit.seen import SeenState


def register(app: typer.Typer) -> None:
    """Add the commands of this file to `vms audit`."""
    app.command("copy")(copy)
    app.command("take-over")(take_over)


def copy(
    target: Annotated[Path, typer.Argument(help="Dossier de la copie, fait ou mis à jour.")],
    folder: Annotated[Path | None, typer.Option(help="Dossier du journal, au lieu de celui de l'installation.")] = None,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Copie le journal, sans sa clé de signature, même pendant qu'il s'écrit."""
    from vms.app.cli.audit import folder_of

    place = folder_of(folder, config, data)
    typer.echo(f"{_copied(place, target)} fichiers copiés dans {target}.")


def take_over(
    source: Annotated[Path | None, typer.Option("--from", help="Copie à mettre en place et à poursuivre.")] = None,
    old: Annotated[Path | None, typer.Option(help="Ancien dossier du journal, s'il est accessible.")] = None,
    seen: Annotated[
        list[Path] | None, typer.Option(help="Ce qu'un client a vu du journal, un fichier .seen (répétable).")
    ] = None,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Fait de cette installation celle qui écrit le journal, si la copie contient tout ce qui a été promis."""
    from access_audit import standby
    from access_audit.keys import KeyRing
    from access_audit.rotation import LOG_WRITER

    folder = installation(config, data)
    states = [_seen(path) for path in [*(seen or []), *sorted((folder.root / "seen").glob("*.seen"))]]
    if source is not None and source.resolve() != folder.audit.resolve():
        if (folder.audit / "checkpoint").exists():
            raise VmsError(
                ErrorKind.CONFLICT,
                "audit.in_place",
                f"Un journal des accès est déjà dans {folder.audit}.",
                hint="Déplacez ce dossier et donnez-le avec --old, ou omettez --from pour poursuivre celui-là.",
            )
        _copied(source, folder.audit)
    key = KeyRing(folder.audit_key, folder.audit, folder.settings.audit.origin).open()
    standing = standby.take_over(
        folder.audit,
        key,
        folder.audit_key.parent,
        SystemClock(),
        LOG_WRITER,
        old=old,
        seen=[state for state in states if state is not None],
    )
    typer.echo(f"Ce journal s'écrit désormais dans {folder.audit} (époque {standing.epoch}).")
    typer.echo("Démarrez le service. L'ancien emplacement est refusé par les clients et par lui-même.")


def _copied(source: Path, target: Path) -> int:
    from access_audit.standby import copy_log

    try:
        return copy_log(source, target)
    except OSError as refused:
        raise VmsError(
            ErrorKind.NOT_FOUND,
            "audit.copy",
            f"Le journal de {source} ne peut pas être copié dans {target} : {refusal_text(refused)}.",
            hint="Vérifiez les deux dossiers, leurs droits et la place libre, puis recommencez : la copie reprend.",
            detail=str(refused),
        ) from None


def _seen(path: Path) -> SeenState | None:
    from access_audit.seen import read_seen

    try:
        return read_seen(path)
    except (OSError, ValueError, KeyError, TypeError) as wrong:
        raise VmsError(
            ErrorKind.INVALID_INPUT,
            "audit.seen",
            f"Le fichier {path} ne dit pas ce qu'un client a vu du journal.",
            hint="Donnez un fichier « seen/*.seen » du dossier de données d'un centre ou d'un enregistreur.",
            detail=str(wrong),
        ) from None
