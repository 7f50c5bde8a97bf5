"""Messages between the processes of one machine: a length, then that many bytes.

Both ends are ours, yet neither trusts the other's length: a frame over the limit ends the connection.
"""

from __future__ import annotations

import asyncio
import json
import struct
from typing import Any

_LENGTH = struct.Struct(">I")
MAX_FRAME_BYTES = 16 * 1024 * 1024


class FrameError(Exception):
    """The other end broke the framing."""


async def read_frame(reader: asyncio.StreamReader, limit: int = MAX_FRAME_BYTES) -> bytes | None:
    """The next frame, or None when the other end has closed between two frames.

    Raises FrameError on a frame over `limit` bytes or a connection cut inside one.
    """
    try:
        head = await reader.readexactly(_LENGTH.size)
    except asyncio.IncompleteReadError as cut:
        if not cut.partial:
            return None
        raise FrameError("connection closed inside a frame") from None
    (length,) = _LENGTH.unpack(head)
    if length > limit:
        raise FrameError(f"frame of {length} bytes, over the limit of {limit}")
    try:
        return await reader.readexactly(length)
    except asyncio.IncompleteReadError:
        raise FrameError("connection closed inside a frame") from None


def frame(content: bytes) -> bytes:
    """The bytes of one frame."""
    return _LENGTH.pack(len(content)) + content


def json_content(message: dict[str, Any]) -> bytes:
    """A JSON object as the content of a frame."""
    return json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode()


def json_frame(message: dict[str, Any]) -> bytes:
    """One frame that carries a JSON object."""
    return frame(json_content(message))


def parse_json_frame(content: bytes) -> dict[str, Any]:
    """The JSON object of one frame; FrameError when it is none."""
    try:
        message = json.loads(content)
    except (UnicodeDecodeError, json.JSONDecodeError) as wrong:
        raise FrameError(f"frame is no JSON: {wrong}") from None
    if not isinstance(message, dict):
        raise FrameError("frame is no JSON object")
    return message
