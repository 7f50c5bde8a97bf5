"""Asking who is there: a multicast probe in the program's own network, unicast probes across routers.

Probes are paced and repeated (SOAP over UDP loses datagrams); answers are merged by endpoint, since one device answers
on several addresses and several times.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import structlog

from cameras.discovery.messages import DiscoveryReplyError, FoundDevice, parse_probe_match, probe_message
from vms.base.errors import ErrorKind, VmsError

log = structlog.get_logger(__name__)

MULTICAST_GROUP = "239.255.255.250"
DISCOVERY_PORT = 3702
MAX_DEVICES = 70_000
MAX_RANGE_ADDRESSES = 65_536


@dataclass(frozen=True, slots=True)
class Sweep:
    """How to look: `interface` is a local IPv4 address, `wait_s` how long answers are awaited after the last probe."""

    interface: str = "0.0.0.0"  # noqa: S104 — the system's choice of an interface, not a server
    port: int = DISCOVERY_PORT
    wait_s: float = 1.5
    repeats: int = 2
    probes_per_second: int = 2_000


@dataclass(slots=True)
class _Collector(asyncio.DatagramProtocol):
    message_id: str
    on_device: Callable[[FoundDevice], None]
    found: dict[str, FoundDevice] = field(default_factory=dict)
    refused: int = 0

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        try:
            device = parse_probe_match(data, addr[0], self.message_id)
        except DiscoveryReplyError as wrong:
            self.refused += 1
            log.warning("discovery reply refused", address=addr[0], reason=str(wrong))
            return
        key = device.endpoint or device.address
        if key not in self.found and len(self.found) < MAX_DEVICES:
            self.found[key] = device
            self.on_device(device)

    def error_received(self, exc: Exception) -> None:
        log.debug("discovery probe refused on the way", error=repr(exc))


def addresses_of(ranges: Iterable[str]) -> list[str]:
    """Every host address of these ranges (`10.27.4.0/24` or single addresses).

    Raises VmsError `discovery.bad_range` when one is no IPv4 range, or the whole is larger than a /16.
    """
    addresses: list[str] = []
    for text in ranges:
        try:
            network = ipaddress.IPv4Network(text, strict=False)
        except ValueError:
            raise _bad_range(f"« {text} » n'est pas une plage d'adresses IPv4.") from None
        if network.num_addresses + len(addresses) > MAX_RANGE_ADDRESSES:
            raise _bad_range(f"La plage « {text} » est trop grande : au plus {MAX_RANGE_ADDRESSES} adresses à la fois.")
        addresses += [str(host) for host in network.hosts()]
    return addresses


async def discover(
    ranges: Iterable[str] = (),
    sweep: Sweep | None = None,
    on_device: Callable[[FoundDevice], None] = lambda _: None,
) -> list[FoundDevice]:
    """The devices that answer a multicast probe, and unicast probes of every address of `ranges`, by address.

    `on_device` hears of each as it answers. Raises VmsError `discovery.no_network` when the interface cannot be used.
    """
    how = sweep or Sweep()
    addresses = addresses_of(ranges)
    message, message_id = probe_message()
    transport, collector = await _open(how, message_id, on_device)
    try:
        for _ in range(how.repeats):
            if how.port == DISCOVERY_PORT or not addresses:
                transport.sendto(message, (MULTICAST_GROUP, how.port))
            await _probe_each(transport, message, addresses, how)
            await asyncio.sleep(how.wait_s / how.repeats)
    finally:
        transport.close()
    return sorted(collector.found.values(), key=lambda device: ipaddress.ip_address(device.address).packed)


async def _probe_each(transport: asyncio.DatagramTransport, message: bytes, addresses: list[str], how: Sweep) -> None:
    batch = max(1, how.probes_per_second // 50)
    for start in range(0, len(addresses), batch):
        for address in addresses[start : start + batch]:
            transport.sendto(message, (address, how.port))
        await asyncio.sleep(batch / how.probes_per_second)


async def _open(
    how: Sweep, message_id: str, on_device: Callable[[FoundDevice], None]
) -> tuple[asyncio.DatagramTransport, _Collector]:
    probe_socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        probe_socket.setblocking(False)
        probe_socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(how.interface))
        probe_socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)
        probe_socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * 1024 * 1024)
        probe_socket.bind((how.interface, 0))
    except OSError as refused:
        probe_socket.close()
        raise VmsError(
            ErrorKind.CONFIGURATION,
            "discovery.no_network",
            f"L'interface {how.interface} ne peut pas servir à la découverte ({refused.strerror}).",
            hint="Donnez avec --interface une adresse IPv4 de cette machine, dans le réseau des caméras.",
            detail=repr(refused),
        ) from None
    return await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: _Collector(message_id, on_device), sock=probe_socket
    )


def _bad_range(message: str) -> VmsError:
    return VmsError(
        ErrorKind.INVALID_INPUT, "discovery.bad_range", message, hint="Écrivez par exemple 10.27.4.0/24 ou 10.27.4.12."
    )
