"""The state of one simulated camera: clock, accounts, settings, head, events and faults.

Everything that a client can change lives here; nothing here touches the network. A fault can be switched at any time
(`set_fault`), and the servers ask for it at each answer and each frame.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from urllib.parse import quote

from cameras.simulator.events import PullPoints
from cameras.simulator.film import Film
from cameras.simulator.onvif.security import Account, Level, TokenGate
from cameras.simulator.ptz import PtzHead
from cameras.simulator.reel import Reel
from cameras.simulator.spec import DEVICE_PATH, FACTORY_ADDRESS, WRONG_CLOCK_NS, CameraSpec, Fault
from vms.base.clock import Clock

ENDPOINT_NAMESPACE = uuid.UUID("8f5d2f0c-5a0f-5c0e-9d3a-27000a0b0c0d")
_REFUSED = "\x00"


@dataclass(frozen=True, slots=True)
class StreamSettings:
    """A stream of a camera: its `role`, main or sub, and what it plays."""

    role: str
    reel: Reel

    @property
    def film(self) -> Film:
        """The film itself: codec, size and rates."""
        return self.reel.film

    @property
    def path(self) -> str:
        """The RTSP path."""
        return f"/{self.role}"


@dataclass(slots=True)
class Device:
    """A running camera. `http_port` and `rtsp_port` are the ports in use; `reordered` is the main stream of the fault
    `b_frames`.
    """

    spec: CameraSpec
    clock: Clock
    regular: tuple[StreamSettings, ...]
    reordered: StreamSettings
    http_port: int = 0
    rtsp_port: int = 0
    faults: set[Fault] = field(default_factory=set)
    clock_error_ns: int = 0
    time_source: str = "Manual"
    ntp_servers: tuple[tuple[str, str], ...] = ()
    accounts: dict[str, Account] = field(default_factory=dict)
    tokens: TokenGate = field(default_factory=TokenGate)
    head: PtzHead = field(default_factory=PtzHead)
    pull_points: PullPoints = field(default_factory=PullPoints)
    reboot_wanted: bool = False
    boots: int = 1
    audio_setups: int = 0

    def __post_init__(self) -> None:
        spec = self.spec
        self.accounts[spec.username] = Account(spec.username, Level.ADMINISTRATOR, spec.password)
        for fault in spec.faults:
            self.set_fault(fault)

    def set_fault(self, fault: Fault, present: bool = True) -> None:
        """Switch a fault on or off, for answers and frames from now on.

        `b_frames` and `parameters_in_sdp_only` change what a stream is: they count for sessions begun afterwards.
        """
        if fault is Fault.WRONG_CLOCK:
            self.clock_error_ns = WRONG_CLOCK_NS if present else 0
        if present:
            self.faults.add(fault)
        else:
            self.faults.discard(fault)

    @property
    def streams(self) -> tuple[StreamSettings, ...]:
        """The streams that the camera offers now, main first."""
        return (self.reordered, *self.regular[1:]) if Fault.B_FRAMES in self.faults else self.regular

    def utc_ns(self) -> int:
        """The camera's own idea of the time."""
        return self.clock.utc_ns() + self.clock_error_ns

    def set_clock(self, utc_ns: int) -> None:
        """Set the camera's clock, as an installer does."""
        self.clock_error_ns = utc_ns - self.clock.utc_ns()

    def synchronise_clock(self) -> None:
        """Follow a time server from now on."""
        self.clock_error_ns = 0

    def usable_accounts(self) -> dict[str, Account]:
        """The accounts with the passwords that the camera accepts now."""
        if Fault.BAD_PASSWORD not in self.faults:
            return self.accounts
        return {
            name: Account(name, account.level, _REFUSED + account.password) if name == self.spec.username else account
            for name, account in self.accounts.items()
        }

    @property
    def endpoint(self) -> str:
        """The stable endpoint reference, from the hardware identity."""
        return f"urn:uuid:{uuid.uuid5(ENDPOINT_NAMESPACE, self.spec.mac)}"

    @property
    def advertised_host(self) -> str:
        """The host that this camera puts in addresses."""
        return FACTORY_ADDRESS if Fault.WRONG_XADDR in self.faults else self.spec.address

    def http_url(self, path: str = DEVICE_PATH) -> str:
        """A service address as the camera tells it."""
        return f"http://{self.advertised_host}:{self.http_port}{path}"

    def rtsp_url(self, stream: StreamSettings) -> str:
        """The address of a stream as the camera tells it, without credentials."""
        return f"{self.spec.rtsp_scheme}://{self.advertised_host}:{self.rtsp_port}{stream.path}"

    def scopes(self) -> tuple[str, ...]:
        """ONVIF scopes: kind, profiles, name, hardware and location (Core Specification, 7.3.2.2)."""
        spec, root = self.spec, "onvif://www.onvif.org"
        kinds = ["type/video_encoder", "type/Network_Video_Transmitter", *(["type/ptz"] if spec.ptz else [])]
        return (
            *(f"{root}/{kind}" for kind in kinds),
            f"{root}/Profile/Streaming",
            f"{root}/Profile/T",
            f"{root}/name/{quote(spec.name, safe='')}",
            f"{root}/hardware/{quote(spec.model, safe='')}",
            f"{root}/location/country/france",
            f"{root}/location/city/{quote(spec.place.commune_name, safe='')}",
            f"{root}/location/{spec.place.latitude};{spec.place.longitude}",
        )
