"""The sentences of a verification, in French and in English."""

from __future__ import annotations

from typing import Literal

from access_audit.verify.report import Finding, Flaw, Report, Step, Verdict

Language = Literal["fr", "en"]

STEPS: dict[str, tuple[str, str]] = {
    "key": ("Clé publique", "Public key"),
    "hand_overs": ("Changements de clé", "Hand-overs of the key"),
    "checkpoint": ("Point de contrôle signé", "Signed checkpoint"),
    "tree": ("Arbre de hachage, inscriptions et tuiles", "Hash tree, entries and tiles"),
    "entries": ("Forme et rang des inscriptions", "Form and place of the entries"),
    "history": ("Anciens points de contrôle", "Earlier checkpoints"),
    "time": ("Heures croissantes", "Time never goes back"),
    "payloads": ("Contenus scellés", "Sealed payloads"),
    "expiry": ("Effacement à l'échéance légale", "Erasure at the legal end"),
    "spools": ("Inscriptions différées des enregistreurs", "Entries delivered later by recorders"),
    "pending": ("Inscriptions en cours de publication", "Entries being published"),
    "timestamps": ("Horodatages de tiers (RFC 3161)", "Time-stamps of third parties (RFC 3161)"),
    "witnesses": ("Contresignatures des témoins", "Cosignatures of witnesses"),
    "receipts": ("Reçus fournis", "Receipts given"),
    "known": ("Points de contrôle connus d'ailleurs", "Checkpoints known elsewhere"),
    "spool_files": ("Files des enregistreurs fournies", "Spools of recorders given"),
    "proof": ("Preuve d'inscription", "Proof of inclusion"),
    "payload": ("Contenu de l'inscription", "Content of the entry"),
}

VERDICTS: dict[Verdict, tuple[str, str]] = {
    Verdict.PASSED: ("conforme", "passed"),
    Verdict.FAILED: ("ANOMALIE", "FAILED"),
    Verdict.SKIPPED: ("sans objet", "skipped"),
}

NOTES: dict[str, tuple[str, str]] = {
    "unreadable": ("non vérifiable, à cause de ce qui précède", "cannot be verified because of the above"),
    "none_given": ("rien n'a été fourni", "none was given"),
    "none_there": ("le journal n'en contient pas", "the log has none"),
    "hand_overs": ("changements de clé suivis : {count}", "hand-overs followed: {count}"),
    "unpublished": ("aucune inscription n'est encore publiée", "nothing is published yet"),
    "checkpoints": ("{count} points de contrôle comparés", "{count} checkpoints compared"),
    "clock_steps": (
        "l'horloge de la machine a reculé {count} fois, le journal le dit",
        "the clock of the machine went back {count} times, and the log says so",
    ),
    "expired": ("{count} contenus effacés à l'échéance légale", "{count} payloads erased at the legal end"),
    "erased": ("le contenu a été effacé à l'échéance légale", "the payload has been erased at the legal end"),
    "expiring": (
        "{count} contenus en cours d'effacement à l'échéance légale",
        "{count} payloads being erased at the legal end",
    ),
    "overdue": (
        "des contenus ont plus de trois ans et ne sont pas effacés, dès l'inscription {count}",
        "payloads older than three years have not been erased, from entry {count} on",
    ),
    "dated_apart": (
        "{count} inscriptions portent une date d'acte à plus de dix minutes de celle du journal",
        "{count} entries name an instant more than ten minutes away from that of the log",
    ),
    "anchored": ("attesté jusqu'à l'inscription {count}", "attested up to entry {count}"),
    "timestamps": ("{count} horodatages", "{count} time-stamps"),
    "cosignatures": ("{count} contresignatures", "{count} cosignatures"),
    "from_the_folder": (
        "clés des tiers prises dans le journal lui-même : comparez-les à celles que vous tenez d'eux",
        "keys of the third parties taken from the log itself: compare them with those that you have from them",
    ),
    "spooled": ("{count} inscriptions différées", "{count} entries delivered later"),
    "spool_files": ("{count} files comparées", "{count} spools compared"),
    "waiting": ("{count} inscriptions encore à livrer", "{count} entries still to be delivered"),
    "torn": (
        "{count} fin de fichier incomplète, jamais promise par un reçu",
        "{count} incomplete end of a file, never promised by a receipt",
    ),
    "receipts": ("{count} reçus comparés", "{count} receipts compared"),
}

