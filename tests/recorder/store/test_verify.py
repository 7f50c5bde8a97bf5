"""Whatever is changed in what was recorded is found, with camera, segment and instant; what is lawful is not."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from recorder.node.seals import read_seals
from recorder.recording.segment_writer import SegmentWriter
from recorder.store.schema import packed_id
from recorder.store.sealing import HOUR_NS, SealBook, SealedErasure
from recorder.store.verify import Finding, Scope, Verification, verify_stores
from tests.recorder.store.recordings import dated, open_store, record_seconds
from tests.recorder.store.sealed import CAMERAS, START_NS, Sealed, build
from vms.app.cli import recorder_proof
from vms.app.cli.recorder import app as recorder_command
from vms.base.clock import NS_PER_SECOND
from vms.base.errors import VmsError

CAMERA = CAMERAS[0]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Sealed:
    return asyncio.run(build(tmp_path_factory.mktemp("sealed")))


@pytest.fixture
def node(whole: Sealed, tmp_path: Path) -> Sealed:
    return whole.copied(tmp_path / "node")


def judged(node: Sealed, *, sealed: bool = True, **scope: object) -> Verification:
    seals = read_seals(node.log) if sealed else None
    return verify_stores(node.stores, seals, Scope(**scope))  # type: ignore[arg-type]


def flip(path: Path, place: int = -2_000) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


def test_what_nobody_touched_is_whole(whole: Sealed):
    """LAW-40: index, files, chain and seals agree; the last hour is not sealed yet, and that is said."""
    result = judged(whole)
    assert result.findings == []
    assert (result.cameras, result.segments, result.seals) == (2, 24, 4)
    assert result.notes == {"chain_start": 2, "unsealed": 8}


def one_bit(node: Sealed) -> None:
    flip(node.file(5))


def one_bit_and_its_row(node: Sealed) -> None:
    flip(node.file(5))
    node.change_row(5, digest=_digest(node.file(5)))


def a_missing_file(node: Sealed) -> None:
    node.file(5).unlink()


def a_missing_segment(node: Sealed) -> None:
    node.drop(5)


def a_missing_hour(node: Sealed) -> None:
    for _ in range(4):
        node.drop(0)


def a_missing_end(node: Sealed) -> None:
    for _ in range(8):
        node.drop(4)


def a_swapped_pair(node: Sealed) -> None:
    first, second = node.file(5), node.file(6)
    shutil.move(first, node.place / "kept")
    shutil.move(second, first)
    shutil.move(node.place / "kept", second)


def a_swapped_pair_in_the_index(node: Sealed) -> None:
    starts = [segment.start_ns for _, segment in node.segments()]
    ends = [segment.end_ns for _, segment in node.segments()]
    first, second = node.file(5), node.file(6)
    node.change_row(5, start_ns=starts[6] + 1, end_ns=ends[6] + 1)
    assert first.exists()
    assert second.exists()


def a_cut_tail(node: Sealed) -> None:
    path = node.file(5)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) - 700])


def a_cut_tail_and_its_row(node: Sealed) -> None:
    a_cut_tail(node)
    node.change_row(5, digest=_digest(node.file(5)), size_bytes=node.file(5).stat().st_size)


def a_longer_file(node: Sealed) -> None:
    path = node.file(5)
    path.write_bytes(path.read_bytes() + b"\0\0\0\x08free")


def another_hour_in_the_index(node: Sealed) -> None:
    _, segment = node.segments()[5]
    node.change_row(5, end_ns=segment.end_ns + 1)


def another_clock_in_the_index(node: Sealed) -> None:
    node.change_row(5, time_source="sender_report", camera_offset_ms=-3, camera_clock="sender_report")


def an_unknown_file(node: Sealed) -> None:
    path = node.file(5)
    shutil.copy(path, path.with_name("seg-00000000000000000000000000.mp4"))


def another_camera(node: Sealed) -> None:
    """A segment is given to the other camera, in the index and in its folder."""
    store, segment = node.segments()[5]
    node.execute(store, "INSERT OR IGNORE INTO camera (camera_id) VALUES (?)", CAMERAS[1])
    number = "(SELECT number FROM camera WHERE camera_id = ?)"
    packed = packed_id(segment.segment_id)
    node.execute(store, f"UPDATE segment SET camera = {number} WHERE id = ?", CAMERAS[1], packed)
    target = Path(str(store / segment.file).replace(CAMERA, CAMERAS[1]))
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(store / segment.file, target)


def an_older_file_in_its_place(node: Sealed) -> None:
    shutil.copy(node.file(4), node.file(5))


def nothing_but_zeroes(node: Sealed) -> None:
    node.file(5).write_bytes(bytes(node.file(5).stat().st_size))


def a_forged_oldest_erasure(node: Sealed) -> None:
    """The oldest two segments are taken away as retention would, before their time, without any entry."""
    node.drop(0)
    node.drop(0)


def _digest(path: Path) -> bytes:
    from recorder.store.salvage import digest_of

    return digest_of(path)


@dataclass(frozen=True, slots=True)
class Tamper:
    change: Callable[[Sealed], None]
    kinds: set[str]
    segment: int | None = 5
    camera_id: str = CAMERA


TAMPERS = [
    Tamper(one_bit, {"altered"}),
    Tamper(one_bit_and_its_row, {"missing_segment", "seal_broken"}, 6),
    Tamper(a_missing_file, {"missing_file"}),
    Tamper(a_missing_segment, {"missing_segment", "missing_sealed"}, 6),
    Tamper(a_missing_hour, {"missing_sealed"}, None),
    Tamper(a_missing_end, {"missing_sealed"}, None),
    Tamper(a_swapped_pair, {"exchanged"}),
    Tamper(a_swapped_pair_in_the_index, {"index_altered", "missing_segment", "missing_file", "seal_broken"}, None),
    Tamper(a_cut_tail, {"truncated"}),
    Tamper(a_cut_tail_and_its_row, {"missing_segment", "seal_broken", "index_altered"}, 6),
    Tamper(a_longer_file, {"wrong_size"}),
    Tamper(another_hour_in_the_index, {"index_altered"}),
    Tamper(another_clock_in_the_index, {"index_altered"}),
    Tamper(an_unknown_file, {"unknown_file"}, None),
    Tamper(another_camera, {"index_altered", "missing_segment", "missing_sealed", "seal_broken"}, None),
    Tamper(an_older_file_in_its_place, {"exchanged"}),
    Tamper(nothing_but_zeroes, {"altered"}),
    Tamper(a_forged_oldest_erasure, {"missing_sealed"}, None),
]


@pytest.mark.parametrize("tamper", TAMPERS, ids=lambda one: one.change.__name__)
def test_a_tamper_is_found_and_named(node: Sealed, tamper: Tamper):
    """LAW-14, LAW-40: camera, segment and instant of every change."""
    before = [segment for _, segment in node.segments()]
    tamper.change(node)
    result = judged(node)
    found = {finding.kind for finding in result.findings}
    assert found, "nothing was found"
    assert found <= tamper.kinds
    if tamper.segment is not None:
        named = before[tamper.segment]
        assert any(_names(finding, named.segment_id, named.start_ns) for finding in result.findings)
    assert all(finding.camera_id in CAMERAS for finding in result.findings)
    assert all(finding.start_ns < finding.end_ns for finding in result.findings if finding.kind != "unknown_file")


def _names(finding: Finding, segment_id: str, start_ns: int) -> bool:
    return finding.segment_id == segment_id and finding.start_ns <= start_ns


def test_a_pair_of_swapped_files_is_named_twice(node: Sealed):
    a_swapped_pair(node)
    found = judged(node).findings
    names = [segment.segment_id for _, segment in node.segments()]
    assert [(one.kind, one.segment_id) for one in found] == [("exchanged", names[5]), ("exchanged", names[6])]
    assert names[6] in found[0].detail


def test_without_the_log_a_missing_end_stays_unseen_and_the_chain_still_speaks(node: Sealed):
    node.drop(11)
    assert judged(node, sealed=False).findings == []
    node.drop(5)
    assert {one.kind for one in judged(node, sealed=False).findings} == {"missing_segment"}


def test_without_reading_the_content_the_index_is_still_compared(node: Sealed):
    one_bit(node)
    assert judged(node, content=False).findings == []
    a_longer_file(node)
    assert {one.kind for one in judged(node, content=False).findings} == {"wrong_size"}


def test_a_range_and_a_camera_limit_what_is_looked_at(node: Sealed):
    one_bit(node)
    assert judged(node, cameras=frozenset({CAMERAS[1]})).findings == []
    assert judged(node, until_ns=START_NS + HOUR_NS).findings == []
    (found,) = judged(node, since_ns=START_NS + HOUR_NS, until_ns=START_NS + 2 * HOUR_NS).findings
    assert found.kind == "altered"


def test_what_was_lawfully_erased_is_noted_and_not_found(node: Sealed):
    """LAW-06, LAW-09: the oldest segments are gone, and the log says so."""
    for _ in range(4):
        node.drop(0)
    seals = read_seals(node.log)
    erased = SealedErasure(CAMERA, START_NS, START_NS + HOUR_NS, 4, "retention", 99)
    book = SealBook(seals.seals, {CAMERA: (erased,)}, seals.entries)
    result = verify_stores(node.stores, book)
    assert result.findings == []
    assert result.notes["erased"] == 5


def test_what_is_erased_and_not_told_yet_is_known_from_the_index(node: Sealed):
    for _ in range(2):
        store, segment = node.segments()[0]
        gone = node.drop(0)
        node.execute(
            store,
            "INSERT INTO erased SELECT number, ?, ?, ?, ?, ?, 'retention', 0 FROM camera WHERE camera_id = ?",
            *(gone.start_ns, packed_id(gone.segment_id), gone.end_ns, gone.size_bytes, segment.digest, CAMERA),
        )
    assert judged(node).findings == []


def test_a_disk_that_is_away_is_said_and_accuses_nobody(node: Sealed):
    stores = {store.name for store, _ in node.segments()}
    (name,) = stores
    shutil.rmtree(node.place / name)
    result = judged(node)
    assert result.findings == []
    assert result.notes["disk_away"] == 1


def test_a_log_that_was_changed_proves_nothing(node: Sealed):
    path = next((node.log / "payload").rglob("000"))
    content = path.read_bytes()
    path.write_bytes(content.replace(b'"segments":"4"', b'"segments":"3"', 1))
    with pytest.raises(VmsError) as refused:
        read_seals(node.log)
    assert refused.value.code == "audit.tampered"
    shutil.rmtree(node.log)
    with pytest.raises(VmsError) as refused:
        read_seals(node.log)
    assert refused.value.code == "audit.no_log"


def test_nothing_is_written(node: Sealed):
    def state() -> dict[str, tuple[int, int]]:
        return {
            str(path): (path.stat().st_size, path.stat().st_mtime_ns)
            for path in node.place.rglob("*")
            if path.is_file() and path.suffix not in {".sqlite-shm", ".sqlite-wal"}
        }

    before = state()
    judged(node)
    after = state()
    assert {name: told for name, told in after.items() if not name.endswith(("-wal", "-shm"))} == {
        name: told for name, told in before.items() if not name.endswith(("-wal", "-shm"))
    }


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands in this process leave the logs of the tests alone."""
    monkeypatch.setattr(recorder_proof, "configure_logging", lambda *_, **__: None)


