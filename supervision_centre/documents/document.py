"""What a document says, without layout: it travels to the process that draws it as JSON.

Every text is text: nothing in it is markup. Instants are already written as people read them.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

MAX_DOCUMENT_BYTES: Final = 32 * 1024 * 1024


class BlockKind(StrEnum):
    """What a block is."""

    HEADING = "heading"
    TEXT = "text"
    NOTICE = "notice"
    DIGEST = "digest"
    FACTS = "facts"
    TABLE = "table"


@dataclass(frozen=True, slots=True)
class Block:
    """One block. `rows` of facts are pairs; `columns` of a table are titles with their share of the width."""

    kind: BlockKind
    text: str = ""
    columns: tuple[tuple[str, int], ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file inside the PDF (PDF/A-3), beside what people read."""

    name: str
    mime: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Document:
    """A document. `made_at_ns` is its date (UTC nanoseconds)."""

    title: str
    issuer: str
    made_at_ns: int
    blocks: tuple[Block, ...]
    footer: str = ""
    landscape: bool = False
    attachments: tuple[Attachment, ...] = ()

    def to_json(self) -> bytes:
        """The document as it travels."""
        raw = {
            "title": self.title,
            "issuer": self.issuer,
            "made_at_ns": self.made_at_ns,
            "footer": self.footer,
            "landscape": self.landscape,
            "blocks": [[block.kind.value, block.text, block.columns, block.rows] for block in self.blocks],
            "attachments": [[one.name, one.mime, base64.b64encode(one.content).decode()] for one in self.attachments],
        }
        return json.dumps(raw, ensure_ascii=False).encode()

    @classmethod
    def from_json(cls, content: bytes) -> Document:
        """The document of a message; ValueError, KeyError or TypeError when it is none."""
        raw: dict[str, Any] = json.loads(content)
        return cls(
            title=str(raw["title"]),
            issuer=str(raw["issuer"]),
            made_at_ns=int(raw["made_at_ns"]),
            blocks=tuple(
                Block(
                    BlockKind(kind),
                    str(text),
                    tuple((str(name), int(share)) for name, share in columns),
                    tuple(tuple(map(str, row)) for row in rows),
                )
                for kind, text, columns, rows in raw["blocks"]
            ),
            footer=str(raw["footer"]),
            landscape=bool(raw["landscape"]),
            attachments=tuple(
                Attachment(str(name), str(mime), base64.b64decode(content))
                for name, mime, content in raw["attachments"]
            ),
        )


def heading(text: str) -> Block:
    """A title inside the document."""
    return Block(BlockKind.HEADING, text)


def text(content: str) -> Block:
    """A paragraph."""
    return Block(BlockKind.TEXT, content)


def notice(content: str) -> Block:
    """A paragraph that must not be missed."""
    return Block(BlockKind.NOTICE, content)


def digest(content: str) -> Block:
    """A digest or a command line, broken anywhere."""
    return Block(BlockKind.DIGEST, content)


def facts(*pairs: tuple[str, str]) -> Block:
    """Names with their values."""
    return Block(BlockKind.FACTS, rows=pairs)


def table(columns: tuple[tuple[str, int], ...], rows: tuple[tuple[str, ...], ...]) -> Block:
    """A table; its titles are repeated on every page."""
    return Block(BlockKind.TABLE, columns=columns, rows=rows)
