"""Durable file operations: the only module that renames, links, unlinks and syncs.

A name that appears in a folder is complete: content is written under another name, synced, given its final name, and
the folder is synced. A check in the tests keeps every other module away from the calls wrapped here, so that a fault
loop over this module is a fault loop over the product.

Source: POSIX.1-2017 `fsync`, `link`, `rename`; "All File Systems Are Not Created Equal", OSDI 2014.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from vms.base.errors import ErrorKind, VmsError

_PART_SUFFIX = ".part"
_MAX_CHUNKS_A_CALL = 1024


def sync_file(descriptor: int) -> None:
    """Put the content of an open file on the disk; OSError when the disk refuses."""
    os.fsync(descriptor)


def sync_data(descriptor: int) -> None:
    """Put the data of an open file on the disk, and of its metadata only what reading it needs."""
    os.fdatasync(descriptor)


def sync_folder(folder: Path) -> None:
    """Put the names of a folder on the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path, mode: int = 0o750) -> None:
    """Make a folder and its missing parents, each durable in its parent."""
    if folder.is_dir():
        return
    make_folder(folder.parent, mode)
    try:
        folder.mkdir(mode)
    except FileExistsError:
        return
    sync_folder(folder.parent)


def write_atomic(path: Path, content: bytes, mode: int = 0o640) -> None:
    """Make or replace a whole file: afterwards it holds `content`, or, after any failure, what it held before."""
    part = path.with_name(path.name + _PART_SUFFIX)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    try:
        try:
            write_all(descriptor, [content])
            sync_file(descriptor)
        finally:
            os.close(descriptor)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def publish(unfinished: Path, final: Path) -> None:
    """Give a complete, synced file its final name, in the same file system.

    A file that already bears the final name is never replaced: FileExistsError.
    """
    os.link(unfinished, final)
    sync_folder(final.parent)
    unfinished.unlink()
    sync_folder(unfinished.parent)


def add_name(existing: Path, name: Path) -> None:
    """Give a file one more name in its file system; not durable until its folder is. FileExistsError when taken."""
    os.link(existing, name)


def remove(path: Path) -> None:
    """Unlink a file and make that durable; a file that is not there is fine."""
    path.unlink(missing_ok=True)
    sync_folder(path.parent)


def remove_all(paths: Sequence[Path]) -> None:
    """Unlink files of one folder and make that durable at once; those that are not there are fine."""
    for path in paths:
        path.unlink(missing_ok=True)
    if paths:
        sync_folder(paths[0].parent)


def remove_empty_folder(folder: Path) -> bool:
    """Remove a folder that holds nothing, durably; False when it holds something or is not there."""
    try:
        folder.rmdir()
    except FileNotFoundError:
        return False
    except OSError as refused:
        if refused.errno in {errno.ENOTEMPTY, errno.EEXIST}:
            return False
        raise
    sync_folder(folder.parent)
    return True


def remove_folder(folder: Path) -> None:
    """Remove a folder of files and make that durable; a folder that is not there is fine."""
    try:
        files = list(folder.iterdir())
    except FileNotFoundError:
        return
    for file in files:
        file.unlink(missing_ok=True)
    folder.rmdir()
    sync_folder(folder.parent)


def truncate(path: Path, size: int) -> None:
    """Cut a file to `size` bytes, durably."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.ftruncate(descriptor, size)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_all(descriptor: int, chunks: Sequence[bytes | bytearray | memoryview]) -> int:
    """Write every byte of the chunks in order, in as few calls as the system allows, and return their number.

    A view is of single bytes. A short write goes on where it stopped; a disk that takes no more raises its OSError.
    """
    written = 0
    for start in range(0, len(chunks), _MAX_CHUNKS_A_CALL):
        batch = chunks[start : start + _MAX_CHUNKS_A_CALL]
        size = sum(map(len, batch))
        count = os.writev(descriptor, batch) if size else 0
        if count < size:
            rest = memoryview(b"".join(batch))
            while count < size:
                count += os.write(descriptor, rest[count:])
        written += size
    return written


class FolderLock:
    """The right of one process to a folder, kept until it is released or the process ends.

    A second holder gets VmsError `folder.in_use` (kind conflict) at once.
    """

    def __init__(self, folder: Path, name: str = "lock") -> None:
        self._path = folder / name
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as refused:
            holder = os.pread(self._descriptor, 32, 0).decode("ascii", "replace").strip()
            os.close(self._descriptor)
            if refused.errno not in {errno.EWOULDBLOCK, errno.EACCES}:
                raise
            raise VmsError(
                ErrorKind.CONFLICT,
                "folder.in_use",
                f"Le dossier {folder} est déjà utilisé par une autre instance (processus {holder or 'inconnu'}).",
                hint="Arrêtez cette instance, ou choisissez un autre dossier de données.",
                detail=f"{self._path} is locked by process {holder or 'unknown'}",
            ) from None
        try:
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, str(os.getpid()).encode(), 0)
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Give the folder back."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
