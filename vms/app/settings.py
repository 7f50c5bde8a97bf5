"""The settings of one machine: what `vms.toml` may say, and what holds when it says nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from access_audit.retention import CEILING_DAYS, FLOOR_DAYS, Retention
from vms.base.config import Section, load_config

Port = Annotated[int, Field(ge=1, le=65535)]
LogDays = Annotated[int, Field(ge=FLOOR_DAYS, le=CEILING_DAYS)]


class CentreSettings(Section):
    """The supervision centre: console, API, database.

    `database_url` empty means SQLite in the data folder; `redis_url` empty means in-process events and leases.
    A session ends after `session_idle_minutes` without a touch, or, while it shows a wall, `session_wall_idle_minutes`.
    """

    host: str = "127.0.0.1"
    port: Port = 8080
    public_url: str = ""
    database_url: str = ""
    redis_url: str = ""
    session_idle_minutes: Annotated[int, Field(ge=1, le=720)] = 30
    session_wall_idle_minutes: Annotated[int, Field(ge=1, le=720)] = 480
    session_hours: Annotated[int, Field(ge=1, le=24)] = 12


class GatewaySettings(Section):
    """The live gateway, to which browsers connect for images."""

    host: str = "127.0.0.1"
    port: Port = 8081
    public_url: str = ""


class RecorderSettings(Section):
    """The recorder of this machine. Every shard has a store on each of `disks`; none means the data folder.

    `reader` and `stills` are the processes with a decoder library: for cameras that the shards cannot read, and for
    single pictures.
    """

    shards: Annotated[int, Field(ge=1, le=64)] = 1
    disks: tuple[Path, ...] = ()
    segment_seconds: Annotated[int, Field(ge=2, le=300)] = 60
    minimum_free_mb: Annotated[int, Field(ge=0)] = 1024
    when_full: Literal["stop", "erase_oldest"] = "erase_oldest"
    reader: bool = True
    stills: bool = True


class TimestampAuthoritySettings(Section):
    """An authority of RFC 3161: a short name, where it answers, and the PEM file of the certificate it ends in."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{0,39}$")]
    url: Annotated[str, Field(pattern=r"^https?://")]
    ca_file: Path


class WitnessSettings(Section):
    """A witness of C2SP tlog-witness: its submission prefix, and its key as a vkey line."""

    url: Annotated[str, Field(pattern=r"^https?://")]
    key: str


class AuditSettings(Section):
    """The access log. `origin` names the log in its checkpoints, for as long as it lives.

    Payloads are kept for `retention_days`, those of an authority in `controllers` for its own days (LAW-28).
    Authorities and witnesses attest its checkpoints every `anchor_interval_minutes`, and when its key changes.
    `key` is the URI of a PKCS#11 token (RFC 7512) for the first key of a log; empty for a file that is made.
    """

    origin: str = "journal.vms-departemental.example"
    key: Annotated[str, Field(pattern=r"^(pkcs11:.+)?$")] = ""
    retention_days: LogDays = 1095
    controllers: dict[str, LogDays] = Field(default={})
    anchor_interval_minutes: Annotated[int, Field(ge=1, le=1440)] = 60
    timestamp_authorities: tuple[TimestampAuthoritySettings, ...] = ()
    witnesses: tuple[WitnessSettings, ...] = ()

    @property
    def retention(self) -> Retention:
        """How long the payloads of the log are kept."""
        return Retention(self.retention_days, self.controllers)


class DemonstrationSettings(Section):
    """The simulated department. `base` is the loopback range of its cameras, so that two can run side by side.

    The films are MP4 files that every camera plays instead of the street footage.
    """

    enabled: bool = False
    base: str = "127.27.0.0/16"
    communes: Annotated[int, Field(ge=1, le=60)] = 6
    cameras: Annotated[int, Field(ge=1, le=500)] = 12
    main_film: Path | None = None
    sub_film: Path | None = None


class LogSettings(Section):
    """Technical logs."""

    level: str = "info"
    json_lines: bool = True


class Settings(Section):
    """The whole file. `data` is where everything durable stands unless a section says otherwise."""

    data: Path = Path("var/vms")
    centre_name: str = "Centre de supervision urbaine départemental"
    centre: CentreSettings = CentreSettings()
    gateway: GatewaySettings = GatewaySettings()
    recorder: RecorderSettings = RecorderSettings()
    audit: AuditSettings = AuditSettings()
    log: LogSettings = LogSettings()
    demonstration: DemonstrationSettings = DemonstrationSettings()

    @property
    def console_url(self) -> str:
        """Where people open the console."""
        return self.centre.public_url or f"http://localhost:{self.centre.port}"

    @property
    def console_origins(self) -> tuple[str, ...]:
        """The origins from which a browser may ask the gateway for images."""
        if self.centre.public_url:
            return (self.centre.public_url.rstrip("/"),)
        return tuple(f"http://{name}:{self.centre.port}" for name in ("localhost", "127.0.0.1"))

    @property
    def media_url(self) -> str:
        """Where the console fetches images, over HTTP."""
        return self.gateway.public_url or f"http://localhost:{self.gateway.port}"

    @property
    def live_url(self) -> str:
        """Where the console opens the WebSocket of a wall, without its path."""
        return "ws" + self.media_url.removeprefix("http")


def read_settings(path: Path | None) -> Settings:
    """The settings of this file, or the defaults where none is named."""
    return load_config(Settings, path) if path is not None else Settings()