FLAWS: dict[Flaw, tuple[str, str]] = {
    Flaw.KEY_MISMATCH: ("la clé n'est pas celle du journal", "the key is not that of the log"),
    Flaw.KEY_OUT_OF_TURN: (
        "un point de contrôle est signé par une clé du journal qui n'était pas en vigueur",
        "a checkpoint is signed by a key of the log that was not in force",
    ),
    Flaw.HAND_OVER: ("un changement de clé n'est pas prouvé", "a hand-over of the key is not proved"),
    Flaw.CHECKPOINT_MISSING: ("le point de contrôle est absent", "the checkpoint is missing"),
    Flaw.CHECKPOINT_MALFORMED: ("le point de contrôle est illisible", "the checkpoint is unreadable"),
    Flaw.CHECKPOINT_SIGNATURE: (
        "le point de contrôle n'est pas signé par la clé du journal",
        "the checkpoint is not signed by the key of the log",
    ),
    Flaw.HISTORY_SIGNATURE: (
        "un ancien point de contrôle n'est pas signé par la clé du journal",
        "an earlier checkpoint is not signed by the key of the log",
    ),
    Flaw.HISTORY_INCONSISTENT: (
        "un ancien point de contrôle contredit le journal : le passé a été réécrit",
        "an earlier checkpoint contradicts the log: the past has been rewritten",
    ),
    Flaw.LOG_ROLLED_BACK: ("le journal a été ramené en arrière", "the log has been rolled back"),
    Flaw.LOG_FORKED: ("deux versions du journal ont été montrées", "two versions of the log have been shown"),
    Flaw.LOG_REWRITTEN: (
        "aucun fichier ne mène au point de contrôle signé : le journal a été réécrit",
        "no file leads to the signed checkpoint: the log has been rewritten",
    ),
    Flaw.BUNDLE_MISSING: ("un fichier d'inscriptions est absent", "an entry bundle is missing"),
    Flaw.BUNDLE_MALFORMED: ("un fichier d'inscriptions est illisible", "an entry bundle is unreadable"),
    Flaw.ENTRY_CHANGED: ("une inscription a été modifiée", "an entry has been changed"),
    Flaw.ENTRY_MALFORMED: ("une inscription n'a pas la forme prévue", "an entry does not have its form"),
    Flaw.ENTRY_DELETED: ("une inscription a été supprimée", "an entry has been deleted"),
    Flaw.ENTRY_INSERTED: ("une inscription a été ajoutée", "an entry has been inserted"),
    Flaw.ENTRIES_SWAPPED: ("deux inscriptions ont été échangées", "two entries have been swapped"),
    Flaw.TILE_MISSING: ("une tuile de hachage est absente", "a hash tile is missing"),
    Flaw.TILE_CHANGED: ("une tuile de hachage a été modifiée", "a hash tile has been changed"),
    Flaw.TIME_WENT_BACK: ("une inscription est antidatée", "an entry is back-dated"),
    Flaw.TIME_STATEMENT: (
        "une correction d'horloge déclarée se contredit",
        "a stated correction of the clock contradicts itself",
    ),
    Flaw.TIME_AHEAD: (
        "une inscription porte une heure postérieure à l'instant où un tiers l'a attestée",
        "an entry is dated after the instant at which a third party attested it",
    ),
    Flaw.PAYLOAD_MISSING: (
        "un contenu manque sans que le journal en déclare l'effacement",
        "a payload is missing, and the log states no erasure",
    ),
    Flaw.PAYLOAD_MALFORMED: ("un fichier de contenus est illisible", "a payload bundle is unreadable"),
    Flaw.PAYLOAD_CHANGED: (
        "un contenu, ou le sel qui le scelle, a été modifié",
        "a payload, or the salt that seals it, has been changed",
    ),
    Flaw.PAYLOAD_CATALOGUE: ("un contenu sort du catalogue", "a payload is outside the catalogue"),
    Flaw.PAYLOAD_EXPIRED_EARLY: (
        "un contenu a été effacé avant la durée minimale de six mois",
        "a payload has been erased before the floor of six months",
    ),
    Flaw.PAYLOAD_RESTORED: ("un contenu déclaré effacé est revenu", "a payload stated as erased has come back"),
    Flaw.SPOOL_REPLAYED: ("une inscription différée a été rejouée", "a spooled entry has been replayed"),
    Flaw.SPOOL_REORDERED: (
        "des inscriptions différées ont été interverties",
        "spooled entries stand in another order",
    ),
    Flaw.SPOOL_GAP: ("des inscriptions différées manquent", "spooled entries are missing"),
    Flaw.SPOOL_CHAIN: ("la chaîne d'un enregistreur est rompue", "the chain of a recorder is broken"),
    Flaw.SPOOL_FILE: (
        "la file d'un enregistreur est illisible ou modifiée",
        "the spool of a recorder is unreadable or changed",
    ),
    Flaw.SPOOL_CUT: (
        "des inscriptions qu'un enregistreur a livrées ont disparu du journal",
        "entries that a recorder delivered are gone from the log",
    ),
    Flaw.SPOOL_UNKNOWN: (
        "une inscription différée n'a jamais été faite par son enregistreur",
        "a spooled entry was never made by its recorder",
    ),
    Flaw.SPOOL_CONTRADICTED: (
        "une inscription différée n'est pas celle que son enregistreur a faite",
        "a spooled entry is not the one that its recorder made",
    ),
    Flaw.PENDING_CHANGED: (
        "une inscription en cours de publication a été modifiée",
        "an entry being published has been changed",
    ),
    Flaw.PENDING_GAP: ("des inscriptions en cours de publication manquent", "entries being published are missing"),
    Flaw.TIMESTAMP_MALFORMED: ("un horodatage est illisible", "a time-stamp is unreadable"),
    Flaw.TIMESTAMP_SIGNATURE: (
        "la signature d'un horodatage n'est pas valable",
        "the signature of a time-stamp does not hold",
    ),
    Flaw.TIMESTAMP_AUTHORITY: (
        "un horodatage ne vient d'aucune autorité connue",
        "a time-stamp comes from no known authority",
    ),
    Flaw.TIMESTAMP_OTHER_ROOT: (
        "un horodatage atteste un autre état du journal",
        "a time-stamp attests another state of the log",
    ),
    Flaw.COSIGNED_MALFORMED: (
        "un point de contrôle contresigné est illisible",
        "a cosigned checkpoint is unreadable",
    ),
    Flaw.COSIGNED_SIGNATURE: (
        "un point de contrôle contresigné n'est pas signé par la clé du journal",
        "a cosigned checkpoint is not signed by the key of the log",
    ),
    Flaw.COSIGNED_FOREIGN: (
        "une contresignature est celle d'un autre journal",
        "a cosignature is that of another log",
    ),
    Flaw.COSIGNED_OTHER_ROOT: (
        "un témoin a contresigné un autre état du journal",
        "a witness cosigned another state of the log",
    ),
    Flaw.COSIGNATURE_WRONG: ("une contresignature n'est pas valable", "a cosignature does not hold"),
    Flaw.COSIGNATURE_UNKNOWN: (
        "un point de contrôle n'est contresigné par aucun témoin connu",
        "a cosigned checkpoint bears the cosignature of no known witness",
    ),
    Flaw.COSIGNATURE_ORDER: (
        "un témoin a contresigné un journal qui rétrécit",
        "a witness cosigned a log that shrinks",
    ),
    Flaw.RECEIPT_MALFORMED: ("un reçu est illisible", "a receipt is unreadable"),
    Flaw.RECEIPT_SIGNATURE: (
        "un reçu n'est pas signé par la clé du journal",
        "a receipt is not signed by the key of the log",
    ),
    Flaw.RECEIPT_PATH: (
        "la preuve ne mène pas au point de contrôle qu'elle cite",
        "the proof does not lead to its checkpoint",
    ),
    Flaw.RECEIPT_ABSENT: ("l'inscription d'un reçu n'est pas au journal", "the entry of a receipt is not in the log"),
    Flaw.RECEIPT_CONTRADICTED: (
        "une autre inscription est à la place de celle d'un reçu",
        "another entry stands in the place of that of a receipt",
    ),
    Flaw.FILE_FOREIGN: ("un fichier étranger est dans le journal", "a foreign file is in the log"),
}

