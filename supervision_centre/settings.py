"""What the centre is told at its start; `vms.app` fills it in from the configuration of the machine."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

CONSOLE_FILES = Path(__file__).parent / "console" / "static"


@dataclass(frozen=True, slots=True)
class CentreSettings:
    """Addresses as browsers see them, and the limits of a log-in.

    `public_origins` are the origins of the console (`https://cdsu.example`): the first is the official one, and a
    request that changes something must come from one of them. `control_room_idle_s` replaces the idle limit for those
    who watch a wall without touching it; None keeps it the same.
    """

    public_origins: tuple[str, ...] = ("http://localhost:8080",)
    gateway_url: str = "ws://localhost:8081"
    media_url: str = "http://localhost:8081"
    centre_name: str = "Centre de supervision urbaine départemental"
    demonstration: bool = False
    session_idle_s: int = 30 * 60
    control_room_idle_s: int | None = None
    session_absolute_s: int = 12 * 3600
    console_files: Path | None = field(default=CONSOLE_FILES)

    @property
    def secure(self) -> bool:
        """Whether the console is served over TLS, so that its cookie must be."""
        return urlsplit(self.public_origins[0]).scheme == "https"
