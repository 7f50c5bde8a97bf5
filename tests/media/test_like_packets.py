"""Like packets are taken by the run: the same pictures must come out as when each packet comes alone."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.media.streams import Sender, demuxer, packets_of, samples_of, slice_nal
from vms.media.access_unit import Codec
from vms.media.depacketise import StreamDemuxer

NATIVE = (Codec.H264, Codec.H265)
HEAD_BYTES = 19


def outcome(machine: StreamDemuxer, parts: list[bytes]) -> object:
    """Everything that these bytes gave."""
    pictures, lost, leaps, malformed, ignored = [], 0, 0, 0, 0
    batches = [machine.feed(part) for part in parts] + [machine.finish()]
    for batch in batches:
        units = zip(batch.access_units, samples_of(batch), strict=True)
        pictures += [(unit.rtp_timestamp, sample, unit.key, unit.damaged, unit.size) for unit, sample in units]
        lost += batch.lost_packets
        leaps += batch.sequence_jumps
        malformed += batch.malformed_packets
        ignored += batch.ignored_packets
    return pictures, lost, leaps, malformed, ignored, machine.next_sequence


@pytest.mark.parametrize("codec", NATIVE)
@given(
    sizes=st.lists(st.integers(20, 9_000), min_size=1, max_size=4),
    place=st.floats(0, 1, exclude_max=True),
    byte=st.integers(4, HEAD_BYTES - 1),
    value=st.integers(0, 255),
)
@settings(max_examples=150, deadline=None)
def test_a_run_with_one_strange_packet_gives_what_its_packets_give(
    codec: Codec, sizes: list[int], place: float, byte: int, value: int
):
    sender = Sender(codec)
    data = bytearray(b"".join(sender.picture(slice_nal(codec, key=not at, size=n)) for at, n in enumerate(sizes)))
    packets = packets_of(bytes(data))
    start = sum(map(len, packets[: int(place * len(packets))]))
    if start + byte < len(data):
        data[start + byte] = value
    alone = outcome(demuxer(codec), packets_of(bytes(data)))
    assert outcome(demuxer(codec), [bytes(data)]) == alone


@pytest.mark.parametrize("codec", NATIVE)
def test_a_lost_packet_inside_a_run_is_counted_as_it_is_alone(codec: Codec):
    sender = Sender(codec)
    packets = packets_of(sender.picture(slice_nal(codec, key=True, size=8_000)))
    for missing in range(1, len(packets)):
        left = packets[:missing] + packets[missing + 1 :]
        assert outcome(demuxer(codec), [b"".join(left)]) == outcome(demuxer(codec), left)


def test_pictures_outlive_the_buffer_that_they_were_read_into():
    sender, machine = Sender(), demuxer()
    buffer = bytearray()
    taken = []
    for number in range(3):
        data = sender.picture(slice_nal(Codec.H264, key=not number, size=5_000 + number))
        buffer[: len(data)] = data
        taken += machine.feed(memoryview(buffer)[: len(data)]).access_units
        buffer[: len(data)] = b"\xee" * len(data)
    assert [unit.size for unit in taken] == [5_004, 5_005, 5_006]
    assert all(b"\xee\xee" not in b"".join(unit.chunks) for unit in taken)