def run(arguments: list[str]) -> Result:
    return CliRunner().invoke(recorder_command, arguments)


def installed(node: Sealed) -> list[str]:
    """The node laid out as an installation with two disks."""
    (node.place / "node" / "shard-0").mkdir(parents=True)
    for store in node.stores:
        (node.place / (store.name * 2)).mkdir()
        shutil.move(store, node.place / (store.name * 2) / "shard-0")
    shutil.move(node.log, node.place / "audit")
    disks = ", ".join(f'"{node.place / (store.name * 2)}"' for store in node.stores)
    config = node.place / "vms.toml"
    config.write_text(f'data = "{node.place}"\n[recorder]\ndisks = [{disks}]\n')
    return ["--config", str(config)]


def test_the_command_tells_in_french_and_in_json(node: Sealed, quiet: None):
    where = installed(node)
    whole = run(["verify", *where])
    assert whole.exit_code == 0, whole.output
    assert "Tout est là, entier, dans l'ordre et conforme aux scellés." in whole.stdout
    (path, *_) = sorted((node.place / "aa").rglob("*.mp4")) or sorted((node.place / "bb").rglob("*.mp4"))
    flip(path)
    changed = run(["verify", *where])
    assert changed.exit_code == 8
    assert f"{path.stem}" in changed.stdout
    assert "contenu modifié depuis l'enregistrement" in changed.stdout
    told = json.loads(run(["verify", *where, "--json"]).stdout)
    assert [finding["kind"] for finding in told["findings"]] == ["altered"]
    assert run(["verify", *where, "--json", "--to", "2020-01-01"]).exit_code == 0


