"""Write `docs/legal.md` anew from what the tests cite: `python -m tests.docs.legal`."""

from __future__ import annotations

from tests.architecture.source import ROOT
from tests.docs.test_documents import legal_table

PREFACE = """# Legal duties and their proofs

Each legal duty has an identifier (`LAW-01` to `LAW-60`); a test that proves one cites it in its docstring.
This table is made from the tests by `python -m tests.docs.legal`; a test fails when it is not up to date. A duty that
is not in the table is not proved yet.

| identifier | duty |
| --- | --- |
| LAW-01 to LAW-05 | authorisation, its end, provisional ones, purposes, no dwellings |
| LAW-06 to LAW-11 | erasure, retention, minimum, proof of destruction, holds, no private copy |
| LAW-12 to LAW-14 | no sound, no search by category, availability and integrity |
| LAW-15 to LAW-24 | named and habilitated persons, agrément, suspension, scope, authority, gendarmes |
| LAW-25 to LAW-31 | the log: five operations, live, reasons, expiry, content, segregation, inspection |
| LAW-32 to LAW-36 | file support, entry into service, signs, rights requests |
| LAW-37 to LAW-45 | technical norms: resolution, rate, time, integrity, lossless export |
| LAW-46 to LAW-52 | requisitions and chain of custody |
| LAW-53 to LAW-60 | no biometrics, camera health, aggregates, network, installers, interoperability, sizing |

"""


def main() -> None:
    """Write the file."""
    (ROOT / "docs" / "legal.md").write_text(PREFACE + legal_table() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
