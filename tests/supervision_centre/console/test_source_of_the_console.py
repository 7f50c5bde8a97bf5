"""Rules of the console's source, each with its check."""

from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path

import pytest

from supervision_centre.settings import CONSOLE_FILES as STATIC_FOLDER

SCRIPTS = sorted(STATIC_FOLDER.rglob("*.js"))
SHEETS = sorted(STATIC_FOLDER.rglob("*.css"))
MAX_LINES = 300
_MARKUP = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|setAttribute\(\"style\""
)
_OUTSIDE = re.compile(r"https?://(?!www\.w3\.org/)")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: str(path.relative_to(STATIC_FOLDER)))
def test_scripts_are_small_build_no_markup_and_document_what_they_export(script: Path) -> None:
    text = script.read_text()
    assert len(text.splitlines()) <= MAX_LINES
    assert text.startswith("/**")
    assert not _MARKUP.search(text)
    assert not _OUTSIDE.search(text)
    for exported in re.finditer(r"^export (?!default)(?:async )?(?:function|class|const) (\w+)", text, re.MULTILINE):
        assert text[: exported.start()].rstrip().endswith("*/"), exported.group(1)


def test_the_page_holds_no_inline_script_and_no_inline_style() -> None:
    text = (STATIC_FOLDER / "index.html").read_text()
    assert "style=" not in text
    assert "<style" not in text
    assert not re.search(r"<script(?![^>]*\bsrc=)", text)
    for address in re.findall(r'(?:src|href)="/([^"]+)"', text):
        assert (STATIC_FOLDER / address).is_file(), address


def test_nothing_blinks_and_movement_is_left_out_for_those_who_ask() -> None:
    sheets = "".join(sheet.read_text() for sheet in SHEETS)
    assert "@keyframes" not in sheets
    assert "prefers-reduced-motion: reduce" in sheets


def test_text_colours_stand_out_on_every_surface() -> None:
    """WCAG 2.1 AA: 4.5:1 for every text colour on every surface that carries text."""
    tokens = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", (STATIC_FOLDER / "css" / "tokens.css").read_text()))
    surfaces = [tokens[name] for name in ("ground", "surface", "raised", "hover")]
    for name in ("text", "muted", "accent", "live", "caution", "fault"):
        for surface in surfaces:
            assert _contrast(tokens[name], surface) >= 4.5, (name, surface)
    assert _contrast(tokens["on-accent"], tokens["accent"]) >= 4.5
    assert _contrast(tokens["fault"], tokens["fault-deep"]) >= 4.5
    assert _contrast(tokens["caution"], tokens["caution-deep"]) >= 4.5


def test_the_causes_of_gaps_have_colours_of_their_own() -> None:
    tokens = dict(
        re.findall(r"--(gap-\w+|recorded): (#[0-9a-f]{6});", (STATIC_FOLDER / "css" / "tokens.css").read_text())
    )
    assert len(tokens) == 7
    for one, other in combinations(tokens.values(), 2):
        assert sum(abs(a - b) for a, b in zip(_channels(one), _channels(other), strict=True)) > 40, (one, other)


def _channels(colour: str) -> list[int]:
    return [int(colour[at : at + 2], 16) for at in (1, 3, 5)]


def _luminance(colour: str) -> float:
    values = [channel / 255 for channel in _channels(colour)]
    red, green, blue = (v / 12.92 if v <= 0.03928 else ((v + 0.055) / 1.055) ** 2.4 for v in values)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: str, other: str) -> float:
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)
