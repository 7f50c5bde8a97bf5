"""`vms audit`: verifies and reads the access log from its folder alone; no process needs to run."""

from __future__ import annotations

import hashlib
import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from vms.app.cli import audit_anchors, audit_key, audit_life, audit_report, audit_standby
from vms.app.cli.place import ConfigOption, DataOption, JsonOption, installation
from vms.base.clock import utc_text
from vms.base.errors import ErrorKind, VmsError

app = typer.Typer(no_args_is_help=True)
audit_anchors.register(app)
audit_key.register(app)
audit_life.register(app)
audit_standby.register(app)
audit_report.register(app)


class Language(StrEnum):
    """The languages of a report."""

    FR = "fr"
    EN = "en"


FolderOption = Annotated[Path | None, typer.Option(help="Dossier du journal, au lieu de celui de l'installation.")]


@app.callback()
def audit() -> None:
    """Vérifie et lit le journal des accès, hors ligne."""


@app.command("verify")
def verify(
    folder: FolderOption = None,
    data: DataOption = None,
    config: ConfigOption = None,
    key: Annotated[
        Path | None, typer.Option(help="Clé publique reçue à part ; par défaut, celle qui accompagne le journal.")
    ] = None,
    receipt: Annotated[list[Path] | None, typer.Option(help="Reçu à confronter au journal (répétable).")] = None,
    checkpoint: Annotated[
        list[Path] | None, typer.Option(help="Point de contrôle conservé ailleurs, à confronter (répétable).")
    ] = None,
    spool: Annotated[
        list[Path] | None, typer.Option(help="File d'attente d'un enregistreur, un dossier, à confronter (répétable).")
    ] = None,
    authority: Annotated[
        list[Path] | None, typer.Option(help="Certificat PEM d'une autorité d'horodatage (répétable).")
    ] = None,
    witness: Annotated[list[Path] | None, typer.Option(help="Clé publique d'un témoin (répétable).")] = None,
    anchors: Annotated[
        Path | None, typer.Option(help="Attestations conservées ailleurs, au lieu de celles du journal.")
    ] = None,
    proof: Annotated[Path | None, typer.Option(help="Vérifie ce fichier de preuve au lieu du journal entier.")] = None,
    lang: Annotated[Language, typer.Option(help="Langue du rapport.")] = Language.FR,
    as_json: JsonOption = False,
) -> None:
    """Vérifie le journal : signatures, arbre, contenus, heures, attestations, reçus. Code 8 s'il est altéré."""
    from access_audit.verify import Report, Trust, verify_log, verify_proof
    from access_audit.verify.words import report_text

    place = folder_of(folder, config, data)
    public_key = _read(key or place / "log.pub").decode("utf-8", "replace")
    report: Report
    if proof is not None:
        report = verify_proof(_read_object(proof), public_key, place)
    else:
        receipts = [_read_object(path) for path in receipt or []]
        known = [_read(path) for path in checkpoint or []]
        trust = Trust(
            [_read(path) for path in authority or []] or None,
            [_read(path).decode("utf-8", "replace") for path in witness or []] or None,
        )
        with _progress(shown=not as_json) as progress:
            task = progress.add_task("Vérification" if lang is Language.FR else "Verification", total=None)

            def seen(done: int, whole: int) -> None:
                progress.update(task, completed=done, total=whole)

            try:
                report = verify_log(
                    place,
                    public_key,
                    receipts=receipts,
                    known=known,
                    spools=spool or [],
                    anchors=anchors,
                    trust=trust,
                    progress=seen,
                )
            except (OSError, ValueError) as wrong:
                raise VmsError(
                    ErrorKind.INVALID_INPUT,
                    "audit.trust",
                    "Un certificat d'autorité, une clé de témoin ou une file d'enregistreur est illisible.",
                    hint="--authority attend un certificat PEM, --witness une clé « nom+… », --spool un dossier.",
                    detail=str(wrong),
                ) from None
    typer.echo(json.dumps(report.to_json(), indent=2) if as_json else report_text(report, lang.value))
    if not report.ok:
        sys.exit(VmsError(ErrorKind.CORRUPT, "audit.tampered", "").exit_code)


@app.command("verifier")
def verifier(
    output: Annotated[Path, typer.Option(help="Fichier à écrire.")] = Path("vms-verify.py"),
) -> None:
    """Écrit le vérificateur en un seul fichier lisible, pour une machine sans le produit."""
    from access_audit.standalone import standalone_verifier
    from vms.base import durable

    content = standalone_verifier().encode()
    try:
        durable.write_atomic(output, content, mode=0o755)
    except OSError as refused:
        raise VmsError(
            ErrorKind.INVALID_INPUT,
            "audit.output",
            f"Le fichier {output} ne peut pas être écrit.",
            hint="Choisissez un autre emplacement avec --output.",
            detail=str(refused),
        ) from None
    typer.echo(f"{output} : SHA-256 {hashlib.sha256(content).hexdigest()}")


