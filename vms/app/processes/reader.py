"""The reader of foreign streams: cameras that speak UDP only, and codecs that the native path does not carry."""

from __future__ import annotations

from collections.abc import Callable

from recorder.decoding.reader import run_reader
from vms.app.layout import DataFolder


def serve(folder: DataFolder, on_ready: Callable[[], None]) -> None:
    """Read what the shards ask for, until asked to stop."""
    assert folder.reader_socket is not None, "started only where it is wanted"
    run_reader(folder.reader_socket, on_ready)
