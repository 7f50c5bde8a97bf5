"""When the key of the log changes, authorities and witnesses attest it at once, and witnesses follow."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from access_audit import layout
from access_audit.anchors.process import AnchorSettings
from access_audit.anchors.timestamps import Authority
from access_audit.checkpoint import LogKey
from access_audit.keys import KeyRing, load_log_key
from access_audit.verify import Report, Trust, verify_log
from tests.access_audit.anchors.parties import OpenWitness, Service, anchoring, serving, until, witnessing
from tests.access_audit.logs import client_of, look, running_writer
from tests.access_audit.verify.third_parties import Authority as OpensslAuthority


def judge(folder: Path, key: LogKey, trust: Trust) -> Report:
    return verify_log(folder, key.text(), trust=trust, workers=1)


def anchored(folder: Path, size: int) -> bool:
    paths = (layout.cosigned_path(size), layout.timestamp_path(size, "horodatage"))
    return all((folder / path).exists() for path in paths)


def settings_of(folder: Path, url: str, ca_file: Path, witness: OpenWitness) -> AnchorSettings:
    authority = Authority("horodatage", url, ca_file)
    return AnchorSettings(folder, (authority,), (witness.address,), poll_s=0.02, retry_first_s=0.02)


@pytest.mark.parametrize("overlap_ns", [0, 86_400 * 1_000_000_000])
async def test_a_change_of_key_is_attested_at_once_and_the_verifier_follows(tmp_path: Path, overlap_ns: int):
    """LAW-51: with an interval of an hour, the change itself has the checkpoint time-stamped and cosigned."""
    real = await asyncio.to_thread(OpensslAuthority, tmp_path / "horodatage")
    ca_file = tmp_path / "ca.pem"
    await asyncio.to_thread(ca_file.write_bytes, real.root)
    with serving(Service(real.answer)) as service:
        async with running_writer(tmp_path) as log, client_of(log) as client:
            first = await asyncio.to_thread(load_log_key, log.folder / "log.pub")
            await client.record(look())
            size = (await client.head()).size
            async with witnessing(tmp_path / "w", first) as witness:
                async with anchoring(settings_of(log.folder, service.url, ca_file, witness)):
                    await until(lambda: anchored(log.folder, size))
                    await client.record(look())
                    ring = KeyRing(log.key_file, log.folder, log.origin)
                    await asyncio.to_thread(ring.prepare, "", overlap_ns)
                    await client.rotate_key()
                    await until(lambda: anchored(log.folder, size + 2))
                trust = Trust([real.root], [witness.address.key.text])
    second = await asyncio.to_thread(load_log_key, log.folder / "log.pub")
    assert second != first
    for key in (first, second):
        report = await asyncio.to_thread(judge, log.folder, key, trust)
        assert report.findings == []
        notes: dict[str, Any] = {step.name: dict(step.notes) for step in report.steps}
        assert notes["timestamps"]["timestamps"] == 2
        assert notes["witnesses"]["cosignatures"] == 2
