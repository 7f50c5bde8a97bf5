"""Structured logs, in English, one JSON object a line or readable text, with secrets masked.

Masking works on names and on shapes: a field whose name speaks of a secret, credentials inside an address, an
`Authorization` header, a signed ticket.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog

MASK = "•••"
_SECRET_NAME = re.compile(
    r"pass(word|wd|phrase)?$|secret|token|ticket$|cookie|credential|private_key|authorization|digest_response",
    re.IGNORECASE,
)
_SECRET_SHAPES = (
    (re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*://)[^/\s:@]+(:[^/\s@]*)?@", re.IGNORECASE), rf"\g<scheme>{MASK}@"),
    (re.compile(r"(?i)(authorization|cookie|x-csrf-token)(\s*[:=]\s*)[^\r\n]+"), rf"\1\2{MASK}"),
    (re.compile(r"(?i)\b(password|passwd|mot de passe|pwd)(\s*[:=]\s*)\S+"), rf"\1\2{MASK}"),
    (re.compile(r"\beyJ[\w-]{40,}\.[\w-]{40,}"), MASK),
)


def mask_text(text: str) -> str:
    """The text with everything that looks like a secret replaced by a mask."""
    for shape, replacement in _SECRET_SHAPES:
        text = shape.sub(replacement, text)
    return text


def mask(value: object, name: str = "") -> object:
    """The value as a log may show it; `name` is the field that holds it."""
    if name and _SECRET_NAME.search(name):
        return MASK
    if isinstance(value, str):
        return mask_text(value)
    if isinstance(value, dict):
        return {key: mask(inner, str(key)) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [mask(inner) for inner in value]
    return value


def _mask_event(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for name in list(event):
        event[name] = mask(event[name], name)
    return event


def configure_logging(process: str, *, level: str = "info", as_json: bool = True, stream: TextIO | None = None) -> None:
    """Send the logs of this process to `stream` (standard error): its own and those of every library."""

    def name_process(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event["process"] = process
        return event

    shared: list[structlog.typing.Processor] = [
        name_process,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
    ]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if as_json
        else structlog.dev.ConsoleRenderer(colors=False)
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _mask_event, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for noisy in ("httpx", "httpcore", "websockets", "zeep", "aiosqlite", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
