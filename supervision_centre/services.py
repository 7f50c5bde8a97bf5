"""What the centre stands on, built by `vms.app` and handed in."""

from __future__ import annotations

from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from access_audit.client import AuditClient
from cameras.contract import CameraDirectory
from recorder.contract.node import RecorderNode
from supervision_centre.bus.port import Bus
from supervision_centre.people.passwords import Passwords
from supervision_centre.settings import CentreSettings
from vms.base.clock import Clock
from vms.base.database import Database


@dataclass(frozen=True, slots=True)
class CentreServices:
    """The other parts of the system, as the centre sees them. Their owner closes them; the centre does not."""

    database: Database
    audit: AuditClient
    node: RecorderNode
    cameras: CameraDirectory
    bus: Bus
    clock: Clock
    ticket_key: Ed25519PrivateKey = field(repr=False)
    settings: CentreSettings = field(default_factory=CentreSettings)
    passwords: Passwords = field(default_factory=Passwords)
