"""A monthly report as a document to print: every sentence comes from its content, which the PDF carries inside."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final

from supervision_centre.destruction.wording import bytes_text, day_text, duration_text, local_text, of_text
from supervision_centre.documents.document import (
    Attachment,
    Block,
    Document,
    digest,
    facts,
    heading,
    notice,
    table,
    text,
)
from supervision_centre.reports.month import Month
from supervision_centre.reports.service import Issued
from vms.base.clock import parse_utc

REPORT_FILE: Final = "rapport.json"
PROOF_FILE: Final = "preuve.json"
_INTERRUPTIONS_SHOWN: Final = 400


def report_page(issued: Issued, centre_name: str) -> Document:
    """The document, with the canonical JSON and the proof of its entry as attachments."""
    content, anchor = issued.content, issued.anchor
    month = Month.parse(content["month"])
    proof = json.dumps(anchor.proof, ensure_ascii=False, indent=1).encode()
    commune = f"{content['commune_name']} ({content['commune']})"
    return Document(
        title=f"Vidéoprotection {of_text(content['commune_name'])} : rapport {of_text(month.label)}",
        issuer=centre_name,
        made_at_ns=parse_utc(content["made_at"]),
        footer=f"Rapport {of_text(month.label)}, {commune}. SHA-256 {issued.digest}",
        blocks=(
            facts(
                ("Commune", commune),
                ("Autorité des images", ", ".join(content["authorities"]) or "aucune"),
                ("Mois", f"{month.label}, du {_at(content['from'])} au {_at(content['to'])} (exclu)"),
                ("Établi", f"le {_at(content['made_at'])} pour {content['made_for']}"),
                ("Inscription au journal", f"n° {anchor.receipt.index}, empreinte {anchor.receipt.leaf_hash.hex()}"),
            ),
            *(_alarms(content)),
            *_looks(content),
            *_communications(content),
            *_holds(content),
            *_erasures(content),
            *_changes(content),
            *_cameras(content),
            *_proof(issued),
        ),
        attachments=(
            Attachment(REPORT_FILE, "application/json", issued.canonical),
            Attachment(PROOF_FILE, "application/json", proof),
        ),
    )


def _alarms(content: Mapping[str, Any]) -> list[Block]:
    if not content["alarms"]:
        return []
    return [
        heading("Alarmes"),
        notice("Des images ont été transmises sans qu'une consultation inscrite les explique. Demandez-en compte."),
        table(_ACTS, tuple(map(_act_row, content["alarms"]))),
    ]


_ACTS: Final = (("Date et heure", 15), ("Personne", 22), ("Acte", 20), ("Caméra", 20), ("Images", 20), ("Motif", 30))


def _looks(content: Mapping[str, Any]) -> list[Block]:
    live = tuple(_live_row(line) for line in content["live"])
    columns = (("Jour", 18), ("Heures", 11), ("Personne", 22), ("Caméras", 34), ("Finalité et précisions", 38))
    blocks = [heading("Qui a regardé en direct, et pourquoi")]
    blocks.append(table(columns, live) if live else text("Aucune consultation en direct ce mois-ci."))
    blocks.append(heading("Qui a relu des images enregistrées, et pourquoi"))
    played = tuple(map(_act_row, content["playback"]))
    blocks.append(table(_ACTS, played) if played else text("Aucune relecture ce mois-ci."))
    refused = tuple(map(_act_row, content["refused"]))
    if refused:
        blocks += [heading("Consultations refusées"), table(_ACTS, refused)]
    if content["expired"]:
        blocks.append(text("Des inscriptions de ce mois sont arrivées à leur terme légal : leur contenu est effacé."))
    return blocks


def _live_row(line: Mapping[str, Any]) -> tuple[str, ...]:
    first, last = (_at(line[name]).split(" à ")[1][:5] for name in ("first", "last"))
    return (
        day_text(date.fromisoformat(line["day"])),
        first if first == last else f"{first} à {last}",
        f"{line['person']}\n{line['role_label']}",
        ", ".join(line["cameras"]),
        "\n".join((line["reason_label"], *line["notes"])),
    )


def _act_row(line: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        _at(line["at"]).replace(" à ", "\n"),
        f"{line['person']}\n{line['role_label']}",
        f"{line['kind_label']}\nn° {line['entry']}",
        line["camera_name"],
        _images(line["range"]),
        "\n".join(part for part in (line["reason_label"], line["note"]) if part),
    )


def _communications(content: Mapping[str, Any]) -> list[Block]:
    lines = tuple(
        (
            _at(line["at"]).replace(" à ", "\n"),
            line["camera_name"],
            _images(line["range"]),
            line["person"],
            ", ".join(line["recipients"]),
        )
        for line in content["communications"]
    )
    columns = (("Exporté le", 15), ("Caméra", 22), ("Images", 22), ("Par", 20), ("Remis à", 24))
    return [
        heading("Images exportées ou communiquées"),
        table(columns, lines) if lines else text("Aucune image n'a été exportée ni communiquée ce mois-ci."),
    ]


def _holds(content: Mapping[str, Any]) -> list[Block]:
    lines = tuple(
        (_at(line["at"]).replace(" à ", "\n"), line["kind_label"], line["camera_name"], _images(line["range"]))
        for line in content["holds"]
    )
    columns = (("Date et heure", 15), ("Étape", 34), ("Caméra", 24), ("Images", 24))
    return [
        heading("Conservations judiciaires"),
        table(columns, lines) if lines else text("Aucune conservation n'a commencé ni pris fin ce mois-ci."),
    ]


def _erasures(content: Mapping[str, Any]) -> list[Block]:
    lines = tuple(
        (line["camera_name"], line["cause_label"], _images(line["range"]), bytes_text(line["bytes"]))
        for line in content["erasures"]
    )
    columns = (("Caméra", 24), ("Cause", 34), ("Images", 26), ("Volume", 12))
    return [
        heading("Images effacées"),
        table(columns, lines) if lines else text("Aucun effacement n'est inscrit pour ce mois."),
    ]


def _changes(content: Mapping[str, Any]) -> list[Block]:
    lines = tuple(
        (_at(line["at"]).replace(" à ", "\n"), line["kind_label"], line["camera_name"], line["person"])
        for line in content["changes"]
    )
    columns = (("Date et heure", 15), ("Changement", 30), ("Caméra", 26), ("Par", 26))
    return [heading("Caméras mises en service ou modifiées"), table(columns, lines)] if lines else []


def _cameras(content: Mapping[str, Any]) -> list[Block]:
    lines = tuple(
        (
            line["camera_name"],
            percent(line["availability_percent"]),
            duration_text(line["missing_s"]),
            duration_text(line["expected_s"]),
        )
        for line in content["cameras"]
    )
    blocks = [heading("Disponibilité de l'enregistrement")]
    columns = (("Caméra", 40), ("Enregistré", 16), ("Manquant", 20), ("Durée attendue", 20))
    blocks.append(table(columns, lines) if lines else text("Aucune caméra de cette commune ce mois-ci."))
    if not content["recorder_answered"]:
        blocks.append(
            notice("L'enregistreur n'a pas répondu : les interruptions ci-dessous sont celles du journal, sans cause.")
        )
    gaps = [(line["camera_name"], gap) for line in content["cameras"] for gap in line["interruptions"]]
    if not gaps:
        return blocks
    rows = tuple((name, _at(gap["start"]), _at(gap["end"]), gap["label"]) for name, gap in gaps[:_INTERRUPTIONS_SHOWN])
    blocks += [
        heading("Interruptions"),
        table((("Caméra", 24), ("Du", 20), ("Au", 20), ("Cause", 36)), rows),
    ]
    if len(gaps) > _INTERRUPTIONS_SHOWN:
        blocks.append(text(f"Les autres interruptions sont dans le fichier {REPORT_FILE}, joint à ce document."))
    return blocks


def _proof(issued: Issued) -> list[Block]:
    anchor = issued.anchor
    return [
        heading("Vérifier ce rapport"),
        text(
            f"Les données de ce rapport sont jointes au présent document ({REPORT_FILE}). Leur empreinte SHA-256 est"
            f" inscrite au journal des accès sous le n° {anchor.receipt.index} ; la preuve de cette inscription, signée"
            f" par la clé du journal, est jointe aussi ({PROOF_FILE}). L'empreinte de {REPORT_FILE} doit être :"
        ),
        digest(issued.digest),
        digest(f"sha256sum {REPORT_FILE}\nvms audit verify --folder audit --proof {PROOF_FILE}"),
        text(
            "La seconde commande affiche l'inscription : elle porte la même empreinte, la commune et le mois. Elle se"
            " vérifie aussi hors ligne avec la seule clé publique du journal."
        ),
        heading("Point de contrôle signé"),
        digest(anchor.note),
    ]


def percent(value: float | None) -> str:
    """`99,87 %`."""
    return "—" if value is None else f"{value:.2f}".replace(".", ",") + "\u00a0%"


def _images(stretch: Mapping[str, str] | None) -> str:
    return f"du {_at(stretch['start'])}\nau {_at(stretch['end'])}" if stretch else ""


def _at(instant: str) -> str:
    return local_text(parse_utc(instant))


def lines_of(document: Document) -> Sequence[str]:
    """Every text of a document, for whoever checks what it says."""
    return [document.title, document.footer, *(cell for block in document.blocks for cell in _texts(block))]


def _texts(block: Block) -> list[str]:
    return [block.text, *(name for name, _ in block.columns), *(cell for row in block.rows for cell in row)]