def test_the_times_of_each_camera_and_day_are_told(node: Sealed, quiet: None):
    """LAW-39: source, largest offset and drift by camera and day."""
    for place, offset_ms in enumerate((120, 180, -40)):
        node.change_row(place, camera_offset_ms=offset_ms, camera_clock="sender_report")
    told = json.loads(run(["times", *installed(node), "--json", "--camera", CAMERA]).stdout)
    (day,) = told
    assert (day["day"], day["segments"], day["measured"]) == ("2026-01-01", 12, 3)
    assert (day["largest_offset_ms"], day["drift_ms"], day["uncertainty_ms"]) == (180, -160, 20)
    assert (day["dated_by"], day["camera_clock"]) == (["arrival"], ["sender_report"])


def test_what_is_erased_while_it_is_verified_is_no_finding(node: Sealed):
    dropped: list[int] = []

    def erase(done: int, total: int) -> None:
        if not dropped:
            dropped.append(total - done)
            node.drop(9)

    assert verify_stores(node.stores, read_seals(node.log), progress=erase).findings == []
    assert dropped == [23]


async def test_a_store_is_verified_while_it_records(tmp_path: Path):
    """Nothing waits: the segment that grows is left alone, and what is closed meanwhile belongs to the next time."""
    async with open_store(tmp_path) as store:
        await record_seconds(store, seconds=4, segment_seconds=2)
        writer = SegmentWriter(store, CAMERA, segment_seconds=2)
        writer.write(list(dated(store.clock.utc_ns() + NS_PER_SECOND, 5, run=2)))
        await store.disk.run(lambda: None)
        result = await asyncio.to_thread(verify_stores, [tmp_path])
        await writer.close()
        again = await asyncio.to_thread(verify_stores, [tmp_path])
    assert result.findings == again.findings == []
    assert again.segments == result.segments + 1
