"""Fuzz one target: `python -m tests.fuzz.run TARGET [SECONDS]`, guided by coverage where atheris is installed."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Iterator

from tests.fuzz.targets import TARGETS

_LYING_LENGTHS = (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"$\0\xff\xff")


def mutations(seed: bytes, rng: random.Random) -> Iterator[bytes]:
    """Inputs near a valid one: flipped, cut, doubled, spliced, with lengths that lie."""
    while True:
        data = bytearray(seed)
        for _ in range(rng.randint(1, 6)):
            place = rng.randrange(len(data) or 1)
            match rng.randrange(6):
                case 0:
                    data[place : place + 1] = bytes((rng.randrange(256),))
                case 1:
                    del data[place : place + rng.randint(1, 64)]
                case 2:
                    data[place:place] = data[place : place + rng.randint(1, 256)]
                case 3:
                    data[place : place + 4] = rng.choice(
                        (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"$\0\xff\xff")
                    )
                case 4:
                    data[place:place] = rng.randbytes(rng.randint(1, 32))
                case _:
                    data = data[place:] + data[:place]
        yield bytes(data)


def fuzz(name: str, seconds: float, rng: random.Random) -> int:
    """Run a target on mutated inputs for a while; the number of inputs."""
    target, seed = TARGETS[name]
    target(seed)
    deadline = time.monotonic() + seconds
    count = 0
    for data in mutations(seed, rng):
        target(data)
        count += 1
        if time.monotonic() > deadline:
            return count
    return count


def main(name: str, seconds: float) -> None:
    """Fuzz until the time is over, or for ever under atheris."""
    try:
        import atheris
    except ImportError:
        print(f"{name}: {fuzz(name, seconds, random.Random())} inputs")
        return
    atheris.instrument_all()
    atheris.Setup([sys.argv[0], f"-max_total_time={int(seconds)}"], TARGETS[name][0])
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]) if len(sys.argv) > 2 else 60.0)