@app.command("head")
def head(
    folder: FolderOption = None,
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Affiche le dernier point de contrôle signé du journal."""
    from access_audit.checkpoint import CheckpointError, LogKey, open_note

    place = folder_of(folder, config, data)
    note = _read(place / "checkpoint")
    try:
        signed = open_note(note, LogKey.parse(_read(place / "log.pub").decode("utf-8", "replace")))
    except CheckpointError as wrong:
        raise _altered(str(wrong)) from None
    if as_json:
        from access_audit.anchors.files import read_state

        anchors = read_state(place)
        state = {"origin": signed.checkpoint.origin, "size": signed.checkpoint.size}
        attested = {"anchors": None if anchors is None else anchors.to_json()}
        typer.echo(json.dumps({**state, "root": signed.checkpoint.root.hex(), "note": note.decode(), **attested}))
    else:
        typer.echo(note.decode(), nl=False)


@app.command("show")
def show(
    index: Annotated[int, typer.Argument(min=0, help="Numéro de l'inscription.")],
    folder: FolderOption = None,
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Écrit le fichier de preuve de l'inscription.")] = False,
) -> None:
    """Affiche une inscription publiée, et si sa preuve tient ; avec --json, son fichier de preuve."""
    from access_audit.proof import proof_of
    from access_audit.tiles import TileError
    from access_audit.verify import verify_proof

    place = folder_of(folder, config, data)
    note = _read(place / "checkpoint")
    try:
        size = int(note.split(b"\n")[1])
        proof = proof_of(place, index, size, note)
    except IndexError:
        raise VmsError(
            ErrorKind.NOT_FOUND,
            "audit.no_entry",
            f"Le journal des accès n'a pas d'inscription n° {index}.",
            hint="Vérifiez le numéro ; « vms audit head » donne leur nombre.",
        ) from None
    except (TileError, ValueError) as wrong:
        raise _altered(str(wrong)) from None
    if as_json:
        typer.echo(json.dumps(proof, ensure_ascii=False, indent=2))
        return
    report = verify_proof(proof, _read(place / "log.pub").decode("utf-8", "replace"), place)
    typer.echo(_entry_text(proof))
    typer.echo("Preuve d'inscription : valide." if report.ok else "Preuve d'inscription : INVALIDE.")
    if not report.ok:
        raise _altered("; ".join(found.flaw.value for found in report.findings))


def _entry_text(proof: dict[str, Any]) -> str:
    leaf = json.loads(proof["leaf"])
    lines = [f"Inscription n° {leaf['index']}, écrite le {utc_text(int(leaf['at_ns']))}"]
    if "payload" not in proof:
        return "\n".join([*lines, "Contenu effacé à l'échéance légale ; l'empreinte demeure."])
    content = json.loads(proof["payload"])
    author, reason = content["author"], content["reason"]
    motive = reason["code"] + (f" — {reason['text']}" if reason["text"] else "")
    images = content.get("range")
    fields = [
        ("Opération", content["kind"]),
        ("Auteur", f"{author['name'] or author['id']} ({author['role']})"),
        ("Date de l'acte", utc_text(int(content["at_ns"]))),
        ("Motif", motive),
        ("Destinataires", ", ".join(content["recipients"])),
        ("Commune", content.get("commune", "")),
        ("Autorité", content.get("authority", "")),
        ("Caméra", content.get("camera", "")),
        ("Images", f"{utc_text(int(images['start_ns']))} – {utc_text(int(images['end_ns']))}" if images else ""),
        ("Réquisition", content.get("requisition", "")),
        *content.get("details", {}).items(),
    ]
    width = max(len(name) for name, _ in fields)
    return "\n".join([*lines, *(f"  {name:<{width}} : {value}" for name, value in fields if value)])


def folder_of(folder: Path | None, config: Path | None, data: Path | None) -> Path:
    """The folder of the log that these options name. VmsError `audit.no_log` when there is none in it."""
    if folder is None:
        folder = installation(config, data).audit
    if not (folder / "log.pub").exists():
        raise VmsError(
            ErrorKind.NOT_FOUND,
            "audit.no_log",
            f"Il n'y a pas de journal des accès dans {folder}.",
            hint="Indiquez son dossier avec --folder : c'est celui qui contient « log.pub ».",
            detail=f"{folder / 'log.pub'} is missing",
        )
    return folder


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as refused:
        raise VmsError(
            ErrorKind.NOT_FOUND,
            "audit.unreadable",
            f"Le fichier {path} est absent ou illisible.",
            hint="Vérifiez le chemin et les droits ; si ce fichier est celui du journal, lancez « vms audit verify ».",
            detail=str(refused),
        ) from None


def _read_object(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(_read(path))
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise VmsError(
            ErrorKind.INVALID_INPUT,
            "audit.not_json",
            f"Le fichier {path} n'est ni un reçu ni une preuve.",
            hint="Donnez le fichier téléchargé depuis le journal des accès, sans le modifier.",
        )
    return content


def _altered(detail: str) -> VmsError:
    return VmsError(
        ErrorKind.CORRUPT,
        "audit.tampered",
        "Le journal des accès est altéré ou incomplet.",
        hint="Lancez « vms audit verify » pour savoir ce qui a changé ; gardez une copie du dossier.",
        detail=detail,
    )


def _progress(*, shown: bool) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        disable=not (shown and sys.stderr.isatty()),
    )
