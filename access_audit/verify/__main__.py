"""The verifier's command, on a machine without the product."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from access_audit.verify.anchors import Trust
from access_audit.verify.judge import verify_log
from access_audit.verify.proof import verify_proof
from access_audit.verify.report import Report
from access_audit.verify.words import report_text

ALTERED = 8
UNUSABLE = 2

_OPTIONS = {
    "--receipt": "reçu à confronter (répétable) / receipt to compare (repeatable)",
    "--checkpoint": "point de contrôle conservé ailleurs (répétable) / checkpoint kept elsewhere (repeatable)",
    "--spool": "file d'attente d'un enregistreur, un dossier (répétable) / spool folder of a recorder (repeatable)",
    "--authority": "certificat PEM d'une autorité d'horodatage (répétable) / certificate of a time-stamping authority",
    "--witness": "clé publique d'un témoin (répétable) / public key of a witness (repeatable)",
}


def main(arguments: list[str] | None = None) -> int:
    """Judge a folder or a proof file; 0 when it is intact, 8 when it is not, 2 when it cannot be read at all."""
    parser = argparse.ArgumentParser(
        prog="vms-verify",
        description="Vérifie un journal des accès. / Verifies an access log.",
        epilog="0 : intègre / intact · 8 : altéré / tampered with · 2 : inutilisable / unusable",
    )
    parser.add_argument("path", type=Path, help="dossier du journal, ou fichier de preuve / log folder or proof file")
    parser.add_argument("--key", required=True, help="clé publique : fichier log.pub, ou son texte / public key")
    for option, explained in _OPTIONS.items():
        parser.add_argument(option, type=Path, action="append", default=[], help=explained)
    parser.add_argument("--log", type=Path, default=None, help="journal de cette preuve / log of this proof")
    parser.add_argument("--anchors", type=Path, default=None, help="attestations conservées ailleurs / other anchors")
    parser.add_argument("--lang", choices=("fr", "en"), default="fr")
    parser.add_argument("--json", action="store_true", dest="as_json")
    parser.add_argument("--workers", type=int, default=None, help="processus / processes")
    options = parser.parse_args(arguments)
    try:
        report = _judge(options)
    except (OSError, ValueError, TypeError) as wrong:
        sys.stderr.write(f"{wrong}\n")
        return UNUSABLE
    text = json.dumps(report.to_json(), indent=2) if options.as_json else report_text(report, options.lang)
    sys.stdout.write(text + "\n")
    return 0 if report.ok else ALTERED


def _judge(options: argparse.Namespace) -> Report:
    key_file = Path(options.key)
    key = key_file.read_text("utf-8") if key_file.is_file() else str(options.key)
    if options.path.is_file():
        return verify_proof(_read_object(options.path), key, options.log)
    if not options.path.is_dir():
        raise FileNotFoundError(f"{options.path}: dossier introuvable / no such folder")
    return verify_log(
        options.path,
        key,
        receipts=[_read_object(path) for path in options.receipt],
        known=[path.read_bytes() for path in options.checkpoint],
        spools=options.spool,
        anchors=options.anchors,
        trust=Trust(
            [path.read_bytes() for path in options.authority] or None,
            [path.read_text("utf-8") for path in options.witness] or None,
        ),
        progress=_bar() if sys.stderr.isatty() else lambda _done, _all: None,
        workers=options.workers,
    )


def _read_object(path: Path) -> dict[str, Any]:
    content = json.loads(path.read_bytes())
    if not isinstance(content, dict):
        raise TypeError(f"{path}: pas un objet JSON / no JSON object")
    return content


def _bar() -> Callable[[int, int], None]:
    def show(done: int, whole: int) -> None:
        filled = 40 * done // max(whole, 1)
        sys.stderr.write(f"\r[{'#' * filled:<40}] {done}/{whole}" + ("\n" if done == whole else ""))
        sys.stderr.flush()

    return show


if __name__ == "__main__":
    sys.exit(main())
