"""Fuzz one target, guided by coverage: `python -m tests.fuzz.run TARGET [SECONDS [FOLDER]]`.

The folder holds the inputs that reached new code, kept from run to run, and the one that broke something. A run ends
with code 0 when nothing did; it is bounded in time, memory and time for one input, by the fuzzer itself.
"""

from __future__ import annotations

import hashlib
import random
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

MEMORY_MB = 768
INPUT_SECONDS = 10
LONGEST_INPUT = 64 * 1024
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
                    data[place : place + 4] = rng.choice(_LYING_LENGTHS)
                case 4:
                    data[place:place] = rng.randbytes(rng.randint(1, 32))
                case _:
                    data = data[place:] + data[:place]
        yield bytes(data)


def arguments(folder: Path, seconds: int) -> list[str]:
    """How the fuzzer is bounded (libFuzzer)."""
    return [
        "fuzz",
        str(folder / "corpus"),
        f"-max_total_time={seconds}",
        f"-rss_limit_mb={MEMORY_MB}",
        f"-timeout={INPUT_SECONDS}",
        f"-max_len={LONGEST_INPUT}",
        f"-artifact_prefix={folder}/",
        "-print_final_stats=1",
    ]


def main(name: str, seconds: int, folder: Path) -> None:
    """Fuzz until the time is over. Does not return."""
    import atheris

    with atheris.instrument_imports(include=["vms", "recorder", "cameras"], enable_loader_override=False):
        from tests.fuzz.targets import TARGETS
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for seed in TARGETS[name].seeds():
        (corpus / hashlib.sha1(seed, usedforsecurity=False).hexdigest()).write_bytes(seed)
    atheris.Setup(arguments(folder, seconds), TARGETS[name].run)
    atheris.Fuzz()


if __name__ == "__main__":
    main(
        sys.argv[1],
        int(sys.argv[2]) if len(sys.argv) > 2 else 60,
        Path(sys.argv[3] if len(sys.argv) > 3 else tempfile.mkdtemp(prefix=f"fuzz-{sys.argv[1]}-")),
    )
