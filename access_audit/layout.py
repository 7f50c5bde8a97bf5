"""Where things are in the folder of a log.

`checkpoint`, `tile/<level>/<number>` and `tile/entries/<number>` are C2SP tlog-tiles: a web server that serves the
folder serves the log to any client of that format. The rest is ours.

    lock                     held by the one writer
    fence                    another place has taken the log over: no writer starts here again (`standby.py`)
    log.pub                  the key, as a C2SP vkey line
    checkpoint               the newest published checkpoint
    checkpoints/<size>       one checkpoint for each hour in which something was published
    tile/…                   hashes and leaves, never changed once full
    payload/<number>         salts and payloads of 256 entries; the only thing that expiry rewrites
    sequence/<first index>   batches on their way into the tiles; the durable act that a receipt stands for
    index.sqlite             the journal's index, rebuilt from the rest whenever it is missing or does not fit
    probe                    whether a disk that refused takes bytes again; never there for long
    anchors/…                what others attest of the log; missing without harm, but never wrong

Anchors. Each is about a checkpoint *text*: the three lines origin, size, root, without signatures, final newline
included. Whoever has the tiles can make that text again for any size, so nothing else is kept beside an anchor.

    anchors/timestamps/<size>-<authority>.tsr   RFC 3161 response over SHA-256 of the text; DER, certificates inside
    anchors/authorities/<authority>.pem         certificates that end the chain of an authority's signature
    anchors/cosigned/<size>                     the log's signed note with cosignature lines of witnesses added to it
    anchors/witnesses/<name>.pub                the witness's key: a vkey line with signature type 0x04

The last two of each pair only say whom the log itself names; an auditor gives the verifier his own. Besides these,
`anchors/queue/` and `anchors/state.json` are working files (see `anchors/files.py`) that attest nothing.

Keys. `log.pub` holds the newest key. A hand-over is an entry `log.key_changed` (see `handover.py`) at some index h:
checkpoints of a size up to h are signed by the old key, larger ones by the new one. While readers change over, the
larger ones carry the old key's signature as well. The origin stays.

Spools. The leaf of an entry that a node delivered keeps `{"id", "sequence", "chain"}` for ever: the spool, the entry's
number in it from 1, and the hash chain over the commitments up to and with it. Nothing of the node's file is needed to
see that an entry is missing, was put in, moved or delivered twice.

Expiry. E1. The entry `log.expired` is durable before a payload is erased; `before_ns` bounds the writer's instants,
`controller` is `*` or the `authority` that the payloads name. E2. Payloads are then erased by rising index, salts with
them, never those of `log.*`; what a crash leaves is erased at the next start, within a day. Leaves and tiles stay (A3).

Source: c2sp.org/tlog-tiles, c2sp.org/tlog-cosignature, RFC 3161.
"""

from __future__ import annotations

from pathlib import Path

TILE_WIDTH = 256
TILE_HEIGHT = 8

LOG_KEY = "log.pub"
CHECKPOINT = "checkpoint"
CHECKPOINTS = "checkpoints"
TILES = "tile"
ENTRIES = "entries"
PAYLOADS = "payload"
SEQUENCE = "sequence"
INDEX = "index.sqlite"
PROBE = "probe"
TIMESTAMPS = "anchors/timestamps"
AUTHORITIES = "anchors/authorities"
COSIGNED = "anchors/cosigned"
WITNESSES = "anchors/witnesses"
ANCHOR_QUEUE = "anchors/queue"
ANCHOR_STATE = "anchors/state.json"


def number_path(number: int) -> str:
    """The path of the `number`-th tile: 1234067 is `x001/x234/067`."""
    text = f"{number % 1000:03d}"
    while number >= 1000:
        number //= 1000
        text = f"x{number % 1000:03d}/{text}"
    return text


def tile_path(level: int | str, number: int, width: int = TILE_WIDTH) -> Path:
    """The relative path of a tile, or of an entry bundle for level `entries`; partial when `width` is below 256."""
    partial = "" if width == TILE_WIDTH else f".p/{width}"
    return Path(TILES, str(level), number_path(number) + partial)


def timestamp_path(size: int, authority: str) -> Path:
    """The relative path of the time-stamp of a checkpoint; `authority` is a short name of [a-z0-9.-]."""
    return Path(TIMESTAMPS, f"{size}-{authority}.tsr")


def cosigned_path(size: int) -> Path:
    """The relative path of a cosigned checkpoint."""
    return Path(COSIGNED, str(size))


def payload_path(number: int) -> Path:
    """The relative path of the payloads of one entry bundle."""
    return Path(PAYLOADS, number_path(number))
