"""The proof file of one entry: what a reader takes away, and can check without us (LAW-31, LAW-51).

JSON with: `format`, `index`, `leaf` (its exact text), `payload` and `salt` (absent once expired), `path` (the RFC 6962
inclusion proof, hexadecimal, from the leaf upwards) and `checkpoint` (the signed note that it leads to).
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from access_audit import layout
from access_audit.merkle import inclusion_path
from access_audit.tiles import TreeReader, read_leaves, read_payloads

FORMAT = "vms-departemental/audit-proof/v1"
_WIDTH = layout.TILE_WIDTH


def proof_of(folder: Path, index: int, size: int, note: bytes) -> dict[str, Any]:
    """The proof of the entry at `index` under the published checkpoint of `size`.

    Raises IndexError when the log has no such entry, TileError when its files are damaged.
    """
    if not 0 <= index < size:
        raise IndexError(f"no entry {index} in a log of {size}")
    bundle, place = divmod(index, _WIDTH)
    leaf = read_leaves(folder, bundle, min(_WIDTH, size - bundle * _WIDTH))[place]
    stored = read_payloads(folder, bundle)[place]
    path = inclusion_path(index, size, TreeReader(folder, size).subtree)
    proof: dict[str, Any] = {
        "format": FORMAT,
        "index": index,
        "leaf": leaf.decode(),
        "path": [node.hex() for node in path],
        "checkpoint": note.decode(),
    }
    if stored is not None:
        proof["payload"] = stored.payload.decode()
        proof["salt"] = base64.b64encode(stored.salt).decode()
    return proof
