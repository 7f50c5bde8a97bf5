"""Several disks: each camera on one of them, a disk that dies or fills takes only its share, nothing is lost."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import itertools
import os
import shutil
import subprocess
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from recorder.contract.timeline import GapCause, Timeline
from recorder.recording.segment_writer import SegmentWriter
from recorder.retention.eraser import Eraser
from recorder.store import disk
from recorder.store.disk import Disk
from recorder.store.disks import Disks, retired_folders
from recorder.store.fsck import examine
from recorder.store.settings import StoreSettings
from recorder.store.store import SegmentStore
from recorder.store.verify import verify_stores
from tests.recorder.store.recordings import FOREVER_NS, dated, pictures
from vms.base import durable
from vms.base.clock import NS_PER_SECOND, ManualClock
from vms.base.errors import VmsError

START_NS = 1_767_225_600 * NS_PER_SECOND
CAMERAS = [f"cam-{number:026d}" for number in range(80)]


@contextlib.asynccontextmanager
async def running(place: Path, clock: ManualClock, names: str = "ab", **settings: object) -> AsyncIterator[Disks]:
    (place / "home").mkdir(parents=True, exist_ok=True)
    given = {"min_free_bytes": 0, **settings}
    stores = [StoreSettings(place / name, **given) for name in names]  # type: ignore[arg-type]
    disks = await Disks.open(place / "home", stores, clock)
    try:
        yield disks
    finally:
        await disks.close()


class Camera:
    """A camera that films without a pause, as far as its disks take it."""

    def __init__(self, disks: Disks, camera_id: str, clock: ManualClock) -> None:
        self.camera_id = camera_id
        self.writer = SegmentWriter(disks, camera_id, segment_seconds=4)
        self.units = dated(clock.utc_ns(), 10_000)
        self.begins_ns = clock.utc_ns()

    def film(self, seconds: float) -> None:
        self.begins_ns += round(seconds * NS_PER_SECOND)
        batch = []
        for unit in self.units:
            batch.append(unit)
            if unit.capture_utc_ns >= self.begins_ns:
                break
        self.writer.write(batch)


def of_disk(disks: Disks, name: str) -> str:
    return next(one for one in CAMERAS if folder_of(disks, one) == name)


def folder_of(disks: Disks, camera_id: str) -> str:
    store = disks.store_for(camera_id)
    assert store is not None
    return store.settings.folder.name


def store_at(disks: Disks, name: str) -> SegmentStore:
    return next(store for store in disks.stores if store.settings.folder.name == name)


@contextlib.contextmanager
def refusing(folder: Path, code: int) -> Iterator[None]:
    """Every write and sync under a folder fails, as those of a disk that is gone or full."""
    real_write, real_open, real_atomic = durable.write_all, durable.sync_folder, durable.write_atomic

    def refuse(where: str) -> None:
        if where.startswith(f"{folder}/"):
            raise OSError(code, os.strerror(code), where)

    def write(descriptor: int, chunks: object) -> int:
        refuse(os.readlink(f"/proc/self/fd/{descriptor}"))
        return real_write(descriptor, chunks)  # type: ignore[arg-type]

    def sync(path: Path) -> None:
        refuse(f"{path}/")
        real_open(path)

    def atomic(path: Path, content: bytes, mode: int = 0o640) -> None:
        refuse(str(path))
        real_atomic(path, content, mode)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(durable, "write_all", write)
        patch.setattr(durable, "sync_folder", sync)
        patch.setattr(durable, "write_atomic", atomic)
        yield


async def until(clock: ManualClock, wanted: Callable[[], bool], step_s: float = 1.0) -> None:
    async with asyncio.timeout(20):
        while not wanted():
            await clock.advance(step_s)
            await asyncio.sleep(0.01)


async def settled(disks: Disks) -> None:
    for store in disks.stores:
        with contextlib.suppress(VmsError):
            await store.disk.run(lambda: None)


async def line(disks: Disks, camera_id: str) -> Timeline:
    return await disks.timeline(camera_id, 0, FOREVER_NS)


def causes(timeline: Timeline) -> list[tuple[str, str, bool]]:
    return [(gap.cause, gap.detail, gap.end_ns is None) for gap in timeline.gaps]


def check_every_second(timeline: Timeline) -> None:
    """What is recorded and what is explained follow each other without a hole."""
    spans = [(one.start_ns, one.end_ns) for one in timeline.spans]
    whole: list[tuple[int, int | None]] = sorted([*spans, *((one.start_ns, one.end_ns) for one in timeline.gaps)])
    for (_, end_ns), (start_ns, _) in itertools.pairwise(whole):
        assert end_ns is not None
        assert abs(start_ns - end_ns) <= NS_PER_SECOND // 2


def test_a_disk_more_or_less_moves_only_its_own_share():
    clock = ManualClock()
    disks = [Disk(StoreSettings(Path("/mnt") / name), clock) for name in "abc"]
    cameras = [f"cam-{number}" for number in range(600)]

    def first(camera: str, among: list[Disk]) -> Disk:
        return max(among, key=lambda disk: disk.score(camera))

    of_three = {camera: first(camera, disks) for camera in cameras}
    of_two = {camera: first(camera, disks[:2]) for camera in cameras}
    assert all(of_two[camera] is of_three[camera] for camera in cameras if of_three[camera] is not disks[2])
    assert all(150 < list(of_three.values()).count(disk) < 250 for disk in disks)
    disks[0]._weight = 2
    heavier = [first(camera, disks) for camera in cameras]
    assert 240 < heavier.count(disks[0]) < 360


@pytest.mark.parametrize(
    ("code", "detail"), [(errno.EIO, "disk_error"), (errno.EROFS, "disk_error"), (errno.ENOSPC, "disk_full")]
)
async def test_a_disk_that_dies_takes_only_its_share_and_takes_it_back(tmp_path: Path, code: int, detail: str):
    """LAW-08: its cameras go on elsewhere with a stated gap; what it holds is found again when it is back."""
    clock = ManualClock(START_NS)
    async with running(tmp_path, clock) as disks:
        hit, spared = Camera(disks, of_disk(disks, "a"), clock), Camera(disks, of_disk(disks, "b"), clock)
        for _ in range(3):
            hit.film(3)
            spared.film(3)
            await settled(disks)
        with refusing(tmp_path / "a", code):
            for _ in range(6):
                hit.film(3)
                spared.film(3)
                await settled(disks)
            assert [state.cause for state in disks.states()] == [detail, ""]
            assert folder_of(disks, hit.camera_id) == "b"
        during = await line(disks, hit.camera_id)
        assert (GapCause.DISK, detail, False) in causes(during)
        await until(clock, lambda: disks.complete)
        for _ in range(4):
            hit.film(3)
            spared.film(3)
            await settled(disks)
        assert folder_of(disks, hit.camera_id) == "a"
        await hit.writer.close()
        await spared.writer.close()
        after, untouched = await line(disks, hit.camera_id), await line(disks, spared.camera_id)
        held = await disks.segments_between(hit.camera_id, 0, FOREVER_NS)
    assert set(causes(after)) == {(GapCause.DISK, detail, False)}
    assert sum((gap.end_ns or 0) - gap.start_ns for gap in after.gaps) < 9 * NS_PER_SECOND
    check_every_second(after)
    assert untouched.gaps == ()
    assert len(untouched.spans) == 1
    assert [one.start_ns for one in held] == sorted(one.start_ns for one in held)
    for name in "ab":
        assert (await asyncio.to_thread(examine, tmp_path / name)).findings == ()
        assert await asyncio.to_thread(pictures, tmp_path / name) > 50
    assert (await asyncio.to_thread(verify_stores, [tmp_path / "a", tmp_path / "b"])).findings == []


async def test_a_disk_that_hangs_is_left_and_comes_back_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(disk, "HUNG_AFTER_S", 0.2)
    clock = ManualClock(START_NS)
    async with running(tmp_path, clock) as disks:
        hit = Camera(disks, of_disk(disks, "a"), clock)
        hit.film(6)
        await settled(disks)
        release = threading.Event()
        store_at(disks, "a").disk.put(release.wait)
        hit.film(3)
        await until(clock, lambda: not all(not state.cause for state in disks.states()))
        assert [state.cause for state in disks.states()] == ["disk_hung", ""]
        hit.film(6)
        await store_at(disks, "b").disk.run(lambda: None)
        during = await line(disks, hit.camera_id)
        assert (GapCause.DISK, "disk_hung") in {(cause, detail) for cause, detail, _ in causes(during)}
        release.set()
        await until(clock, lambda: disks.complete)
        hit.film(6)
        await hit.writer.close()
        after = await line(disks, hit.camera_id)
    assert {(cause, detail) for cause, detail, _ in causes(after)} <= {(GapCause.DISK, "disk_hung")}
    check_every_second(after)
    for name in "ab":
        assert (await asyncio.to_thread(examine, tmp_path / name)).findings == ()


async def test_a_shard_starts_without_one_of_its_disks_and_takes_it_up_later(tmp_path: Path):
    """The mount point is bare: nothing is recorded into it, and what was there is found when it is mounted again."""
    clock = ManualClock(START_NS)
    async with running(tmp_path, clock) as disks:
        camera = Camera(disks, of_disk(disks, "a"), clock)
        camera.film(6)
        await camera.writer.close()
    await clock.advance(60)
    await asyncio.to_thread(shutil.move, tmp_path / "a", tmp_path / "unmounted")
    (tmp_path / "a").mkdir()
    async with running(tmp_path, clock) as disks:
        assert [state.cause for state in disks.states()] == ["disk_missing", ""]
        again = Camera(disks, camera.camera_id, clock)
        again.film(6)
        await settled(disks)
        assert not (tmp_path / "a" / "index.sqlite").exists()
        (tmp_path / "a").rmdir()
        await asyncio.to_thread(shutil.move, tmp_path / "unmounted", tmp_path / "a")
        await until(clock, lambda: disks.complete)
        again.film(6)
        await again.writer.close()
        assert len({one.segment_id for one in await disks.segments_between(camera.camera_id, 0, FOREVER_NS)}) >= 3
        after = await line(disks, camera.camera_id)
        assert folder_of(disks, camera.camera_id) == "a"
    assert len(after.spans) == 2
    assert await asyncio.to_thread(lambda: len(list((tmp_path / "b" / "media").rglob("*.mp4")))) >= 1


async def test_no_disk_at_all_and_a_wrong_clock_keep_the_shard_from_starting(tmp_path: Path):
    clock = ManualClock(START_NS)
    async with running(tmp_path, clock) as disks:
        camera = Camera(disks, of_disk(disks, "a"), clock)
        camera.film(6)
        await camera.writer.close()
        with pytest.raises(VmsError) as refused:
            async with running(tmp_path, clock):
                pass
        assert refused.value.code == "folder.in_use"
    clock.step_utc(-86_400)
    with pytest.raises(VmsError) as refused:
        async with running(tmp_path, clock):
            pass
    assert refused.value.code == "store.clock_behind"
    clock.step_utc(86_400)
    for name in "ab":
        await asyncio.to_thread(shutil.rmtree, tmp_path / name)
    with pytest.raises(VmsError) as refused:
        async with running(tmp_path, clock):
            pass
    assert refused.value.code == "store.disk_missing"


async def test_a_gap_goes_along_when_its_disk_is_left(tmp_path: Path):
    """The link was down before the disk died: the missing time keeps both causes."""
    clock = ManualClock(START_NS)
    async with running(tmp_path, clock) as disks:
        down, filming = CAMERAS[0], CAMERAS[0]
        down = of_disk(disks, "a")
        filming = next(one for one in CAMERAS if folder_of(disks, one) == "a" and one != down)
        first, other = Camera(disks, down, clock), Camera(disks, filming, clock)
        first.film(6)
        other.film(6)
        await first.writer.close()
        disks.record_gap(down, first.begins_ns, GapCause.LINK, "unreachable")
        await settled(disks)
        with refusing(tmp_path / "a", errno.EIO):
            for _ in range(3):
                other.film(3)
                await settled(disks)
            assert folder_of(disks, down) == "b"
            clock.step_utc(20)
            later = Camera(disks, down, clock)
            later.film(6)
            await settled(disks)
        await until(clock, lambda: disks.complete)
        await later.writer.close()
        await other.writer.close()
        timeline = await line(disks, down)
    assert causes(timeline) == [(GapCause.LINK, "unreachable", False)]
    check_every_second(timeline)


async def test_a_restart_explains_each_camera_once(tmp_path: Path):
    clock = ManualClock(START_NS)
    async with running(tmp_path, clock) as disks:
        cameras = [Camera(disks, one, clock) for one in CAMERAS[:6]]
        for camera in cameras:
            camera.film(6)
            await camera.writer.close()
    await clock.advance(60)
    async with running(tmp_path, clock, names="abc") as disks:
        cameras = [Camera(disks, one, clock) for one in CAMERAS[:6]]
        for camera in cameras:
            camera.film(6)
            await camera.writer.close()
        moved = {folder_of(disks, camera.camera_id) for camera in cameras}
        for camera in cameras:
            timeline = await line(disks, camera.camera_id)
            assert causes(timeline) == [(GapCause.MAINTENANCE, "stopped", False)]
            check_every_second(timeline)
    assert moved <= {"a", "b", "c"}


async def test_a_disk_that_the_settings_name_no_more_is_read_and_erased_and_not_recorded_on(tmp_path: Path):
    """LAW-06: footage does not outlive its days because its disk was taken out of the settings."""
    clock = ManualClock(START_NS)
    async with running(tmp_path, clock) as disks:
        camera = Camera(disks, of_disk(disks, "a"), clock)
        disks.set_retention(camera.camera_id, 1)
        camera.film(6)
        await camera.writer.close()
    assert await asyncio.to_thread(retired_folders, tmp_path / "home", [tmp_path / "b"]) == [tmp_path / "a"]
    async with running(tmp_path, clock, names="b") as disks:
        assert folder_of(disks, camera.camera_id) == "b"
        assert len((await line(disks, camera.camera_id)).spans) == 1
        disks.beside("erasure", lambda store: Eraser(store, clock).run())
        await until(clock, lambda: not list((tmp_path / "a" / "media").rglob("*.mp4")), step_s=3_600.0)
    assert list((tmp_path / "a" / "media").rglob("*.mp4")) == []


def _mount(place: Path, size: str) -> bool:
    place.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", place], check=False, capture_output=True
    )
    return done.returncode == 0


def _unmount(place: Path) -> None:
    subprocess.run(["umount", "-l", place], check=True)


async def test_a_disk_that_fills_to_the_last_byte_hands_its_cameras_over(tmp_path: Path):
    """A real file system of 2 MB where the machine allows one, otherwise every write refused with ENOSPC."""
    clock = ManualClock(START_NS)
    mounted = await asyncio.to_thread(_mount, tmp_path / "a", "2m")
    try:
        async with running(tmp_path, clock) as disks:
            hit = Camera(disks, of_disk(disks, "a"), clock)
            hit.film(3)
            await settled(disks)
            with contextlib.nullcontext() if mounted else refusing(tmp_path / "a", errno.ENOSPC):
                for _ in range(40):
                    hit.film(3)
                    await settled(disks)
                    if folder_of(disks, hit.camera_id) == "b":
                        break
                assert disks.states()[0].cause == "disk_full"
                hit.film(6)
                await settled(disks)
                timeline = await line(disks, hit.camera_id)
                assert (GapCause.DISK, "disk_full", False) in causes(timeline)
                check_every_second(timeline)
                await hit.writer.close()
                assert await asyncio.to_thread(pictures, tmp_path / "b") > 20
    finally:
        if mounted:
            await asyncio.to_thread(_unmount, tmp_path / "a")
