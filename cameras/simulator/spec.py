"""What a simulated camera is: its place on the network, its identity, its film and its faults.

The faults are a closed set. Each has a name that the command line takes, and a test that observes it on the wire.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

HTTP_PORT = 8899
RTSP_PORT = 8554
DISCOVERY_PORT = 3702
DEVICE_PATH = "/onvif/device_service"

FOOTAGE = Path(__file__).parent / "footage"
MAIN_FILE = FOOTAGE / "street_768x576_h264.mp4"
SUB_FILE = FOOTAGE / "street_352x288_h264.mp4"
H265_FILE = FOOTAGE / "street_768x576_h265.mp4"
B_FRAMES_FILE = FOOTAGE / "street_384x288_b_frames.mp4"


class Fault(StrEnum):
    """A way in which real cameras misbehave."""

    WRONG_CLOCK = "wrong_clock"
    """The camera's clock is `WRONG_CLOCK_NS` behind; ONVIF answers and sender reports show it."""
    WRONG_XADDR = "wrong_xaddr"
    """Service and stream addresses name the factory address of the camera, where nothing answers."""
    DROPS_RTP = "drops_rtp"
    """One RTP packet in `DROPPED_ONE_IN` is never sent; the sequence numbers show the hole."""
    SEQUENCE_JUMP = "sequence_jump"
    """The RTP sequence number leaps every `JUMP_EVERY_FRAMES` frames though nothing was lost."""
    TIMESTAMP_JUMP = "timestamp_jump"
    """The RTP time stamp leaps every `JUMP_EVERY_FRAMES` frames, and sender reports leap with it."""
    FREEZES = "freezes"
    """Nothing more is sent `TROUBLE_AFTER_NS` after PLAY, though the connection stays open."""
    CLOSES = "closes"
    """The connection is cut `TROUBLE_AFTER_NS` after PLAY, without BYE."""
    BAD_PASSWORD = "bad_password"  # noqa: S105 - the name of a fault
    """The camera refuses the password on record, on ONVIF and on RTSP."""
    NONCONFORMING_SOAP = "nonconforming_soap"
    """SOAP 1.1 envelopes served as HTML, with vendor elements where the schema has none."""
    NO_SENDER_REPORT = "no_sender_report"
    """No RTCP sender report is ever sent."""
    PARAMETERS_IN_SDP_ONLY = "parameters_in_sdp_only"
    """Parameter sets stand in the SDP and never in the stream."""
    UDP_ONLY = "udp_only"
    """RTP over the RTSP connection is refused with 461; the stream comes over UDP alone."""
    B_FRAMES = "b_frames"
    """The main stream is a film with reordered frames."""
    AUDIO_OFFERED = "audio_offered"
    """The SDP offers a sound track, which nobody may set up (R. 253-1 CSI)."""
    ENTITY_BOMB = "entity_bomb"
    """SOAP answers declare entities that would fill the memory of a careless reader."""
    CERTIFICATE_CHANGED = "certificate_changed"
    """The streams, where they come over TLS, are signed with another key than the one that the camera came with."""


FAULT_SENTENCES: dict[Fault, str] = {
    Fault.WRONG_CLOCK: "L'horloge de la caméra retarde d'une heure et dix minutes.",
    Fault.WRONG_XADDR: "Les adresses annoncées sont celles d'usine, où rien ne répond.",
    Fault.DROPS_RTP: "Un paquet RTP sur cinquante n'est jamais envoyé.",
    Fault.SEQUENCE_JUMP: "Le numéro de séquence RTP saute sans perte.",
    Fault.TIMESTAMP_JUMP: "L'horodatage RTP saute de dix secondes.",
    Fault.FREEZES: "Le flux s'arrête après deux secondes, la connexion reste ouverte.",
    Fault.CLOSES: "La connexion est coupée après deux secondes de lecture.",
    Fault.BAD_PASSWORD: "Le mot de passe enregistré est refusé.",
    Fault.NONCONFORMING_SOAP: "Les réponses SOAP ne suivent pas la norme.",
    Fault.NO_SENDER_REPORT: "Aucun rapport d'émetteur RTCP n'est envoyé.",
    Fault.PARAMETERS_IN_SDP_ONLY: "Les jeux de paramètres ne figurent que dans le SDP.",
    Fault.UDP_ONLY: "RTP sur la liaison RTSP est refusé : le flux ne vient qu'en UDP.",
    Fault.B_FRAMES: "Le flux principal contient des images B.",
    Fault.AUDIO_OFFERED: "Une piste son est proposée.",
    Fault.ENTITY_BOMB: "Les réponses XML contiennent une bombe d'entités.",
    Fault.CERTIFICATE_CHANGED: "Le certificat TLS n'est plus celui d'origine.",
}
"""What each fault is, for people (French)."""

WRONG_CLOCK_NS = -4_200 * 1_000_000_000
FACTORY_ADDRESS = "192.0.2.108"
DROPPED_ONE_IN = 50
JUMP_EVERY_FRAMES = 50
SEQUENCE_LEAP = 1_000
TIMESTAMP_LEAP_90K = 900_000
TROUBLE_AFTER_NS = 2 * 1_000_000_000


@dataclass(frozen=True, slots=True)
class Place:
    """Where a camera stands: INSEE code and name of the commune, WGS 84 position in degrees."""

    commune: str
    commune_name: str
    latitude: float
    longitude: float
    orientation_deg: float = 0.0


EVREUX_TOWN_HALL = Place("27229", "Évreux", 49.0268, 1.1513)


@dataclass(frozen=True, slots=True)
class CameraSpec:
    """One simulated camera.

    Port 0 lets the system choose; `discovery_port` None means that the camera does not answer WS-Discovery.
    `offset_s` moves the film: its position at Unix time t is (t + offset_s) modulo its duration. `mac` is the
    hardware identity, six bytes as twelve lower-case hexadecimal digits. `instant_key` makes a new client start at
    once with the key frame before the present position instead of waiting for the next one. With `rtsps` the streams
    come over TLS, under a certificate that the camera signed itself.
    """

    name: str
    address: str = "127.0.0.1"
    http_port: int = HTTP_PORT
    rtsp_port: int = RTSP_PORT
    discovery_port: int | None = DISCOVERY_PORT
    place: Place = EVREUX_TOWN_HALL
    mac: str = "02564d530101"
    serial: str = "VS0101"
    manufacturer: str = "Vidéosim"
    model: str = "VS-2M"
    firmware: str = "1.4.2"
    username: str = "vms-install"
    password: str = field(default="vms-demo", repr=False)
    main: Path = MAIN_FILE
    sub: Path | None = SUB_FILE
    offset_s: float = 0.0
    ptz: bool = True
    instant_key: bool = False
    rtsp_sha256: bool = False
    rtsps: bool = False
    motion_every_s: float = 20.0
    reboot_s: float = 5.0
    faults: frozenset[Fault] = frozenset()

    @property
    def rtsp_scheme(self) -> str:
        """What the addresses of its streams begin with."""
        return "rtsps" if self.rtsps else "rtsp"


@dataclass(frozen=True, slots=True)
class DepartmentSpec:
    """A simulated department: its cameras, commune after commune."""

    cameras: tuple[CameraSpec, ...]

    @property
    def communes(self) -> tuple[tuple[str, str], ...]:
        """INSEE code and name of each commune that has a camera, in the order of the cameras."""
        return tuple(dict.fromkeys((spec.place.commune, spec.place.commune_name) for spec in self.cameras))
