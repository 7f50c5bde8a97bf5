"""A document as PDF/A-3B (ISO 19005-3): embedded font, no transparency, no script, French, its date in its metadata.

A character that the font does not have is drawn as U+FFFD, since PDF/A
knows no missing glyph. Run by `supervision_centre.documents` in a process of its own: drawing costs seconds of
processor for thousands of lines, which the loop of the centre does not have.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Final

from fpdf import FPDF
from fpdf.enums import AssociatedFileRelationship, DocumentCompliance
from fpdf.fonts import TTFFont

from supervision_centre.documents.document import Block, BlockKind, Document
from vms.base.clock import NS_PER_SECOND

FONTS: Final = Path(__file__).parent / "fonts"
_FAMILY: Final = "DejaVuSansCondensed"
_MARGIN_MM: Final = 14.0
_FOOT_MM: Final = 14.0
_GAP_MM: Final = 1.6
_MISSING: Final = "\ufffd"
_TEXT_PT, _TABLE_PT, _HEADING_PT, _TITLE_PT = 9.0, 7.0, 11.5, 16.0
_LEADING: Final = 0.3528 * 1.32  # millimetres of line for each point of size
_INK, _MUTED, _RULE, _SHADE = (20, 24, 32), (92, 98, 110), (190, 195, 204), (240, 242, 246)


def pdf_of(document: Document) -> bytes:
    """The bytes of a PDF/A-3B file."""
    return _Page(document).draw()


class _Sheet(FPDF):
    """A4 with the footer of the document."""

    def __init__(self, document: Document) -> None:
        super().__init__(
            orientation="L" if document.landscape else "P",
            format="A4",
            enforce_compliance=DocumentCompliance.PDFA_3B,
        )
        self._foot = document.footer
        self.add_font(_FAMILY, "", FONTS / f"{_FAMILY}.ttf")
        self.add_font(_FAMILY, "B", FONTS / f"{_FAMILY}-Bold.ttf")
        self.set_margin(_MARGIN_MM)
        self.set_auto_page_break(False)
        self.alias_nb_pages()

    def footer(self) -> None:
        self.set_font(_FAMILY, "", 7)
        self.set_text_color(*_MUTED)
        self.text(_MARGIN_MM, self.h - 8, self._foot)
        self.text(self.w - _MARGIN_MM - 22, self.h - 8, f"page {self.page_no()} / {{nb}}")


class _Page:
    """Draws the blocks one below the other."""

    def __init__(self, document: Document) -> None:
        self._document = document
        made_at = datetime.fromtimestamp(document.made_at_ns // NS_PER_SECOND, UTC)
        self._made_at = made_at
        sheet = self._sheet = _Sheet(document)
        sheet.set_lang("fr-FR")
        sheet.set_title(document.title)
        sheet.set_author(document.issuer)
        sheet.set_creator("vms-departemental")
        sheet.set_creation_date(made_at)
        font = sheet.fonts[_FAMILY.lower()]
        assert isinstance(font, TTFFont)
        self._known = frozenset(font.cmap)
        self._width = cache(self._measure)
        self._style = ("", _TEXT_PT)

    def draw(self) -> bytes:
        sheet = self._sheet
        sheet.add_page()
        self._paragraph(self._document.issuer, "", _TEXT_PT, _MUTED)
        self._paragraph(self._document.title, "B", _TITLE_PT, _INK)
        sheet.set_y(sheet.y + _GAP_MM)
        for block in self._document.blocks:
            self._block(block)
        for one in self._document.attachments:
            sheet.embed_file(
                bytes=one.content,
                basename=one.name,
                mime_type=one.mime,
                modification_date=self._made_at,
                associated_file_relationship=AssociatedFileRelationship.SOURCE.value,
            )
        return bytes(sheet.output())

    def _block(self, block: Block) -> None:
        if block.kind is BlockKind.HEADING:
            self._need(18)
            self._sheet.set_y(self._sheet.y + 2 * _GAP_MM)
            self._paragraph(block.text, "B", _HEADING_PT, _INK)
        elif block.kind is BlockKind.TABLE:
            self._table(block)
        elif block.kind is BlockKind.FACTS:
            self._facts(block)
        elif block.kind is BlockKind.NOTICE:
            self._paragraph(block.text, "B", _TEXT_PT, _INK)
        else:
            self._paragraph(block.text, "", _TEXT_PT, _MUTED if block.kind is BlockKind.DIGEST else _INK)
        self._sheet.set_y(self._sheet.y + _GAP_MM)

    def _paragraph(self, content: str, weight: str, size: float, colour: tuple[int, int, int]) -> None:
        self._set(weight, size, colour)
        step = size * _LEADING
        for line in self._lines(content, self._sheet.epw):
            self._need(step)
            self._put(_MARGIN_MM, self._sheet.y, line, size, weight, colour)
            self._sheet.set_y(self._sheet.y + step)

    def _facts(self, block: Block) -> None:
        names_mm = 48.0
        step = _TEXT_PT * _LEADING
        for name, value in block.rows:
            self._set("", _TEXT_PT, _INK)
            lines = self._lines(value, self._sheet.epw - names_mm)
            self._need(step * len(lines))
            top = self._sheet.y
            self._put(_MARGIN_MM, top, name, _TEXT_PT, "", _MUTED)
            for number, line in enumerate(lines):
                self._put(_MARGIN_MM + names_mm, top + number * step, line, _TEXT_PT, "", _INK)
            self._sheet.set_y(top + step * len(lines) + 0.4)

    def _table(self, block: Block) -> None:
        whole = sum(share for _, share in block.columns)
        widths = [self._sheet.epw * share / whole for _, share in block.columns]
        self._titles(block, widths)
        step = _TABLE_PT * _LEADING
        self._set("", _TABLE_PT, _INK)
        for row in block.rows:
            cells = [self._lines(value, width - 2) for value, width in zip(row, widths, strict=True)]
            height = max(1, *map(len, cells)) * step + 1.2
            if not self._room(height):
                self._sheet.add_page()
                self._titles(block, widths)
                self._set("", _TABLE_PT, _INK)
            self._row(cells, widths, step)
            bottom = self._sheet.y + height
            self._sheet.set_y(bottom)
            self._sheet.line(_MARGIN_MM, bottom - 0.2, self._sheet.w - _MARGIN_MM, bottom - 0.2)

    def _titles(self, block: Block, widths: Sequence[float]) -> None:
        step = _TABLE_PT * _LEADING
        self._set("B", _TABLE_PT, _INK)
        cells = [self._lines(name, width - 2) for (name, _), width in zip(block.columns, widths, strict=True)]
        height = max(map(len, cells)) * step + 2
        self._need(height + 3 * step)
        self._sheet.set_fill_color(*_SHADE)
        self._sheet.rect(_MARGIN_MM, self._sheet.y, self._sheet.epw, height, "F")
        self._set("B", _TABLE_PT, _INK)
        self._row(cells, widths, step)
        self._sheet.set_y(self._sheet.y + height + 0.6)
        self._sheet.set_draw_color(*_RULE)
        self._sheet.set_line_width(0.1)

    def _row(self, cells: Sequence[Sequence[str]], widths: Sequence[float], step: float) -> None:
        left, top = _MARGIN_MM, self._sheet.y
        base = top + _TABLE_PT * _LEADING * 0.78 + 0.4
        for lines, width in zip(cells, widths, strict=True):
            for number, line in enumerate(lines):
                self._sheet.text(left + 0.8, base + number * step, line)
            left += width

    def _put(self, left: float, top: float, line: str, size: float, weight: str, colour: tuple[int, int, int]) -> None:
        self._set(weight, size, colour)
        self._sheet.text(left, top + size * _LEADING * 0.78, self._drawable(line))

    def _set(self, weight: str, size: float, colour: tuple[int, int, int]) -> None:
        self._style = (weight, size)
        self._sheet.set_font(_FAMILY, weight, size)
        self._sheet.set_text_color(*colour)

    def _need(self, height: float) -> None:
        if not self._room(height):
            self._sheet.add_page()

    def _room(self, height: float) -> bool:
        return self._sheet.y + height <= self._sheet.h - _FOOT_MM

    def _lines(self, content: str, width: float) -> list[str]:
        """The lines of a text: broken at spaces, and inside a word that is wider than the column."""
        lines: list[str] = []
        for part in self._drawable(content).split("\n"):
            line, used = "", 0.0
            for whole in part.split(" "):
                word = whole
                length = self._length(word)
                blank = self._length(" ") if line else 0.0
                if line and used + blank + length > width:
                    lines.append(line)
                    line, used, blank = "", 0.0, 0.0
                while length > width and len(word) > 1:
                    cut = self._cut(word, width)
                    lines.append(word[:cut])
                    word = word[cut:]
                    length = self._length(word)
                line = f"{line} {word}" if line else word
                used += blank + length
            lines.append(line)
        return lines

    def _cut(self, word: str, width: float) -> int:
        used = 0.0
        for place, letter in enumerate(word):
            used += self._width(*self._style, letter)
            if used > width:
                return max(1, place)
        return len(word)

    def _length(self, word: str) -> float:
        return sum(self._width(*self._style, letter) for letter in word)

    def _measure(self, weight: str, size: float, letter: str) -> float:  # noqa: ARG002 — the font is already set
        return float(self._sheet.get_string_width(letter))

    def _drawable(self, content: str) -> str:
        if all(ord(letter) in self._known or letter == "\n" for letter in content):
            return content
        return "".join(letter if letter == "\n" or ord(letter) in self._known else _MISSING for letter in content)
