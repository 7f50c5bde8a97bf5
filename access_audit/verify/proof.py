"""The judge of one proof file: that an entry is in the log, with nothing but the file and the public key.

1. Key: the key given is well-formed; with the log at hand, the keys before and after it are followed.
2. Checkpoint: the note in the file is signed by that key.
3. Proof: the leaf stands at its index, and the path leads from it to the root of the checkpoint (RFC 6962).
4. Payload: the content and its salt are what the leaf commits to; or the content has expired, and the file says so.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from access_audit.verify.handovers import find_hand_overs, follow
from access_audit.verify.notes import Head, KeyChain, Unreadable, WrongSignature, read_head, read_key
from access_audit.verify.reading import Leaf, commitment, leaf_hash, read_leaf, root_of_path
from access_audit.verify.report import Flaw, Report, Step
from access_audit.verify.scan import check_payload

FORMAT = "vms-departemental/audit-proof/v1"


def verify_proof(proof: Mapping[str, Any], public_key: str, folder: Path | None = None) -> Report:
    """Judge a proof file by the key of a vkey line. Never raises on what the file holds.

    `folder` is the log, where it is at hand: a proof that another of its keys has signed then holds too.
    """
    report = Report()
    steps = [Step(number, name) for number, name in enumerate(("key", "checkpoint", "proof", "payload"), 1)]
    report.steps = steps
    keys = _judge_key(steps[0], public_key, folder)
    head = _judge_checkpoint(steps[1], proof, keys)
    leaf = _judge_path(steps[2], proof, head)
    _judge_payload(steps[3], proof, leaf)
    if keys is not None:
        report.origin = keys.name
    if head is not None:
        report.size, report.root = head.size, head.root.hex()
    return report


def _judge_key(step: Step, public_key: str, folder: Path | None) -> KeyChain | None:
    try:
        key = read_key(public_key)
    except Unreadable as wrong:
        step.fail(Flaw.KEY_MISMATCH, detail=str(wrong))
        return None
    return KeyChain((key,)) if folder is None else follow(step, key, find_hand_overs(folder, ()))


def _judge_checkpoint(step: Step, proof: Mapping[str, Any], keys: KeyChain | None) -> Head | None:
    if keys is None:
        step.skip("unreadable")
        return None
    try:
        return read_head(str(proof.get("checkpoint", "")).encode("utf-8", "replace"), keys)
    except WrongSignature as wrong:
        step.fail(Flaw.CHECKPOINT_SIGNATURE, detail=str(wrong))
    except Unreadable as wrong:
        step.fail(Flaw.CHECKPOINT_MALFORMED, detail=str(wrong))
    return None


def _judge_path(step: Step, proof: Mapping[str, Any], head: Head | None) -> Leaf | None:
    if head is None:
        step.skip("unreadable")
        return None
    index = proof.get("index")
    where = index if isinstance(index, int) else None
    try:
        if proof.get("format") != FORMAT:
            raise Unreadable("another format")
        content = str(proof["leaf"]).encode("utf-8", "replace")
        leaf = read_leaf(content)
        path = [bytes.fromhex(part) for part in proof["path"]]
        if leaf.index != index:
            raise Unreadable(f"the entry says that it is {leaf.index}")
    except (KeyError, TypeError, ValueError) as wrong:
        step.fail(Flaw.ENTRY_MALFORMED, where, str(wrong))
        return None
    try:
        leads_there = root_of_path(leaf.index, head.size, leaf_hash(content), path) == head.root
    except Unreadable:
        leads_there = False
    if not leads_there:
        step.fail(Flaw.RECEIPT_PATH, where)
        return None
    return leaf


def _judge_payload(step: Step, proof: Mapping[str, Any], leaf: Leaf | None) -> None:
    if leaf is None:
        step.skip("unreadable")
        return
    if "payload" not in proof:
        step.note("erased", 1)
        return
    try:
        payload = str(proof["payload"]).encode("utf-8", "replace")
        salt = base64.b64decode(proof["salt"], validate=True)
    except (KeyError, TypeError, ValueError) as wrong:
        step.fail(Flaw.PAYLOAD_MALFORMED, leaf.index, str(wrong))
        return
    if commitment(salt, payload) != leaf.commitment:
        step.fail(Flaw.PAYLOAD_CHANGED, leaf.index)
        return
    problem, _ = check_payload(payload, leaf.control)
    if problem:
        step.fail(Flaw.PAYLOAD_CATALOGUE, leaf.index, problem)
