"""The bytes of one connection, in the clear or in TLS: awaited during the handshake, taken without waiting afterwards.

Rules
1. Both kinds look like a non-blocking socket: `recv_into` and `send` raise BlockingIOError rather than wait, and
   `recv_into` gives 0 at the end. So both paces read TLS as they read a bare socket, a second of it in one call.
2. TLS is spoken over memory: the socket is read in large pieces and no system call is spent on a record.
3. Who answers is known before a byte is sent to it: the pin is compared when the handshake is complete, and nothing
   of ours, the Finished message included, leaves before.
4. A TLS connection takes whatever has arrived, so that nothing readable stays behind an empty socket; yet no more than
   twice what the buffer holds, so that records without content cannot hold up the loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Collection
from typing import Protocol, cast

from recorder.ingest.causes import Cause, IngestError
from vms.base.tls import device_context, public_key_pin

RECEIVE_BYTES = 64 * 1024
CIPHER_BYTES = 64 * 1024
"""How much is read and deciphered at once: what a TLS connection keeps for itself is about this."""
MAX_UNSENT_BYTES = 64 * 1024


class _Scratch(threading.local):
    """Where ciphered bytes wait for a moment: one place for all connections of a loop."""

    def __init__(self) -> None:
        self.ciphered = memoryview(bytearray(CIPHER_BYTES))


_scratch = _Scratch()


class Channel(Protocol):
    """One connection to a camera."""

    @property
    def socket(self) -> socket.socket:
        """What it runs over."""

    async def receive(self) -> bytes:
        """Wait for bytes; none at the end."""

    async def send_all(self, data: bytes) -> None:
        """Send, and wait until it is gone."""

    def recv_into(self, buffer: memoryview) -> int:
        """Take what is there; BlockingIOError when that is nothing, 0 at the end. Other errors are OSError."""

    def send(self, data: bytes) -> int:
        """Send as much as goes without waiting; BlockingIOError when that is nothing."""

    def close(self) -> None:
        """End the connection."""


class PlainChannel:
    """A bare socket."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock

    async def receive(self) -> bytes:
        """See `Channel`."""
        return await asyncio.get_running_loop().sock_recv(self.socket, RECEIVE_BYTES)

    async def send_all(self, data: bytes) -> None:
        """See `Channel`."""
        await asyncio.get_running_loop().sock_sendall(self.socket, data)

    def recv_into(self, buffer: memoryview) -> int:
        """See `Channel`."""
        return self.socket.recv_into(buffer)

    def send(self, data: bytes) -> int:
        """See `Channel`."""
        return self.socket.send(data)

    def close(self) -> None:
        """See `Channel`."""
        self.socket.close()


class TlsChannel:
    """TLS over a socket; `open_tls` makes it. See `Channel`."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = device_context().wrap_bio(self._incoming, self._outgoing)
        self._unsent = b""
        self._ended = False
        self._broken: OSError | None = None

    async def shake_hands(self, pins: Collection[str]) -> None:
        """Complete the handshake with a device of one of these pins. Raises IngestError, and OSError for the link."""
        loop = asyncio.get_running_loop()
        while not self._advance():
            await self._send_ciphered()
            data = await loop.sock_recv(self.socket, RECEIVE_BYTES)
            if not data:
                raise IngestError(Cause.CLOSED_BY_CAMERA, "connection closed during the TLS handshake")
            self._incoming.write(data)
        try:
            pin = public_key_pin(self._tls.getpeercert(binary_form=True) or b"")
        except ValueError as unreadable:
            raise IngestError(Cause.PROTOCOL, f"certificate cannot be read: {unreadable}") from None
        if pin not in pins:
            raise IngestError(Cause.TLS_PIN_MISMATCH, f"the camera presents the key {pin}")
        await self._send_ciphered()

    async def receive(self) -> bytes:
        """Wait for bytes; none at the end."""
        buffer = memoryview(bytearray(RECEIVE_BYTES))
        loop = asyncio.get_running_loop()
        while not (count := self._decipher(buffer)):
            self._raise_broken()
            if self._ended:
                return b""
            self._take(await loop.sock_recv(self.socket, RECEIVE_BYTES))
        return bytes(buffer[:count])

    async def send_all(self, data: bytes) -> None:
        """Send, and wait until it is gone."""
        self._tls.write(data)
        await self._send_ciphered()

    def recv_into(self, buffer: memoryview) -> int:
        """Take what is there. See `Channel`."""
        ciphered = _scratch.ciphered
        taken = received = 0
        while True:
            taken += self._decipher(buffer[taken:])
            if taken == len(buffer) or self._ended:
                return taken
            if received > 2 * len(buffer):
                if taken:
                    return taken
                raise IngestError(Cause.FLOOD, "TLS records without content")
            if self._broken is not None:
                if taken:
                    return taken
                self._raise_broken()
            try:
                count = self.socket.recv_into(ciphered)
                received += count
                self._take(ciphered[:count])
            except OSError:
                if not taken:
                    raise
                return taken

    def send(self, data: bytes) -> int:
        """Send, or nothing of it while earlier bytes have not left."""
        self._send_without_waiting()
        if self._unsent:
            raise BlockingIOError
        self._tls.write(data)
        self._send_without_waiting()
        return len(data)

    def close(self) -> None:
        """Say that this is the end, if that costs no waiting, and close."""
        with contextlib.suppress(OSError):
            with contextlib.suppress(ssl.SSLError):
                self._tls.unwrap()
            self._send_without_waiting()
        self.socket.close()

    def _advance(self) -> bool:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLError as failed:
            raise IngestError(Cause.PROTOCOL, f"TLS handshake: {failed.reason}") from None
        return True

    def _take(self, ciphered: bytes | memoryview) -> None:
        if ciphered:
            self._incoming.write(ciphered)
        else:
            self._ended = True

    def _decipher(self, into: memoryview) -> int:
        taken = 0
        try:
            while taken < len(into):
                count = cast(int, self._tls.read(len(into) - taken, into[taken:]))
                if not count:
                    self._ended = True
                    break
                taken += count
        except ssl.SSLWantReadError:
            pass
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            self._ended = True
        except ssl.SSLError as broken:
            self._broken = broken
        if self._outgoing.pending:  # a change of keys is answered
            self._send_without_waiting()
        return taken

    def _raise_broken(self) -> None:
        if self._broken is not None:
            raise self._broken

    def _send_without_waiting(self) -> None:
        self._unsent += self._outgoing.read()
        if len(self._unsent) > MAX_UNSENT_BYTES:
            raise IngestError(Cause.PROTOCOL, "the camera reads nothing of what it is sent")
        with contextlib.suppress(BlockingIOError, InterruptedError):
            while self._unsent:
                self._unsent = self._unsent[self.socket.send(self._unsent) :]

    async def _send_ciphered(self) -> None:
        if data := self._outgoing.read():
            await asyncio.get_running_loop().sock_sendall(self.socket, data)


async def open_tls(sock: socket.socket, pins: Collection[str]) -> TlsChannel:
    """Speak TLS over a connected socket, with a camera of one of these pins.

    Raises IngestError: `tls_pin_mismatch` for another key, `protocol` when there is no TLS. The socket stays open.
    """
    channel = TlsChannel(sock)
    await channel.shake_hands(pins)
    return channel
