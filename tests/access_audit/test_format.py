"""Bytes of entries: one value, one form; nothing outside the catalogue; nothing left after expiry."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from access_audit.checkpoint import CheckpointError, LogKey, open_note
from access_audit.events import CATALOGUE, AccessEvent, EventKind, Reason
from access_audit.format import (
    FormatError,
    Leaf,
    SpoolMark,
    StoredPayload,
    canonical,
    decode_bundle,
    decode_payloads,
    encode_bundle,
    encode_payloads,
    event_payload,
    leaf_bytes,
    parse_leaf,
    parse_payload,
)
from access_audit.verify import notes, reading
from access_audit.verify.scan import check_payload
from tests.access_audit.logs import look

FROM_GO = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
LEAVES = st.builds(
    Leaf,
    index=st.integers(0, 2**53 - 1),
    at_ns=st.integers(0, 2**62),
    commitment=st.binary(min_size=32, max_size=32),
    control=st.sampled_from(["", "log.started", "log.expired"]),
    spool=st.none()
    | st.builds(SpoolMark, st.just("spool-1"), st.integers(1, 2**40), st.binary(min_size=32, max_size=32)),
)


@given(LEAVES)
def test_a_leaf_has_one_canonical_form_that_both_readers_agree_on(leaf: Leaf):
    content = leaf_bytes(leaf)
    assert parse_leaf(content) == leaf
    assert canonical(json.loads(content)) == content
    again = reading.read_leaf(content)
    assert (again.index, again.at_ns, again.commitment, again.control) == (
        leaf.index,
        leaf.at_ns,
        leaf.commitment,
        leaf.control,
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace('"v":1', '"v":2'),
        lambda text: text.replace('{"at_ns"', '{ "at_ns"'),
        lambda text: text.replace('"v":1}', '"v":1,"w":0}'),
        lambda text: text.replace('"at_ns":"5"', '"at_ns":"05"'),
        lambda text: text[:-1],
        lambda _: "[]",
        lambda _: "",
        lambda _: "[" * 5000,
    ],
)
def test_a_leaf_in_any_other_form_is_refused_by_both_readers(change: Any):
    content = change(leaf_bytes(Leaf(1, 5, bytes(32))).decode()).encode()
    with pytest.raises(FormatError):
        parse_leaf(content)
    with pytest.raises(notes.Unreadable):
        reading.read_leaf(content)


def test_what_stays_after_expiry_names_nobody():
    """LAW-28: the leaf of a look holds no person, camera, commune, reason or act."""
    assert set(json.loads(leaf_bytes(Leaf(7, 5, bytes(32))))) == {"at_ns", "index", "payload", "v"}


def test_a_payload_always_holds_what_the_law_asks_for():
    """LAW-25: author, date and hour, reason, recipients."""
    content = json.loads(event_payload(look()))
    assert content["author"]["id"]
    assert content["author"]["name"]
    assert content["at_ns"].isdigit()
    assert content["reason"]["code"]
    assert content["recipients"] == ["per-1"]
    assert content["authority"] == "Maire d'Évreux"


@pytest.mark.parametrize("kind", list(EventKind))
def test_every_kind_survives_its_byte_form(kind: EventKind):
    details = dict.fromkeys(CATALOGUE[kind].details, "1")
    event = look(kind=kind, details=details, range_start_ns=5, range_end_ns=9, requisition="15127/00324/2026")
    payload = event_payload(event)
    assert parse_payload(payload) == event
    assert canonical(json.loads(payload)) == payload
    assert check_payload(payload, kind.value if kind.control else "")[0] == ""


@pytest.mark.parametrize(
    "added",
    [
        {"image": "…"},
        {"plate": "AB-123-CD"},
        {"details": {"plate": "AB-123-CD"}},
        {"kind": "face.matched"},
        {"at_ns": 5},
        {"author": {"id": "", "name": "x", "role": "operator"}},
        {"author": {"id": "p", "name": "x", "role": "operator", "face": "…"}},
        {"commune": "\u0007"},
        {"camera": "x" * 121},
        {"recipients": ["x"] * 17},
        {"range": {"start_ns": "9", "end_ns": "5"}},
    ],
)
def test_nothing_outside_the_catalogue_can_be_recorded(added: dict[str, Any]):
    """LAW-29: no image, no plate, no name of a filmed person has a place."""
    content = {**json.loads(event_payload(look())), **added}
    with pytest.raises(FormatError):
        parse_payload(canonical(content))


def test_a_reason_is_mandatory_and_short():
    """LAW-27."""
    with pytest.raises(ValueError, match="code"):
        Reason("")
    with pytest.raises(ValueError, match="200"):
        Reason("ronde", "x" * 201)


@given(st.binary(max_size=300))
def test_hostile_payloads_and_leaves_give_one_kind_of_error(content: bytes):
    for parse in (parse_payload, parse_leaf):
        with pytest.raises(FormatError):
            parse(content)


@pytest.mark.parametrize("value", [1.5, 2**53, {"é": 1}, {"a": object()}, "\ud800"])
def test_what_has_no_canonical_form_is_refused(value: Any):
    with pytest.raises(FormatError):
        canonical(value)


@given(st.lists(st.binary(max_size=400), max_size=20), st.data())
def test_bundles_come_back_as_they_were_and_a_cut_one_is_refused(leaves: list[bytes], data: st.DataObject):
    content = encode_bundle(leaves)
    assert decode_bundle(content) == leaves == reading.split_bundle(content)
    stored = [StoredPayload(bytes(32), leaf) if leaf else None for leaf in leaves]
    payloads = encode_payloads(stored)
    assert decode_payloads(payloads) == stored
    assert len(reading.split_payloads(payloads)) == len(stored)
    if content:
        cut = data.draw(st.integers(1, max(1, len(leaves[-1]) + 1)))
        with pytest.raises(FormatError):
            decode_bundle(content[:-cut])


def test_keys_are_those_of_other_implementations_of_signed_notes():
    """The example of golang.org/x/mod/sumdb/note."""
    key = LogKey.parse(FROM_GO)
    assert key.text() == FROM_GO
    text = b"If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
    line = "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
    again = notes.read_key(FROM_GO)
    assert again.text == FROM_GO
    assert notes._signed(notes.read_note(text + f"\n{line}\n".encode()), again)
    assert not notes._signed(notes.read_note(b"!" + text + f"\n{line}\n".encode()), again)


@pytest.mark.parametrize("text", ["", "a+b", "x+00000000+AAAA", FROM_GO.replace("c74f", "c74e"), "é +1+2"])
def test_what_is_no_key_is_refused(text: str):
    with pytest.raises(CheckpointError):
        LogKey.parse(text)
    with pytest.raises(notes.Unreadable):
        notes.read_key(text)


@given(st.binary(max_size=200) | st.just(b"a\n1\nAA==\n\n\xe2\x80\x94 PeterNeumann x\n"))
def test_hostile_notes_give_one_kind_of_error(note: bytes):
    with pytest.raises(CheckpointError):
        open_note(note, LogKey.parse(FROM_GO))
    with pytest.raises(notes.Unreadable):
        notes.read_head(note, notes.KeyChain((notes.read_key(FROM_GO),)))


def test_an_event_without_a_place_in_time_is_refused():
    with pytest.raises(ValueError, match="instant"):
        AccessEvent(EventKind.LIVE_OPENED, look().author, 0, Reason("ronde"))
