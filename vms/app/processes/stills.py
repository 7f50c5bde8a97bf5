"""The decoder of still pictures, for the gateway."""

from __future__ import annotations

from collections.abc import Callable

from recorder.decoding.stills import run_stills
from vms.app.layout import DataFolder


def serve(folder: DataFolder, on_ready: Callable[[], None]) -> None:
    """Decode what the gateway asks for, until asked to stop."""
    assert folder.stills_socket is not None, "started only where it is wanted"
    run_stills(folder.stills_socket, on_ready)
