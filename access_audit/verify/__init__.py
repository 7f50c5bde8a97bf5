"""Verification of an access log by somebody who has only its folder and its public key.

It stands alone: the standard library, `cryptography`, and nothing else of this product, so that no mistake of the
writer can hide itself here. What the formats are is written in `format.py`, `layout.py`, `sequence.py` and
`checkpoint.py` of the log; this package reads them a second time, independently.

    python -m access_audit.verify FOLDER --key log.pub

`vms audit verifier` makes one file of it, `vms-verify.py` (see `access_audit/standalone.py`).

`verify_log` judges a folder in numbered steps, `verify_proof` the proof file of one entry. Nothing is ever written.
"""

from access_audit.verify.anchors import Trust
from access_audit.verify.judge import verify_log
from access_audit.verify.proof import verify_proof
from access_audit.verify.report import Finding, Flaw, Report, Step, Verdict

__all__ = ["Finding", "Flaw", "Report", "Step", "Trust", "Verdict", "verify_log", "verify_proof"]
