from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vms.base import durable
from vms.base.errors import ErrorKind, VmsError


def test_a_failed_replacement_leaves_the_old_content_and_no_litter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    target = tmp_path / "state.json"
    durable.write_atomic(target, b"old")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "disk full")

    monkeypatch.setattr(durable, "sync_file", full)
    with pytest.raises(OSError, match="disk full"):
        durable.write_atomic(target, b"new")
    assert target.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["state.json"]


def test_publishing_never_replaces(tmp_path: Path):
    (tmp_path / "open").write_bytes(b"new")
    (tmp_path / "final").write_bytes(b"old")
    with pytest.raises(FileExistsError):
        durable.publish(tmp_path / "open", tmp_path / "final")
    assert (tmp_path / "final").read_bytes() == b"old"
    assert (tmp_path / "open").read_bytes() == b"new"


def test_publishing_moves_across_folders(tmp_path: Path):
    durable.make_folder(tmp_path / "a" / "b")
    (tmp_path / "open").write_bytes(b"new")
    durable.publish(tmp_path / "open", tmp_path / "a" / "b" / "final")
    assert (tmp_path / "a" / "b" / "final").read_bytes() == b"new"
    assert not (tmp_path / "open").exists()


@given(st.lists(st.binary(max_size=50), max_size=40), st.integers(1, 64))
def test_short_writes_lose_nothing(chunks: list[bytes], at_once: int):
    taken = bytearray()

    def short_writev(_: int, buffers: list[bytes]) -> int:
        return short_write(0, b"".join(bytes(buffer) for buffer in buffers))

    def short_write(_: int, content: bytes | memoryview) -> int:
        taken.extend(content[:at_once])
        return len(content[:at_once])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "writev", short_writev)
        patch.setattr(os, "write", short_write)
        assert durable.write_all(0, chunks) == len(b"".join(chunks))
    assert bytes(taken) == b"".join(chunks)


def test_more_chunks_than_one_call_takes_are_written(tmp_path: Path):
    file = tmp_path / "many"
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT)
    durable.write_all(descriptor, [b"x"] * 5000)
    os.close(descriptor)
    assert file.stat().st_size == 5000


def test_a_folder_has_one_holder_and_the_second_learns_who(tmp_path: Path):
    with durable.FolderLock(tmp_path):
        with pytest.raises(VmsError) as refused:
            durable.FolderLock(tmp_path)
        assert refused.value.kind is ErrorKind.CONFLICT
        assert str(os.getpid()) in refused.value.message
    durable.FolderLock(tmp_path).release()


def test_truncating_and_removing(tmp_path: Path):
    file = tmp_path / "f"
    file.write_bytes(b"12345")
    durable.truncate(file, 2)
    assert file.read_bytes() == b"12"
    durable.remove(file)
    durable.remove(file)
    assert not file.exists()
