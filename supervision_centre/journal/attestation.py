"""What stands around the entries of an export: the read-me, the title of each part, the closing attestation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from access_audit.journal import JournalEntry
from supervision_centre.destruction.wording import local_text, of_text, utc_clock
from supervision_centre.documents.document import Document, digest, facts, heading, notice, table, text
from supervision_centre.journal.anchor import Anchor
from supervision_centre.journal.answers import Names
from supervision_centre.journal.service import scope_of
from supervision_centre.journal.sheet import PRINTED, printed_row
from supervision_centre.people.person import Person

VERIFY_COMMAND = "vms audit verify --folder audit --checkpoint point-de-controle.txt"
PROOF_COMMAND = "vms audit verify --folder audit --proof consultation.json"


@dataclass(frozen=True, slots=True)
class Coverage:
    """What an export is about: for whom, which period and controller, under which state of the log."""

    centre_name: str
    reader: str
    since_ns: int
    until_ns: int
    controller: str
    made_at_ns: int
    anchor: Anchor

    @property
    def period(self) -> str:
        """The period by the clocks of Europe/Paris."""
        return f"du {local_text(self.since_ns)} au {local_text(self.until_ns)} (exclu), heure de Paris"

    def facts(self) -> tuple[tuple[str, str], ...]:
        """The facts that every part bears."""
        return (
            ("Responsable de traitement", self.controller),
            ("Période", self.period),
            ("En temps universel", f"de {utc_clock(self.since_ns)} à {utc_clock(self.until_ns)}"),
            ("Établi", f"le {local_text(self.made_at_ns)} pour {self.reader}"),
            ("Journal", f"{self.anchor.origin}, {self.anchor.size} inscriptions"),
            ("Racine du journal", self.anchor.root),
        )


def controller_text(person: Person, commune: str, names: Names, authority: str = "") -> str:
    """Whose journal a document covers, as one line."""
    if commune:
        where = f"commune {of_text(names.commune(commune))} ({commune})"
    else:
        scope = scope_of(person)
        known = (f"commune {of_text(names.commune(code))} ({code})" for code in sorted(scope or ()))
        where = "toutes les communes" if scope is None else ", ".join(known)
    return f"{authority}, {where}" if authority else where


def part(coverage: Coverage, number: int, entries: Sequence[JournalEntry], names: Names) -> Document:
    """One part of the printed journal, newest entry first."""
    first, last = entries[-1].index, entries[0].index
    return Document(
        title=f"Journal des accès, partie {number}",
        issuer=coverage.centre_name,
        made_at_ns=coverage.made_at_ns,
        landscape=True,
        footer=f"Journal des accès, partie {number} : inscriptions {first} à {last}. Racine {coverage.anchor.root}",
        blocks=(
            facts(*coverage.facts(), ("Dans cette partie", f"inscriptions {first} à {last}, la plus récente d'abord")),
            table(PRINTED, tuple(printed_row(entry, names) for entry in entries)),
        ),
    )


def attestation(coverage: Coverage, entries: int, files: Sequence[tuple[str, str]]) -> Document:
    """The page that binds the files of an export together."""
    receipt = coverage.anchor.receipt
    return Document(
        title="Attestation d'export du journal des accès",
        issuer=coverage.centre_name,
        made_at_ns=coverage.made_at_ns,
        footer=f"Racine {coverage.anchor.root}",
        blocks=(
            facts(
                *coverage.facts(),
                ("Nombre d'inscriptions", str(entries)),
                ("Cet export dans le journal", f"inscription n° {receipt.index}, empreinte {receipt.leaf_hash.hex()}"),
            ),
            *(() if entries else (notice("Le journal ne porte aucune inscription pour cette période."),)),
            heading("Fichiers"),
            table((("Fichier", 30), ("SHA-256", 70)), tuple(files)),
            heading("Vérifier"),
            text(
                "Les empreintes des inscriptions sont celles du journal, que le centre ne peut pas modifier. Le point"
                " de contrôle signé prouve l'état du journal à l'instant de l'export : confronté au dossier du journal,"
                " il révèle toute inscription retirée, ajoutée ou changée depuis. La preuve de consultation montre que"
                " cet export est lui-même inscrit."
            ),
            digest(f"sha256sum -c empreintes.txt\n{VERIFY_COMMAND}\n{PROOF_COMMAND}"),
            heading("Point de contrôle signé"),
            digest(coverage.anchor.note),
        ),
    )


def read_me(coverage: Coverage, entries: int) -> str:
    """The read-me, as plain text."""
    lines = (
        "EXPORT DU JOURNAL DES ACCÈS",
        coverage.centre_name,
        "",
        *(f"{name} : {value}" for name, value in coverage.facts()),
        f"Nombre d'inscriptions : {entries}",
        f"Cet export dans le journal : inscription n° {coverage.anchor.receipt.index}",
        "",
        "Les inscriptions vont de la plus récente à la plus ancienne. Une inscription arrivée à son terme légal a",
        "perdu son contenu ; son numéro, sa date et son empreinte demeurent.",
        "Le fichier CSV est en UTF-8, séparé par des points-virgules. Une apostrophe précède ce qu'un tableur",
        "prendrait pour une formule.",
        "",
        "VÉRIFIER",
        "  sha256sum -c empreintes.txt",
        f"  {VERIFY_COMMAND}",
        f"  {PROOF_COMMAND}",
        "Le guide du vérificateur décrit la même vérification sans aucun programme du produit.",
        "",
        "Ces données sont personnelles : conservez-les le temps du contrôle, puis détruisez-les.",
        "",
    )
    return "\r\n".join(lines)
