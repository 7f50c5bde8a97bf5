"""Where things are in the folder of a log.

`checkpoint`, `tile/<level>/<number>` and `tile/entries/<number>` are C2SP tlog-tiles: a web server that serves the
folder serves the log to any client of that format. The rest is ours.

    lock                     held by the one writer
    log.pub                  the key, as a C2SP vkey line
    checkpoint               the newest published checkpoint
    checkpoints/<size>       one checkpoint for each hour in which something was published
    tile/…                   hashes and leaves, never changed once full
    payload/<number>         salts and payloads of 256 entries; the only thing that expiry rewrites
    sequence/<first index>   batches on their way into the tiles; the durable act that a receipt stands for
    index.sqlite             the journal's index, rebuilt from the rest whenever it is missing or does not fit

Source: c2sp.org/tlog-tiles.
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


def payload_path(number: int) -> Path:
    """The relative path of the payloads of one entry bundle."""
    return Path(PAYLOADS, number_path(number))
