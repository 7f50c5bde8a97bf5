"""The pure modules of the console, run where they live: in the browser."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.supervision_centre.console.screens import from_module
from tests.supervision_centre.console.stub_clock_film import clock_film, dated
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
        f"(() => {{ const init = {init}; return [m.readInit(init), m.readInit(init.subarray(0, 200)),"
        f" m.readFragment({fragment}, 90000)]; }})()",
    )
    assert found[0]["timescale"] == 90_000
    assert found[0]["mime"].lower() == film.mime.lower()
    assert found[0]["codec"].lower() in film.mime.lower()
    assert found[1] is None
    assert found[2] == {"start": pytest.approx(2**33 / 90_000), "duration": pytest.approx(0.08)}


def test_broken_fragments_are_read_as_nothing_and_never_past_their_end(page: Page) -> None:
    piece = load_film("street_352x288_h264.mp4").pieces[0]
    cuts = [piece.data[:cut] for cut in (0, 7, 40, 90)] + [b"\xff" * 64, b"\0" * 64]
    found = from_module(
        page, "player/mp4.js", f"[{','.join(map(bytes_of, cuts))}].map(one => m.readFragment(one, 90000))"
    )
    assert found == [None] * len(cuts)


def test_a_group_is_read_by_presentation_whatever_the_order_of_decoding(page: Page) -> None:
    film = clock_film(reordered=True)
    init, group = bytes_of(film.init), bytes_of(dated(film.groups[3], 5 * 90_000))
    found = from_module(
        page,
        "player/shelf.js",
        f"(async () => {{ const init = (await import('/js/player/mp4.js')).readInit({init});"
        f" const group = m.makeGroup({{captureMs: 7000, bytes: {group}}}, init, 2000);"
        " return [group.startMs, group.endMs, group.frames.map(one => one.pts), group.frames.map(one => one.sample)];"
        " })()",
    )
    assert found[:2] == [7000, pytest.approx(8000)]
    assert found[2] == pytest.approx([7000 + 40 * number for number in range(25)])
    assert found[3] != sorted(found[3])


SHELF = """(() => {
  const group = startMs => ({ startMs, endMs: startMs + 100, bytes: new Uint8Array(10), samples: [0, 1],
    frames: [{ pts: startMs, endMs: startMs + 50 }, { pts: startMs + 50, endMs: startMs + 100 }] });
  const shelf = new m.Shelf();
  for (const at of [300, 0, 100]) { shelf.put(group(at)); shelf.know(at, at + 100); }
  shelf.addGap({ startMs: 200, endMs: 300, cause: "link" });
  shelf.know(200, 300);
"""


def test_the_shelf_knows_which_picture_belongs_to_an_instant_and_what_is_missing(page: Page) -> None:
    found = from_module(
        page,
        "player/shelf.js",
        SHELF + " const at = ms => shelf.frameAt(ms)?.frame.pts ?? null;"
        " return [[0, 49, 50, 199, 200, 299, 300, 400].map(at), shelf.knownEnd(10), shelf.knownStart(390),"
        " shelf.knownEnd(400), shelf.gapAt(250).cause, shelf.after(shelf.frameAt(199)).frame.pts,"
        " shelf.before(shelf.frameAt(300)).frame.pts]; })()",
    )
    assert found == [[0, 0, 50, 150, None, None, 300, None], 400, 0, None, "link", 300, 150]


def test_the_shelf_forgets_what_is_far_from_the_head_and_no_longer_claims_to_know_it(page: Page) -> None:
    found = from_module(
        page,
        "player/shelf.js",
        SHELF + " shelf.evict(350, 1, 20); return [shelf.bytes, shelf.knownStart(350), shelf.frameAt(10)]; })()",
    )
    assert found == [20, 100, None]


def test_the_head_waits_and_never_runs_away_while_the_page_is_hidden(page: Page) -> None:
    found = from_module(
        page,
        "player/head.js",
        "(() => { const head = new m.Head(); head.place(1000); head.play(-1, 4); head.advance(0, false);"
        " head.advance(10, false); const moved = head.ms; head.advance(50, true); const waited = head.ms;"
        " head.advance(90_000, false); return [moved, waited, head.ms]; })()",
    )
    assert found == [960, 960, 560]


def test_the_same_key_of_the_shuttle_is_faster_and_the_other_turns_round(page: Page) -> None:
    found = from_module(
        page,
        "player/head.js",
        "[[false, 1, 4, 1], [true, 1, 1, 1], [true, 1, 16, 1], [true, 1, 8, -1], [true, -1, 0.25, -1]]"
        ".map(([playing, direction, speed, key]) => m.shuttled({ playing, direction, speed }, key))",
    )
    assert found == [1, 2, 16, 1, 0.5]


def test_a_jump_can_be_undone_and_done_again(page: Page) -> None:
    found = from_module(
        page,
        "playback/trail.js",
        "(() => { const trail = new m.Trail(); trail.leave(1000); trail.leave(5000);"
        " return [trail.back(9000), trail.back(5000), trail.back(1000), trail.forward(1000), trail.canGoForward]; })()",
    )
    assert found == [5000, 1000, None, 5000, True]


def test_instants_survive_the_wire(page: Page) -> None:
    """Milliseconds in doubles lose less than a microsecond."""
    found = from_module(page, "player/instants.js", "[m.msOf('1795519518123456789'), m.nsOf(0), m.nsOf(1500.25)]")
    assert found == [pytest.approx(1795519518123.4568, abs=0.001), "0", "1500250000"]


def test_a_hand_that_points_beside_what_is_recorded_means_its_edge_when_it_is_close(page: Page) -> None:
    line = "[{ spans: [{startMs: 10000, endMs: 20000}, {startMs: 60000, endMs: 90000}], gaps: [] }]"
    found = from_module(
        page, "playback/timeline.js", f"[9000, 15000, 20500, 40000, 59000].map(at => m.snapped({line}, at, 4000))"
    )
    assert found == [10_000, 15_000, 18_000, 40_000, 60_000]


def test_the_zoom_keeps_the_instant_under_the_pointer_and_never_shows_the_future(page: Page) -> None:
    found = from_module(
        page,
        "playback/timeline.js",
        "[m.zoomed({startMs: 0, endMs: 3600000}, -1, 900000, 1e12),"
        " m.zoomed({startMs: 0, endMs: 3600000}, 1, 0, 3600000)]",
    )
    assert found[0] == {"startMs": 450_000, "endMs": 2_250_000}
    assert found[1] == {"startMs": 3_600_000 - 3 * 3_600_000, "endMs": 3_600_000}
