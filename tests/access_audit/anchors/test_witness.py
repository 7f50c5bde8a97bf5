"""The independent witness: what it cosigns, what it refuses, and what it never forgets."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx
import pytest

from access_audit import layout
from access_audit.anchors.cosignatures import WitnessAddress
from access_audit.anchors.process import AnchorSettings
from access_audit.checkpoint import Checkpoint, SigningKey
from access_audit.handover import hand_over_details
from access_audit.ledger import Ledger
from access_audit.merkle import consistency_path, root, subtrees_of
from access_audit.verify import Report, Trust, verify_log
from access_audit.verify.notes import WITNESS_KEY, cosigned_at, read_key, read_note
from access_audit.witness.state import Reply, Witness
from tests.access_audit import built
from tests.access_audit.anchors.parties import anchoring, cause_of, until, witnessing
from tests.access_audit.built import KEY, STRANGER
from tests.access_audit.logs import ORIGIN
from tests.access_audit.test_faults import Fault, Killed, Saboteur
from vms.base.clock import NS_PER_SECOND, ManualClock
from vms.base.errors import VmsError

LEAVES = [bytes([number]) * 32 for number in range(40)]
FORK = [*LEAVES[:5], b"f" * 32, *LEAVES[6:]]
NAME = "temoin.test/1"


def note_of(size: int, leaves: list[bytes] = LEAVES, key: SigningKey = KEY) -> bytes:
    return key.sign(Checkpoint(ORIGIN, size, root(leaves[:size])))


def request(old: int, size: int, leaves: list[bytes] = LEAVES, **given: Any) -> bytes:
    path = consistency_path(old, size, subtrees_of(leaves)) if old <= size else []
    lines = [f"old {old}".encode(), *map(base64.b64encode, given.get("path", path)), b""]
    note: bytes = given.get("note", note_of(size, leaves))
    return b"".join(line + b"\n" for line in lines) + note


def open_witness(folder: Path, name: str = NAME) -> Witness:
    folder.mkdir(exist_ok=True)
    return Witness(folder, name, [KEY.log_key], ManualClock())


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    opened = open_witness(tmp_path / "witness")
    assert opened.add_checkpoint(request(0, 7)).status == 200
    return opened


def test_a_checkpoint_that_continues_the_log_is_cosigned(witness: Witness):
    """LAW-51: somebody else has seen the log only grow."""
    reply = witness.add_checkpoint(request(7, 21))
    assert reply.status == 200
    note = read_note(note_of(21) + reply.body)
    assert cosigned_at(note, witness.key) == ManualClock().utc_ns() // NS_PER_SECOND
    assert witness.add_checkpoint(request(21, 21)).status == 200


@pytest.mark.parametrize(
    ("body", "status", "told"),
    [
        (request(7, 21, FORK), 422, b""),
        (request(7, 7, FORK), 409, b""),
        (request(5, 6), 409, b"7\n"),
        (request(0, 21), 409, b"7\n"),
        (request(30, 21), 400, b""),
        (request(7, 21, path=[b"x" * 32] * 3), 422, b""),
        (request(7, 21, note=note_of(21, key=STRANGER)), 403, b""),
        (request(7, 21, note=note_of(21).replace(ORIGIN.encode(), b"other.test")), 404, b""),
        (request(7, 21).replace(b"old 7", b"old 07"), 400, b""),
        (request(7, 21, path=[b"x" * 32] * 64), 400, b""),
        (b"old 7\n", 400, b""),
        (b"", 400, b""),
        (bytes(range(256)) * 4, 400, b""),
    ],
    ids=[
        "fork", "fork of one size", "rollback", "stale", "beyond", "proof", "key", "origin", "zeroes", "lines", "cut",
        "empty", "noise",
    ],
)  # fmt: skip
def test_what_does_not_continue_it_is_refused(witness: Witness, body: bytes, status: int, told: bytes):
    """LAW-51: a fork or a log that was rolled back gets no cosignature, with the codes of C2SP tlog-witness."""
    reply = witness.add_checkpoint(body)
    assert reply.status == status
    if told:
        assert (reply.body, reply.kind) == (told, "text/x.tlog.size")
    assert "\u2014".encode() not in reply.body
    assert witness.add_checkpoint(request(7, 8)).status == 200


def test_a_fork_is_kept_as_evidence(witness: Witness, tmp_path: Path):
    witness.add_checkpoint(request(7, 21, FORK))
    witness.add_checkpoint(request(7, 21, FORK))
    (kept,) = (tmp_path / "witness" / "evidence").iterdir()
    assert kept.read_bytes() == note_of(21, FORK)


def test_what_was_seen_is_known_after_a_restart(witness: Witness, tmp_path: Path):
    again = open_witness(tmp_path / "witness", "another name")
    assert again.key == witness.key
    assert again.add_checkpoint(request(0, 21)).body == b"7\n"
    assert again.add_checkpoint(request(7, 21)).status == 200


@pytest.mark.parametrize("lost", ["state.json", "witness.key", "state cut"])
def test_a_witness_that_lost_its_state_does_not_start_over(witness: Witness, tmp_path: Path, lost: str):
    folder = tmp_path / "witness"
    if lost == "state cut":
        (folder / "state.json").write_bytes((folder / "state.json").read_bytes()[:100])
    elif lost == "witness.key":
        (folder / "witness.key").unlink()
    else:
        (folder / "state.json").unlink()
    with pytest.raises(VmsError) as refused:
        open_witness(folder)
    assert refused.value.code == "witness.state"
    assert "il ne sait plus ce qu'il a déjà signé" in refused.value.message


def test_a_key_that_others_can_read_is_refused(witness: Witness, tmp_path: Path):
    (tmp_path / "witness" / "witness.key").chmod(0o644)
    with pytest.raises(VmsError) as refused:
        open_witness(tmp_path / "witness")
    assert refused.value.code == "audit.key"
    assert "lisible par d'autres" in refused.value.message


def test_the_state_is_durable_before_the_answer(witness: Witness, tmp_path: Path):
    """Killed between the two: the log asks again from the size that it is told, and has its cosignature."""

    class Killed(BaseException):
        pass

    with patch.object(Witness, "_cosignature", side_effect=Killed), pytest.raises(Killed):
        witness.add_checkpoint(request(7, 21))
    again = open_witness(tmp_path / "witness")
    reply = again.add_checkpoint(request(7, 21))
    assert (reply.status, reply.body) == (409, b"21\n")
    assert again.add_checkpoint(request(21, 21)).status == 200


def test_a_disk_that_refuses_gives_no_cosignature(witness: Witness):
    with patch("vms.base.durable.write_atomic", side_effect=OSError(28, "full")), pytest.raises(OSError, match="full"):
        witness.add_checkpoint(request(7, 21))
    assert witness.add_checkpoint(request(7, 21)).status == 200


@pytest.mark.parametrize("fault", list(Fault))
def test_no_fault_makes_it_forget_what_it_signed(witness: Witness, tmp_path: Path, fault: Fault):
    """LAW-51: whichever call of the disk fails or is killed, a cosignature that was given is remembered."""
    start = tmp_path / "witness"

    def spoilt(folder: Path, saboteur: Saboteur) -> Reply | None:
        shutil.copytree(start, folder)
        opened = open_witness(folder)
        with saboteur.at_work(), suppress(Killed, OSError):
            return opened.add_checkpoint(request(7, 21))
        return None

    counted = Saboteur()
    assert spoilt(tmp_path / "counted", counted) is not None
    assert counted.calls >= 4
    for at in range(counted.calls):
        given = spoilt(tmp_path / f"{at}", Saboteur(at, fault))
        known = open_witness(tmp_path / f"{at}").add_checkpoint(request(0, 21))
        assert known.body in ({b"21\n"} if given is not None else {b"7\n", b"21\n"})
        again = open_witness(tmp_path / f"{at}")
        assert again.add_checkpoint(request(int(known.body), 21)).status == 200


def handing_over(index: int, old: SigningKey = KEY, new: SigningKey = STRANGER) -> bytes:
    details = hand_over_details(index, old, new)
    return json.dumps({"origin": ORIGIN, "hand_overs": [{"index": index, "details": details}]}).encode()


def test_a_new_key_is_followed_when_the_old_one_hands_over(witness: Witness, tmp_path: Path):
    signed = request(7, 21, note=note_of(21, key=STRANGER))
    assert witness.add_checkpoint(signed).status == 403
    assert witness.hand_over(handing_over(9, STRANGER, KEY)).body.decode().strip() == KEY.log_key.text()
    forged = json.loads(handing_over(9))
    forged["hand_overs"][0]["index"] = 10
    assert witness.hand_over(json.dumps(forged).encode()).body.decode().strip() == KEY.log_key.text()
    assert witness.hand_over(handing_over(9)).body.decode().strip() == STRANGER.log_key.text()
    again = open_witness(tmp_path / "witness")
    assert again.add_checkpoint(request(7, 21)).status == 403
    assert again.add_checkpoint(signed).status == 200
    assert again.hand_over(b"{}").status == 400
    assert again.hand_over(b'{"origin": "x", "hand_overs": []}').status == 404


def judge(folder: Path, trust: Trust) -> Report:
    return verify_log(folder, KEY.log_key.text(), trust=trust, workers=1)


def grow(folder: Path, count: int) -> None:
    clock = ManualClock()
    clock.step_utc(7_200)
    ledger = Ledger(folder, KEY, clock)
    built.record(ledger, built.looks(count))
    ledger.close()


def anchor_settings(folder: Path, address: WitnessAddress) -> AnchorSettings:
    return AnchorSettings(folder, witnesses=(address,), interval_s=0.05, poll_s=0.02, retry_first_s=0.02)


def cosigned(folder: Path, size: int) -> Callable[[], bool]:
    return (folder / layout.cosigned_path(size)).exists


def fork_of(source: Path, target: Path, count: int) -> Path:
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("anchors"))
    grow(target, count)
    return target


async def test_a_log_is_cosigned_as_it_grows_and_the_verifier_accepts_it(tmp_path: Path):
    """LAW-51, over HTTP: honest growth, then a fork and a log that was rolled back, each told as the alarm it is."""
    log = (await asyncio.to_thread(built.build, tmp_path / "log")).folder
    other = await asyncio.to_thread(fork_of, log, tmp_path / "fork", 3)
    before = await asyncio.to_thread(shutil.copytree, log, tmp_path / "before")
    async with witnessing(tmp_path / "witness", KEY.log_key) as witness:
        async with anchoring(anchor_settings(log, witness.address)):
            await until(cosigned(log, 600))
            await asyncio.to_thread(grow, log, 5)
            await until(cosigned(log, 605))
        report = await asyncio.to_thread(judge, log, Trust(None, [witness.address.key.text]))
        assert report.findings == []
        await asyncio.to_thread(grow, other, 20)
        async with anchoring(anchor_settings(other, witness.address)):
            await until(lambda: cause_of(other, "witnesses", NAME) == "inconsistent")
        async with anchoring(anchor_settings(before, witness.address)):
            await until(lambda: cause_of(before, "witnesses", NAME) == "ahead")
    assert not await asyncio.to_thread(
        lambda: [*(other / layout.COSIGNED).iterdir(), *(before / layout.COSIGNED).iterdir()]
    )


async def test_only_the_newest_checkpoint_waits_for_a_witness_that_is_away(tmp_path: Path):
    log = (await asyncio.to_thread(built.build, tmp_path / "log")).folder
    async with witnessing(tmp_path / "witness", KEY.log_key) as witness:
        address = witness.address
    async with anchoring(anchor_settings(log, address)):
        await until(lambda: cause_of(log, "witnesses", NAME) == "unreachable")
        await asyncio.to_thread(grow, log, 5)
        async with witnessing(tmp_path / "witness", KEY.log_key, port=witness.port):
            await until(cosigned(log, 605))
            await until(lambda: cause_of(log, "witnesses", NAME) == "")
    assert await asyncio.to_thread(lambda: [path.name for path in (log / layout.COSIGNED).iterdir()]) == ["605"]


async def test_the_witness_answers_http_as_the_protocol_says(tmp_path: Path):
    async with witnessing(tmp_path / "witness", KEY.log_key) as witness:
        base = f"http://127.0.0.1:{witness.port}"
        async with await asyncio.to_thread(httpx.AsyncClient) as client:
            vkey = (await client.get(base + "/")).text
            assert read_key(vkey, WITNESS_KEY) == witness.address.key
            answer = await client.post(base + "/add-checkpoint", content=request(0, 7))
            assert answer.status_code == 200
            again = await client.post(base + "/add-checkpoint", content=request(0, 7))
            assert (again.status_code, again.text) == (409, "7\n")
            assert again.headers["Content-Type"] == "text/x.tlog.size"
            assert (await client.get(base + "/add-checkpoint")).status_code == 405
            assert (await client.post(base + "/nowhere")).status_code == 404
            assert (await client.post(base + "/add-checkpoint", content=bytes(100_000))).status_code == 400
        reader, writer = await asyncio.open_connection("127.0.0.1", witness.port)
        writer.write(b"\x16\x03\x01 not HTTP\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 400")
        writer.close()


async def test_the_command_is_a_witness_that_kill_9_does_not_confuse(tmp_path: Path):
    """LAW-51: a process of its own, killed and started again, still knows what it has signed."""
    public = tmp_path / "log.pub"
    await asyncio.to_thread(public.write_text, KEY.log_key.text() + "\n")
    sizes = [(0, 7), (7, 21)]
    for old, size in sizes:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "vms.app.cli.main", "audit", "witness", "--folder", str(tmp_path / "w"),
            "--log-key", str(public), "--listen", "127.0.0.1:0", "--name", NAME, stdout=PIPE, stderr=DEVNULL,
        )  # fmt: skip
        assert process.stdout is not None
        async with asyncio.timeout(20):
            line = (await process.stdout.readline()).decode()
        port = line.rstrip(".\n").rpartition(" ")[2]
        assert NAME in line
        async with await asyncio.to_thread(httpx.AsyncClient) as client:
            answer = await client.post(f"http://127.0.0.1:{port}/add-checkpoint", content=request(old, size))
        process.kill()
        await process.wait()
        assert answer.status_code == 200
