"""Valid inputs that fuzzing starts from: made here, or taken from the kept sessions with the simulated camera."""

from __future__ import annotations

from functools import cache
from itertools import accumulate
from pathlib import Path

from tests.media.streams import BY_CODEC, SETS, Sender, slice_nal
from tests.recorder.ingest.wire import kept, names
from vms.media.access_unit import Codec
from vms.media.rtcp import build_receiver_report, build_sender_report
from vms.media.rtsp import InterleavedFrame, RtspItem, RtspParser, RtspResponse

_DATA = Path(__file__).parents[1] / "media" / "data"
_LONGEST = 16 * 1024


@cache
def _heard() -> tuple[tuple[RtspItem, ...], ...]:
    """What the camera said in each kept stream session."""
    found = []
    for name in sorted(names()):
        for transcript in kept(name):
            said = transcript.said_by("S")
            if said.startswith(b"RTSP/"):
                found.append(tuple(RtspParser().feed(said)))
    return tuple(found)


def _cut(parts: list[bytes]) -> bytes:
    """As many whole parts as an input may hold."""
    sizes = accumulate(map(len, parts))
    return b"".join(part for part, size in zip(parts, sizes, strict=True) if size <= _LONGEST)


def streams(codec: Codec) -> list[bytes]:
    """Interleaved bytes after PLAY."""
    sender = Sender(codec)
    parts = [sender.picture(*SETS[codec], slice_nal(codec, key=True, size=900))]
    parts += [
        sender.picture(slice_nal(codec, key=False, size=600), slice_nal(codec, key=False, first=False)) for _ in "123"
    ]
    parts.insert(2, RtspResponse(200, "OK", (("CSeq", "4"),), b"x").encode())
    parts.insert(3, InterleavedFrame(1, reports()[0]).encode())
    long = Sender(codec).picture(slice_nal(codec, key=True, size=9_000), max_payload_bytes=400)
    found = [b"".join(parts), long]
    if codec is Codec.H264:
        frames = [[item.encode() for item in items if isinstance(item, InterleavedFrame)] for items in _heard()]
        # Not from the key frame on, which alone is longer than an input may be.
        found += [_cut(each[:1] + each[-12:]) for each in frames if each]
    return found


def responses() -> list[bytes]:
    """Whole answers, as they came."""
    return [_cut([item.encode() for item in items if isinstance(item, RtspResponse)]) for items in _heard()]


def answers() -> list[bytes]:
    """What a camera says in a whole handshake, numbers first."""
    return [_cut([item.encode() for item in items][:8]) for items in _heard()]


def descriptions() -> list[bytes]:
    """Offers."""
    bodies = {item.body for items in _heard() for item in items if isinstance(item, RtspResponse) and item.body}
    return sorted(bodies) + [path.read_bytes() for path in sorted(_DATA.glob("*.sdp"))]


def reports() -> list[bytes]:
    """Compound RTCP packets."""
    own = [build_sender_report(7, 1_700_000_000_000_000_000, 4_000, 10, 1000), build_receiver_report(7)]
    heard = [item for items in _heard() for item in items if isinstance(item, InterleavedFrame)]
    return own + [item.payload for item in heard if item.channel == 1][:12]


def challenges() -> list[bytes]:
    """Values of authentication headers."""
    heard = {
        value.encode()
        for items in _heard()
        for item in items
        if isinstance(item, RtspResponse)
        for value in item.all_headers("WWW-Authenticate")
    }
    made = (
        b'Digest realm="a", nonce="b", qop="auth,auth-int", algorithm=SHA-256, opaque="c", stale=true',
        b'Basic realm="a \\"quoted\\" one"',
        b'Digest username="u", realm="a", nonce="b", uri="rtsp://h/", response="00", nc=00000001, cnonce="c", qop=auth',
    )
    return [*sorted(heard), *made]


def parameter_sets() -> list[bytes]:
    """Sequence parameter sets of both codecs."""
    return [sets.sps for sets in BY_CODEC.values()]