_SHOWN = 20


def _said(pair: tuple[str, str], language: Language) -> str:
    return pair[0] if language == "fr" else pair[1]


def finding_text(found: Finding, language: Language) -> str:
    """One finding as a sentence, with its code and the index that it begins at."""
    where = ""
    if found.index is not None:
        where = f"à partir de l'inscription {found.index} : " if language == "fr" else f"from entry {found.index}: "
    detail = f" ({found.detail})" if found.detail and language == "en" else ""
    return f"{where}{_said(FLAWS[found.flaw], language)} [{found.flaw.value}]{detail}"


def _step_text(step: Step, language: Language) -> list[str]:
    colon = " : " if language == "fr" else ": "
    notes = "; ".join(_said(NOTES[note], language).format(count=count) for note, count in step.notes)
    head = f"{step.number:2d}. {_said(STEPS[step.name], language)}{colon}{_said(VERDICTS[step.verdict], language)}"
    lines = [head + (f" ({notes})" if notes else "")]
    lines += [f"    - {finding_text(found, language)}" for found in step.findings[:_SHOWN]]
    if len(step.findings) > _SHOWN:
        more = len(step.findings) - _SHOWN
        lines.append(f"    - … et {more} autres" if language == "fr" else f"    - … and {more} more")
    return lines


def report_text(report: Report, language: Language) -> str:
    """A whole report, for a person."""
    if language == "fr":
        head = f"Journal des accès « {report.origin} » : {report.size} inscriptions publiées"
        pending = f", {report.pending} en cours de publication" if report.pending else ""
        last = "Le journal est intègre." if report.ok else "LE JOURNAL A ÉTÉ ALTÉRÉ."
        root = "Empreinte"
    else:
        head = f'Access log "{report.origin}": {report.size} published entries'
        pending = f", {report.pending} being published" if report.pending else ""
        last = "The log is intact." if report.ok else "THE LOG HAS BEEN TAMPERED WITH."
        root = "Root"
    lines = [head + pending, f"{root} {report.root}"] if report.root else [head + pending]
    for step in report.steps:
        lines += _step_text(step, language)
    return "\n".join([*lines, last])
