"""Drawing a document in a process of its own, so that nobody's picture waits for somebody's page."""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress

import structlog

from supervision_centre.documents.document import MAX_DOCUMENT_BYTES, Document
from vms.base.errors import ErrorKind, VmsError

log = structlog.get_logger(__name__)

DEADLINE_S = 180.0
_COMMAND = (sys.executable, "-m", "supervision_centre.documents")


async def pdf_bytes(document: Document) -> bytes:
    """The document as PDF/A-3B. VmsError `document.failed` when it cannot be drawn in time."""
    content = await asyncio.to_thread(document.to_json)
    if len(content) > MAX_DOCUMENT_BYTES:
        raise _failed(f"{len(content)} bytes to draw")
    process = await asyncio.create_subprocess_exec(
        *_COMMAND, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(DEADLINE_S):
            drawn, complaints = await process.communicate(content)
    except TimeoutError:
        raise _failed(f"not drawn within {DEADLINE_S} s") from None
    finally:
        with suppress(ProcessLookupError):
            if process.returncode is None:
                process.kill()
                await process.wait()
    if process.returncode or not drawn.startswith(b"%PDF"):
        raise _failed(complaints.decode("utf-8", "replace")[-2000:])
    return drawn


def _failed(detail: str) -> VmsError:
    log.error("document not drawn", detail=detail)
    return VmsError(
        ErrorKind.INTERNAL,
        "document.failed",
        "Le document PDF n'a pas pu être produit.",
        hint="Réessayez ; la version CSV ou JSON reste disponible.",
        detail=detail,
    )
