"""Playback by WebSocket: groups of pictures, pulled forward and backward."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from recorder.contract.timeline import GapCause
from recorder.store.schema import INDEX_NAME
from recorder.store.segment import StoredSegment
from tests.recorder.footage import B_FRAMES_FILE, Footage, footage
from tests.recorder.gateways import CAMERA, RunningGateway, running_gateway, until
from tests.recorder.playback.archive import START_NS, Archive
from tests.recorder.playback.player import playing
from tests.recorder.playback.test_reader import cut, lose, overwrite_head
from vms.base.clock import NS_PER_MS, NS_PER_SECOND, SystemClock
from vms.media.fmp4 import parse_moof

END_NS = START_NS + 3_600 * NS_PER_SECOND


async def record(archive: Archive, groups: int, segments: int = 1, start_ns: int = START_NS) -> list[StoredSegment]:
    """Segments of so many groups, one right behind the other."""
    pictures = groups * archive.film.group
    length_ns = pictures * archive.interval_ns
    return [
        await asyncio.to_thread(archive.record_as_shard, start_ns + number * length_ns, pictures)
        for number in range(segments)
    ]


def group_ns(archive: Archive) -> int:
    return archive.film.group * archive.interval_ns


async def test_a_player_pulls_groups_forward_and_backward(node: RunningGateway, archive: Archive) -> None:
    """LAW-41: the groups of backward are those of forward, bit for bit, and all pictures are shown."""
    await record(archive, 3, segments=3)
    async with playing(node) as player:
        opened = await player.open(node.centre.playback(START_NS, END_NS))
        assert opened == {"type": "opened", "stream": 1, "origin": str(START_NS), "end": str(END_NS)}
        forward = await player.fetch(START_NS, END_NS, limit=4)
        assert [one.pictures for one in forward.groups] == [archive.film.group] * 4
        assert forward.done["reason"] == "limit"
        whole = await player.everything(START_NS, END_NS, limit=4)
        assert len(whole) == 9
        shown_ns = player.shown_ns(whole, START_NS)
        assert len(shown_ns) == 9 * archive.film.group
        assert shown_ns == sorted(shown_ns)
        assert shown_ns[0] == START_NS
        backward = await player.everything(END_NS, START_NS, direction="reverse", limit=2)
        assert [one.start_ns for one in backward] == [one.start_ns for one in reversed(whole)]
        assert [one.data for one in backward] == [one.data for one in reversed(whole)]
        assert all(one.key for one in whole)
        assert len(player.inits) == 1


async def test_every_instant_gives_the_group_that_holds_it(node: RunningGateway, archive: Archive) -> None:
    await record(archive, 2, segments=2)
    async with playing(node) as player:
        await player.open(node.centre.playback(START_NS, END_NS))
        for number in range(4):
            begin_ns = START_NS + number * group_ns(archive)
            for offset_ns in (0, 7 * NS_PER_MS, group_ns(archive) - 10 * NS_PER_MS):
                for direction, to_ns in (("forward", END_NS), ("reverse", START_NS)):
                    answer = await player.fetch(begin_ns + offset_ns, to_ns, direction=direction, limit=1)
                    assert abs(answer.groups[0].start_ns - begin_ns) < 100_000


async def test_a_player_that_counts_in_milliseconds_does_not_get_a_group_twice(
    node: RunningGateway, archive: Archive
) -> None:
    await record(archive, 3, segments=2)
    async with playing(node) as player:
        await player.open(node.centre.playback(START_NS, END_NS))
        for direction, to_ns in (("forward", END_NS), ("reverse", START_NS)):
            starts: list[int] = []
            at: int | None = START_NS if direction == "forward" else END_NS
            while at is not None:
                answer = (
                    await player.fetch(int(at / 1e6 * 1e6) - 300, to_ns - 600, direction=direction, limit=1)
                    if (direction == "forward")
                    else await player.fetch(at + 300, to_ns, direction=direction, limit=1)
                )
                starts += [one.start_ns for one in answer.groups]
                at = answer.next_ns if answer.groups else None
            assert len(starts) == 6
            assert starts == sorted(set(starts), reverse=direction == "reverse")


async def test_key_frames_alone_are_a_film_without_holes(node: RunningGateway, archive: Archive) -> None:
    await record(archive, 3, segments=2)
    async with playing(node) as player:
        await player.open(node.centre.playback(START_NS, END_NS))
        whole = await player.everything(START_NS, END_NS)
        keys = await player.everything(START_NS, END_NS, frames="key", limit=2)
        assert [one.pictures for one in keys] == [1] * 6
        assert [one.start_ns for one in keys] == [one.start_ns for one in whole]
        assert [(one.decode_90k, one.end_90k) for one in keys] == [(one.decode_90k, one.end_90k) for one in whole]
        assert len(player.shown_ns(keys, START_NS)) == 6
        backward = await player.everything(END_NS, START_NS, frames="key", direction="reverse")
        assert [one.data for one in backward] == [one.data for one in reversed(keys)]


async def test_where_pictures_are_reordered_every_group_is_exact_and_decodes_alone(
    node: RunningGateway, archive: Archive
) -> None:
    film = footage(B_FRAMES_FILE.name)
    await asyncio.to_thread(archive.record_as_shard, START_NS, len(film.pictures), film=film)
    first_90k = film.pictures[0].presentation_90k
    expected_ns = sorted(START_NS + (one.presentation_90k - first_90k) * 100_000 // 9 for one in film.pictures)
    keys_ns = [START_NS + (one.presentation_90k - first_90k) * 100_000 // 9 for one in film.pictures if one.key]
    async with playing(node) as player:
        await player.open(node.centre.playback(START_NS, END_NS))
        whole = await player.everything(START_NS, END_NS)
        assert [round(one.start_ns / 1e5) for one in whole] == [round(key_ns / 1e5) for key_ns in keys_ns]
        shown_ns = player.shown_ns(whole, START_NS)
        assert [round(one / 1e5) for one in shown_ns] == [round(one / 1e5) for one in expected_ns]
        alone = [one for group in whole for one in player.shown_ns([group], START_NS)]
        assert alone == shown_ns
        for key_ns, group in zip(keys_ns[1:], whole[1:], strict=True):
            # Decoding of the group has begun already, but what is presented just before it is of the group before.
            before = await player.fetch(key_ns - 20 * NS_PER_MS, END_NS, limit=1)
            assert before.groups[0].start_ns < group.start_ns
            assert (await player.fetch(key_ns, END_NS, limit=1)).groups[0].data == group.data
        backward = await player.everything(END_NS, START_NS, direction="reverse", limit=1)
        assert [one.data for one in backward] == [one.data for one in reversed(whole)]


async def test_a_gap_is_named_with_its_cause(node: RunningGateway, archive: Archive) -> None:
    await record(archive, 1)
    begin_ns, middle_ns = START_NS + group_ns(archive), START_NS + 60 * NS_PER_SECOND
    later_ns = START_NS + 100 * NS_PER_SECOND
    await record(archive, 1, start_ns=later_ns)
    await asyncio.to_thread(archive.index.add_gap, CAMERA, begin_ns, middle_ns, GapCause.LINK, "timeout")
    async with playing(node) as player:
        await player.open(node.centre.playback(START_NS - 10 * NS_PER_SECOND, END_NS))
        for direction in ("forward", "reverse"):
            way = (START_NS, later_ns + 1) if direction == "forward" else (later_ns + 1, START_NS)
            answer = await player.fetch(*way, direction=direction)
            gaps = [(int(gap["from"]), int(gap["to"]), gap["cause"]) for gap in answer.said("gap")]
            expected = [(middle_ns, "link"), (later_ns, "not_recorded")]
            assert [(round(to / 1e6), cause) for _, to, cause in gaps] == [
                (to // 10**6, cause) for to, cause in (expected if direction == "forward" else reversed(expected))
            ]
            assert len(answer.groups) == 2
        before = await player.fetch(START_NS - 10 * NS_PER_SECOND, START_NS + 1)
        (gap,) = before.said("gap")
        assert (gap["to"], gap["cause"]) == (str(START_NS), "not_recorded")
        nothing = await player.fetch(later_ns + 50 * NS_PER_SECOND, END_NS)
        assert (nothing.done["next"], nothing.done["reason"]) == (None, "nothing")
        assert nothing.said("gap")


async def test_what_is_still_written_is_given_up_to_its_last_whole_fragment(
    node: RunningGateway, archive: Archive
) -> None:
    pictures = 3 * archive.film.group
    growing = await asyncio.to_thread(archive.record_as_shard, START_NS, pictures, still_open=True)
    path = archive.folder / growing.file
    whole = await asyncio.to_thread(path.read_bytes)
    last = whole.rindex(b"moof") - 4
    await asyncio.to_thread(path.write_bytes, whole[: len(whole) - 10])
    async with playing(node) as player:
        await player.open(node.centre.playback(START_NS, END_NS))
        answer = await player.fetch(START_NS, END_NS)
        assert answer.done["reason"] == "end"
        assert not answer.said("gap")
        assert answer.next_ns is not None
        assert sum(len(one.data) for one in answer.groups) < last
        await asyncio.to_thread(path.write_bytes, whole)
        more = await player.fetch(answer.next_ns, END_NS)
        assert more.groups
        assert more.next_ns is not None
        assert more.next_ns > answer.next_ns
        nothing_yet = await player.fetch(more.next_ns, END_NS)
        assert (nothing_yet.groups, nothing_yet.next_ns) == ([], more.next_ns)
        backward = await player.fetch(END_NS, START_NS, direction="reverse", limit=1)
        assert backward.groups[0].data == more.groups[-1].data
        await asyncio.to_thread(archive.close_segment, growing)
        await record(archive, 1, start_ns=START_NS + 3 * group_ns(archive))
        rest = await player.fetch(more.next_ns, END_NS)
        assert sum(one.pictures for one in rest.groups) >= archive.film.group


async def test_a_change_of_parameter_sets_is_a_new_generation(node: RunningGateway, archive: Archive) -> None:
    other = footage("street_768x576_h264.mp4")
    await record(archive, 1)
    await asyncio.to_thread(archive.record_as_shard, START_NS + group_ns(archive), 8, film=other)
    async with playing(node) as player:
        await player.open(node.centre.playback(START_NS, END_NS))
        answer = await player.fetch(START_NS, END_NS)
        configs = answer.said("config")
        assert [(one["generation"], one["width"]) for one in configs] == [(1, archive.film.width), (2, other.width)]
        assert [one.generation for one in answer.groups] == [1, 2]
        assert all(config["mime"].startswith('video/mp4; codecs="avc1.') for config in configs)
        again = await player.fetch(START_NS, END_NS, limit=1)
        assert again.groups[0].generation == 3
        assert player.inits[1, 3] == player.inits[1, 1]


async def test_nothing_outside_the_range_of_the_ticket_is_given(node: RunningGateway, archive: Archive) -> None:
    """LAW-18: what is asked never widens the right; what a decoder needs before the first picture takes no time."""
    await record(archive, 4)
    start_ns = START_NS + group_ns(archive) + 5 * archive.interval_ns + 1
    end_ns = START_NS + 2 * group_ns(archive) + 5 * archive.interval_ns
    async with playing(node) as player:
        await player.open(node.centre.playback(start_ns, end_ns))
        answer = await player.fetch(0, (1 << 63) - 1)
        assert [one.pictures for one in answer.groups] == [archive.film.group, 5]
        assert (answer.done["next"], answer.done["reason"]) == (None, "end")
        shown_ns = player.shown_ns(answer.groups, start_ns)
        real_ns = [one for one in shown_ns if one - start_ns >= NS_PER_MS]
        assert len(real_ns) == archive.film.group - 6 + 5
        assert abs(real_ns[0] - (START_NS + group_ns(archive) + 6 * archive.interval_ns)) < 20_000  # a tick and a half
        assert max(one.end_90k for one in answer.groups) <= (end_ns - start_ns) * 9 // 100_000 + 1
        _, decode_90k, samples = parse_moof(answer.groups[0].data)
        assert decode_90k == 0
        assert [sample.duration_90k for sample in samples[:5]] == [1] * 5
        backward = await player.fetch((1 << 63) - 1, 0, direction="reverse")
        assert [one.data for one in backward.groups] == [one.data for one in reversed(answer.groups)]


@pytest.mark.parametrize(
    ("harm", "code"), [(cut, "segment.truncated"), (lose, "segment.missing"), (overwrite_head, "segment.damaged")]
)
async def test_a_file_that_is_not_what_the_index_says_is_told_and_passed_over(
    node: RunningGateway, archive: Archive, harm: Callable[[Archive, StoredSegment], None], code: str
) -> None:
    """LAW-14, LAW-40."""
    segments = await record(archive, 2, segments=3)
    await asyncio.to_thread(harm, archive, segments[1])
    with capture_logs() as logs:
        async with playing(node) as player:
            await player.open(node.centre.playback(START_NS, END_NS))
            for direction, way in (("forward", (START_NS, END_NS)), ("reverse", (END_NS, START_NS))):
                answer = await player.fetch(*way, direction=direction)
                assert len(answer.groups) == 4
                (error,) = answer.said("error")
                assert error["code"] == code
                assert (error["from"], error["to"]) == (str(segments[1].start_ns), str(segments[1].end_ns))
                assert "endommagé" in error["message"]
                assert all(int(gap["from"]) >= segments[2].end_ns for gap in answer.said("gap"))
    assert [entry["segment_id"] for entry in logs if entry.get("code") == code] == [segments[1].segment_id] * 2


async def test_a_damaged_group_is_told_and_the_others_are_given(node: RunningGateway, archive: Archive) -> None:
    """LAW-40."""
    (segment,) = await record(archive, 3)

    def harm() -> None:
        path = archive.folder / segment.file
        data = bytearray(path.read_bytes())
        places = [at for at in range(len(data)) if data[at : at + 4] == b"moof"]
        keys = places[len(places) // 3]
        data[keys : keys + 4] = b"junk"
        path.write_bytes(data)

    await asyncio.to_thread(harm)
    async with playing(node) as player:
        await player.open(node.centre.playback(START_NS, END_NS))
        for direction, way in (("forward", (START_NS, END_NS)), ("reverse", (END_NS, START_NS))):
            answer = await player.fetch(*way, direction=direction)
            assert len(answer.groups) == 2
            errors = [error for error in answer.said("error") if error["request"] is not None]
            assert [error["code"] for error in errors] == ["segment.damaged"]


async def test_where_the_clock_went_back_the_later_recording_is_shown(node: RunningGateway, archive: Archive) -> None:
    await record(archive, 4)
    stepped_ns = START_NS + 2 * group_ns(archive) + 3 * archive.interval_ns
    await record(archive, 3, start_ns=stepped_ns)
    async with playing(node) as player:
        await player.open(node.centre.playback(START_NS, END_NS))
        whole = await player.everything(START_NS, END_NS)
        starts_ns = [one.start_ns for one in whole]
        assert starts_ns == sorted(starts_ns)
        assert [one >= stepped_ns for one in starts_ns] == [False] * 3 + [True] * 3
        for limit in (1, 2):
            assert [one.data for one in await player.everything(START_NS, END_NS, limit=limit)] == [
                one.data for one in whole
            ]
        backward = await player.everything(END_NS, START_NS, direction="reverse", limit=1)
        assert [one.data for one in backward] == [one.data for one in reversed(whole)]


def h265_film() -> Footage:
    return footage("street_768x576_h265.mp4")


async def test_h265_is_played_too(node: RunningGateway, archive: Archive) -> None:
    film = h265_film()
    await asyncio.to_thread(archive.record_as_shard, START_NS, 2 * film.group, film=film)
    async with playing(node) as player:
        await player.open(node.centre.playback(START_NS, END_NS))
        answer = await player.fetch(START_NS, END_NS)
        assert len(player.shown_ns(answer.groups, START_NS)) == 2 * film.group
        assert "hvc1" in answer.said("config")[0]["mime"]


async def test_a_changed_bit_is_told_while_it_is_shown_and_at_once_the_next_time(
    node: RunningGateway, archive: Archive
) -> None:
    """LAW-40: the pictures can be decoded, but they are not those that were recorded."""
    segments = await record(archive, 2, segments=3)
    path = archive.folder / segments[1].file

    def flip() -> None:
        data = bytearray(path.read_bytes())
        data[data.rindex(b"mdat") + 300] ^= 1
        path.write_bytes(data)

    await asyncio.to_thread(flip)
    async with playing(node) as player:
        for stream in (1, 2):
            await player.open(node.centre.playback(START_NS, END_NS, f"view-{stream}"), stream=stream)
            await player.ask(START_NS, END_NS, stream=stream)
            told = [await player.next()]
            while not isinstance(told[-1], dict) or told[-1]["type"] != "error":
                told.append(await player.next())
            error = told[-1]
            assert (error["code"], error["stream"], error["request"]) == ("segment.damaged", stream, None)
            assert (error["from"], error["to"]) == (str(segments[1].start_ns), str(segments[1].end_ns))
    assert set(node.gateway._playback.digests._known.values()) >= {None}


async def test_what_is_what_was_recorded_raises_no_alarm(node: RunningGateway, archive: Archive) -> None:
    segments = await record(archive, 2, segments=3)
    async with playing(node) as player:
        await player.open(node.centre.playback(START_NS, END_NS))
        await player.fetch(START_NS, END_NS)
        digests = node.gateway._playback.digests
        await until(lambda: len(digests._known) == len(segments))
        assert not any(digests._known.values())
        assert not (await player.fetch(START_NS, END_NS)).said("error")


@pytest.mark.parametrize("harm", ["missing", "unreadable"])
async def test_a_store_that_does_not_answer_takes_only_its_share(tmp_path: Path, archive: Archive, harm: str) -> None:
    """What it may hold is said to be on a disk, and not to be nothing."""
    await record(archive, 2)
    other = tmp_path / "other"
    if harm == "unreadable":
        other.mkdir()
        (other / INDEX_NAME).write_bytes(b"no database at all" * 100)
    async with (
        running_gateway(tmp_path, SystemClock(), stores=[other, archive.folder]) as node,
        playing(node) as player,
    ):
        await player.open(node.centre.playback(START_NS - 10 * NS_PER_SECOND, END_NS))
        answer = await player.fetch(0, END_NS)
        assert len(answer.groups) == 2
        assert {(gap["cause"], gap["detail"]) for gap in answer.said("gap")} == {("disk", "store_missing")}
