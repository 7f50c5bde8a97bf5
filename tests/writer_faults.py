"""Four ways in which the log goes away, each done to the real process of its writer."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path


class Away(StrEnum):
    """How the log goes away."""

    KILLED = "killed"
    STOPPED = "stopped"
    FULL = "full"
    PARTITIONED = "partitioned"


@contextlib.contextmanager
def stopped(number: int) -> Iterator[None]:
    """A process that is there and does nothing."""
    os.kill(number, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(number, signal.SIGCONT)


@contextlib.contextmanager
def no_byte_more(number: int) -> Iterator[None]:
    """A process to which every write of a file fails, as on a full disk. Needs no right that a test may lack."""
    before = resource.prlimit(number, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    try:
        yield
    finally:
        resource.prlimit(number, resource.RLIMIT_FSIZE, before)


@contextlib.contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[bool]:
    """A file system of its own for a folder that is empty or not there; False where this user may not mount one."""
    folder.mkdir(parents=True, exist_ok=True)
    options = ["-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    mounted = subprocess.run(["mount", *options], check=False, capture_output=True).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(folder)], check=True)


@contextlib.contextmanager
def filled(folder: Path) -> Iterator[None]:
    """A small disk without room."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    try:
        yield
    finally:
        filler.unlink()


class Silence:
    """Stands at a socket in the place of the writer: takes every connection, and answers none of them, ever."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._behind = path.with_suffix(".behind")
        self._taken: list[socket.socket] = []
        path.rename(self._behind)
        self._door = socket.socket(socket.AF_UNIX)
        self._door.bind(str(path))
        self._door.listen(64)
        self._taker = threading.Thread(target=self._take, daemon=True)
        self._taker.start()

    @property
    def taken(self) -> int:
        """How many connections it has."""
        return len(self._taken)

    def step_aside(self) -> None:
        """Let new connections reach the writer; those that it took stay, and lead nowhere."""
        self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()
        self._taker.join()
        self._behind.rename(self._path)

    def close(self) -> None:
        """Let go of what it took."""
        for connection in self._taken:
            connection.close()

    def _take(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                self._taken.append(self._door.accept()[0])
