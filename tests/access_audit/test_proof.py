"""One entry, taken away as a file and judged with nothing else (LAW-31, LAW-51)."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from access_audit.checkpoint import Checkpoint
from access_audit.proof import proof_of
from access_audit.verify import Flaw, verify_proof
from access_audit.verify.words import report_text
from tests.access_audit import built
from tests.access_audit.built import KEY, STRANGER, Built
from tests.access_audit.logs import ORIGIN

Proof = dict[str, Any]


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return built.build(tmp_path_factory.mktemp("built") / "log")


def proof_from(log: Built, index: int) -> Proof:
    note = (log.folder / "checkpoint").read_bytes()
    found: Proof = json.loads(json.dumps(proof_of(log.folder, index, 600, note)))
    return found


@pytest.mark.parametrize("index", [0, 1, 255, 256, 303, 511, 512, 599])
def test_the_proof_of_any_entry_holds(log: Built, index: int):
    report = verify_proof(proof_from(log, index), log.key)
    assert report.findings == []
    assert report.size == 600


def test_a_proof_is_made_within_fifty_milliseconds(log: Built):
    start = time.perf_counter()
    proof_from(log, 301)
    assert time.perf_counter() - start < 0.05


def test_the_proof_of_an_expired_entry_holds_and_says_so(log: Built):
    """LAW-28."""
    proof = proof_from(log, 40)
    del proof["payload"], proof["salt"]
    report = verify_proof(proof, log.key)
    assert report.ok
    assert "effacé à l'échéance légale" in report_text(report, "fr")


def _change(**fields: Any) -> Callable[[Proof], Proof]:
    return lambda proof: {**proof, **fields}


FORGERIES: dict[str, tuple[Callable[[Proof], Proof], Flaw]] = {
    "another payload": (
        lambda proof: {**proof, "payload": proof["payload"].replace("cam-39", "cam-40")},
        Flaw.PAYLOAD_CHANGED,
    ),
    "another salt": (_change(salt=base64.b64encode(bytes(32)).decode()), Flaw.PAYLOAD_CHANGED),
    "no salt": (_change(salt="?"), Flaw.PAYLOAD_MALFORMED),
    "another index": (_change(index=41), Flaw.ENTRY_MALFORMED),
    "another instant": (
        lambda proof: {**proof, "leaf": proof["leaf"].replace('"at_ns":"17', '"at_ns":"16')},
        Flaw.RECEIPT_PATH,
    ),
    "a shorter path": (lambda proof: {**proof, "path": proof["path"][1:]}, Flaw.RECEIPT_PATH),
    "a path of nonsense": (_change(path=["zz"]), Flaw.ENTRY_MALFORMED),
    "another root": (_change(checkpoint=KEY.sign(Checkpoint(ORIGIN, 600, bytes(32))).decode()), Flaw.RECEIPT_PATH),
    "another signer": (
        _change(checkpoint=STRANGER.sign(Checkpoint(ORIGIN, 600, bytes(32))).decode()),
        Flaw.CHECKPOINT_SIGNATURE,
    ),
    "no checkpoint": (_change(checkpoint=""), Flaw.CHECKPOINT_MALFORMED),
    "another format": (_change(format="x"), Flaw.ENTRY_MALFORMED),
    "nothing": (lambda _: {}, Flaw.CHECKPOINT_MALFORMED),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forged_proof_is_named(log: Built, name: str):
    forge, flaw = FORGERIES[name]
    report = verify_proof(forge(proof_from(log, 40)), log.key)
    assert [found.flaw for found in report.findings] == [flaw]


def test_a_receipt_proves_its_entry_by_itself(log: Built):
    receipt = log.receipts[40]
    proof = proof_from(log, receipt.index)
    assert receipt.to_json()["leaf_hash"] == receipt.leaf_hash.hex()
    assert receipt.at_ns == int(json.loads(proof["leaf"])["at_ns"])
    assert len(receipt.path) > 0


def test_a_proof_needs_an_entry(log: Built):
    with pytest.raises(IndexError):
        proof_of(log.folder, 600, 600, b"")


def test_the_wrong_key_proves_nothing(log: Built, tmp_path: Path):
    assert verify_proof(proof_from(log, 40), STRANGER.log_key.text()).findings[0].flaw is Flaw.CHECKPOINT_SIGNATURE
    assert verify_proof(proof_from(log, 40), "no key").findings[0].flaw is Flaw.KEY_MISMATCH
