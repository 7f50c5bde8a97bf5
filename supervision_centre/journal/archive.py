"""A ZIP archive that is written while it is read: no temporary file, memory for one piece (APPNOTE 4.3.9, 4.5.3)."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import IO, Final

_PACKED: Final = zipfile.ZIP_DEFLATED
_AS_IT_IS: Final = zipfile.ZIP_STORED


class _Pieces:
    """What `zipfile` writes to, as it asks of a file that cannot seek."""

    def __init__(self) -> None:
        self.kept: list[bytes] = []

    def write(self, piece: bytes, /) -> int:
        self.kept.append(bytes(piece))
        return len(piece)

    def flush(self) -> None:
        return

    def close(self) -> None:
        return


class Archive:
    """Files one after the other; `taken` gives what has been written since the last time.

    Blocking and of some milliseconds a call: run it in a thread. `digests` are the SHA-256 of the files that are whole.
    """

    def __init__(self, made_at: datetime) -> None:
        self._pieces = _Pieces()
        self._zip = zipfile.ZipFile(self._pieces, "w", _PACKED)
        self._made_at = (made_at.year, made_at.month, made_at.day, made_at.hour, made_at.minute, made_at.second)
        self.digests: dict[str, str] = {}

    def taken(self) -> bytes:
        """The bytes that are ready to leave."""
        pieces, self._pieces.kept = self._pieces.kept, []
        return b"".join(pieces)

    @contextmanager
    def file(self, name: str) -> Iterator[Member]:
        """A file that is written in several steps."""
        with self._zip.open(self._entry(name, _PACKED), "w", force_zip64=True) as stream:
            member = Member(stream)
            yield member
        self.digests[name] = member.digest

    def add(self, name: str, content: bytes, *, packed: bool = True) -> bytes:
        """A whole file; the bytes that are ready to leave."""
        self._zip.writestr(self._entry(name, _PACKED if packed else _AS_IT_IS), content)
        self.digests[name] = hashlib.sha256(content).hexdigest()
        return self.taken()

    def close(self) -> bytes:
        """The end of the archive."""
        self._zip.close()
        return self.taken()

    def _entry(self, name: str, packing: int) -> zipfile.ZipInfo:
        entry = zipfile.ZipInfo(name, self._made_at)
        entry.compress_type = packing
        entry.external_attr = 0o644 << 16
        return entry


class Member:
    """A file of the archive that is being written."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._digest = hashlib.sha256()

    def write(self, content: bytes) -> None:
        """Add to it."""
        self._stream.write(content)
        self._digest.update(content)

    @property
    def digest(self) -> str:
        """SHA-256 of what it holds, hexadecimal."""
        return self._digest.hexdigest()
