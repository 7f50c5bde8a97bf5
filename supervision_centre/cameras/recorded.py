"""What a node has of a camera, asked by those who can do without the answer."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from recorder.contract.node import RecorderNode
from recorder.contract.timeline import Timeline
from vms.base.errors import ErrorKind, VmsError

log = structlog.get_logger(__name__)

NODE_DEADLINE_S: Final = 5.0


async def recorded(node: RecorderNode, camera_id: str, start_ns: int, end_ns: int) -> Timeline | None:
    """Its time line, empty for a camera that the node never had; None when the node does not answer in time."""
    try:
        async with asyncio.timeout(NODE_DEADLINE_S):
            return await node.timeline(camera_id, start_ns, end_ns)
    except VmsError as refused:
        if refused.kind is ErrorKind.NOT_FOUND:
            return Timeline(camera_id, start_ns, end_ns, (), ())
        log.warning("node does not tell what it has", camera_id=camera_id, code=refused.code)
    except TimeoutError:
        log.warning("node does not tell what it has", camera_id=camera_id, code="node.timeout")
    return None
