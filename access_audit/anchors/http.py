"""One bounded POST to a third party."""

from __future__ import annotations

from dataclasses import dataclass

import httpx

from access_audit.anchors.files import AnchorError

MAX_ANSWER_BYTES = 65_536
TIMEOUT_S = 20.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What a third party answered."""

    status: int
    kind: str
    body: bytes


async def post(client: httpx.AsyncClient, url: str, content: bytes, kind: str) -> Answer:
    """Send and take the answer. AnchorError `unreachable` when there is none, `refused` when it is too long."""
    try:
        async with client.stream("POST", url, content=content, headers={"Content-Type": kind}) as response:
            body = bytearray()
            async for part in response.aiter_bytes():
                body += part
                if len(body) > MAX_ANSWER_BYTES:
                    raise AnchorError("refused", "answer too long")
            return Answer(response.status_code, response.headers.get("Content-Type", ""), bytes(body))
    except (httpx.HTTPError, httpx.InvalidURL) as failed:
        raise AnchorError("unreachable", f"{type(failed).__name__} {failed}") from None
