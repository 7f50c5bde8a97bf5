"""RTP over UDP, for the camera that does nothing else (RFC 2326, 12.39; RFC 3550, 11)."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from typing import Protocol

_PORTS = re.compile(r"client_port=(\d{1,5})-(\d{1,5})")
_INTERLEAVED_HEAD_BYTES = 4
_SEND_BUFFER_BYTES = 1 << 20
_PAIRS_TRIED = 200


class Outlet(Protocol):
    """What a playing session writes to: a TCP transport, or `UdpOutlet`."""

    def write(self, data: bytes | bytearray) -> None:
        """Send interleaved packets."""

    def is_closing(self) -> bool:
        """Whether nothing more goes out."""

    def get_write_buffer_size(self) -> int:
        """Bytes that wait."""


def client_ports(header: str) -> tuple[int, int] | None:
    """The client's ports for RTP and RTCP in a Transport header that asks for UDP, else None."""
    for offer in header.split(","):
        found = _PORTS.search(offer)
        if found and "TCP" not in offer.upper() and "multicast" not in offer.lower():
            return int(found[1]), int(found[2])
    return None


class UdpOutlet:
    """Sends what a session writes as datagrams: even channels are RTP, odd ones RTCP. Raises OSError without ports."""

    def __init__(self, address: str, peer: str, ports: tuple[int, int]) -> None:
        self._sockets = _pair(address)
        self._targets = [(peer, port) for port in ports]
        self._closed = False

    @property
    def ports(self) -> tuple[int, int]:
        """Our ports for RTP and RTCP."""
        rtp, rtcp = (each.getsockname()[1] for each in self._sockets)
        return rtp, rtcp

    def write(self, data: bytes | bytearray) -> None:
        """Send these interleaved packets; one that the system does not take at once is lost, as on any network."""
        for channel, packet in _packets(memoryview(data)):
            try:
                self._sockets[channel & 1].sendto(packet, self._targets[channel & 1])
            except OSError:
                continue

    def is_closing(self) -> bool:
        return self._closed

    def get_write_buffer_size(self) -> int:
        return 0

    def close(self) -> None:
        """Give the ports back."""
        self._closed = True
        for each in self._sockets:
            each.close()


def _packets(data: memoryview) -> Iterator[tuple[int, memoryview]]:
    place = 0
    while place + _INTERLEAVED_HEAD_BYTES <= len(data):
        start = place + _INTERLEAVED_HEAD_BYTES
        place = start + int.from_bytes(data[place + 2 : start], "big")
        yield data[start - 3], data[start:place]


def _pair(address: str) -> tuple[socket.socket, socket.socket]:
    """Two neighbouring ports, the first one even."""
    for _ in range(_PAIRS_TRIED):
        rtp, rtcp = _udp_socket(), _udp_socket()
        try:
            rtp.bind((address, 0))
            port = rtp.getsockname()[1]
            if port % 2 == 0:
                rtcp.bind((address, port + 1))
                return rtp, rtcp
        except OSError:
            pass
        rtp.close()
        rtcp.close()
    raise OSError("no two neighbouring UDP ports")


def _udp_socket() -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
    return made
