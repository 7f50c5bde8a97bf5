"""The pure modules of the console, run where they live: in the browser."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.supervision_centre.console.screens import from_module
from tests.supervision_centre.console.stub_film import load_film

pytestmark = pytest.mark.browser

SUMMER = int(datetime(2026, 7, 14, 22, 30, tzinfo=UTC).timestamp() * 1000)
WINTER = int(datetime(2026, 1, 15, 23, 30, tzinfo=UTC).timestamp() * 1000)
AUTUMN_CHANGE = int(datetime(2026, 10, 25, 1, 0, tzinfo=UTC).timestamp() * 1000)


def bytes_of(data: bytes) -> str:
    return f"Uint8Array.from(atob('{base64.b64encode(data).decode()}'), one => one.charCodeAt(0))"


def test_instants_are_written_in_the_time_of_paris_whatever_the_season(page: Page) -> None:
    """LAW-39: the hour on the screen is the local one, and UTC stands beside it."""
    found = from_module(
        page,
        "ui/format.js",
        f"[m.dateTime({SUMMER}), m.dateTime({WINTER}), m.utcTime({SUMMER}), m.parseLocal('2026-07-15T00:30'),"
        f" m.parseLocal('2026-01-16T00:30'), m.toLocalField({SUMMER}), m.zoneOffset({AUTUMN_CHANGE - 1}),"
        f" m.zoneOffset({AUTUMN_CHANGE})]",
    )
    assert found == [
        "15/07/2026 00:30:00",
        "16/01/2026 00:30:00",
        "2026-07-14 22:30:00,000 UTC",
        SUMMER,
        WINTER,
        "2026-07-15T00:30",
        7_200_000,
        3_600_000,
    ]


def test_the_layout_is_the_smallest_that_holds_the_cameras_without_empty_rows(page: Page) -> None:
    counts = [1, 2, 4, 5, 7, 12, 13, 16, 40]
    found = from_module(
        page, "wall/layout.js", f"{counts}.map(n => {{const l = m.layoutFor(n); return [l.columns, l.rows]}})"
    )
    assert found == [[1, 1], [2, 1], [2, 2], [3, 2], [3, 3], [4, 3], [4, 4], [4, 4], [4, 4]]


def test_arrows_stop_at_the_edges_and_reach_a_shorter_last_row(page: Page) -> None:
    found = from_module(
        page,
        "wall/layout.js",
        "[['ArrowLeft', 0], ['ArrowRight', 4], ['ArrowDown', 2], ['ArrowDown', 4], ['ArrowUp', 4], ['End', 0]]"
        ".map(([key, at]) => m.neighbour(at, key, 5, 3))",
    )
    assert found == [0, 4, 4, 4, 1, 4]


@pytest.mark.parametrize(
    ("arrivals", "behind", "rate", "jump"),
    [
        (4, 0.12, 1, False),
        (4, 0.40, 1, True),
        (100, 0.12, 1, False),
        (100, 0.40, 1.1, False),
        (100, 2.00, 1, True),
    ],
)
def test_the_playhead_keeps_one_frame_and_a_margin_behind_the_newest_image(
    page: Page, arrivals: int, behind: float, rate: float, jump: bool
) -> None:
    found = from_module(
        page,
        "player/live_edge.js",
        f"(() => {{ const edge = new m.LiveEdge();"
        f" for (let i = 0; i < {arrivals}; i += 1) edge.arrived(i * 0.08, i * 0.08, 0.08);"
        f" edge.decide(0.1); return edge.decide({behind}); }})()",
    )
    assert found == {"rate": rate, "jump": jump}


def test_a_stream_that_arrives_unevenly_is_given_a_larger_margin(page: Page) -> None:
    even, uneven = (
        from_module(
            page,
            "player/live_edge.js",
            f"(() => {{ const edge = new m.LiveEdge(); for (let i = 0; i < 100; i += 1)"
            f" edge.arrived(i * 0.08 + (i % 5 === 4 ? {late} : 0), i * 0.08, 0.08); return edge.target; }})()",
        )
        for late in (0, 0.2)
    )
    assert even == pytest.approx(0.12, abs=0.02)
    assert 0.26 < uneven < 0.4


def test_fragments_are_read_as_they_were_written(page: Page) -> None:
    film = load_film("street_768x576_h264.mp4")
    piece = film.pieces[3]
    init, fragment = bytes_of(film.init), bytes_of(piece.dated(2**33))
    found: Any = from_module(
        page,
        "player/mp4.js",
        f"(() => {{ const init = {init}; return [m.initLength(init), m.initLength(init.subarray(0, 200)),"
        f" m.readInit(init), m.readFragment({fragment}, 90000)]; }})()",
    )
    assert found[:2] == [len(film.init), 0]
    assert found[2]["timescale"] == 90_000
    assert found[2]["mime"].lower() == film.mime.lower()
    assert found[3] == {"start": pytest.approx(2**33 / 90_000), "duration": pytest.approx(0.08)}


def test_broken_fragments_are_read_as_nothing_and_never_past_their_end(page: Page) -> None:
    piece = load_film("street_352x288_h264.mp4").pieces[0]
    cuts = [piece.data[:cut] for cut in (0, 7, 40, 90)] + [b"\xff" * 64, b"\0" * 64]
    found = from_module(
        page, "player/mp4.js", f"[{','.join(map(bytes_of, cuts))}].map(one => m.readFragment(one, 90000))"
    )
    assert found == [None] * len(cuts)


def test_a_point_in_a_gap_plays_from_the_next_recorded_image(page: Page) -> None:
    line = "{ spans: [{startMs: 0, endMs: 10}, {startMs: 20, endMs: 30}], gaps: [] }"
    found = from_module(page, "playback/timeline.js", f"[5, 12, 30].map(at => m.playableFrom({line}, at))")
    assert found == [5, 20, None]


def test_the_zoom_keeps_the_instant_under_the_pointer_and_never_shows_the_future(page: Page) -> None:
    found = from_module(
        page,
        "playback/timeline.js",
        "[m.zoomed({startMs: 0, endMs: 3600000}, -1, 900000, 1e12),"
        " m.zoomed({startMs: 0, endMs: 3600000}, 1, 0, 3600000)]",
    )
    assert found[0] == {"startMs": 450_000, "endMs": 2_250_000}
    assert found[1] == {"startMs": 3_600_000 - 3 * 3_600_000, "endMs": 3_600_000}
