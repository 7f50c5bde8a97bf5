"""A running department changes the key of its log: nobody restarts anything, and third parties attest it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.access_audit.anchors.parties import Service, serving
from tests.access_audit.verify.third_parties import Authority
from tests.system.demo_process import copied, running_demo, small_department, until, vms

pytestmark = [pytest.mark.system, pytest.mark.long, pytest.mark.timeout(180)]


@contextmanager
def witness_beside(folder: Path, log_key: Path) -> Iterator[tuple[str, str]]:
    """`vms audit witness` in a process; its address and its key."""
    words = ["audit", "witness", "--folder", str(folder), "--log-key", str(log_key), "--listen", "127.0.0.1:0"]
    command = [sys.executable, "-m", "vms.app.cli.main", *words, "--name", "temoin.test/1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline().strip()
        try:
            yield f"http://127.0.0.1:{line.rstrip('.').rpartition(' ')[2]}/", line.split()[1]
        finally:
            process.terminate()
            assert process.wait(20) == 0


def status(data: Path) -> dict[str, Any]:
    answer = vms("audit", "status", "--data", str(data), "--json")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    found: dict[str, Any] = json.loads(answer.stdout)
    return found


def attested(data: Path, size: int) -> bool:
    anchors = status(data)["anchors"]
    parties = [*anchors["authorities"].values(), *anchors["witnesses"].values()] if anchors else []
    return len(parties) == 2 and all(party["size"] >= size for party in parties)


def test_the_key_changes_while_people_watch_and_everybody_follows(recorded: Path, tmp_path: Path):
    """LAW-26, LAW-51: console, recorders, authority and witness go on with a key that none of them was told of."""
    copied(recorded, tmp_path)
    data = tmp_path / "data"
    first = tmp_path / "first.pub"
    first.write_text((data / "audit" / "log.pub").read_text())
    authority = Authority(tmp_path / "horodatage")
    (tmp_path / "ca.pem").write_bytes(authority.root)
    with serving(Service(authority.answer)) as service, witness_beside(tmp_path / "witness", first) as (url, key):
        anchors = f"""
[[audit.timestamp_authorities]]
name = "horodatage"
url = "{service.url}"
ca_file = "{tmp_path / "ca.pem"}"
[[audit.witnesses]]
url = "{url}"
key = "{key}"
"""
        config = small_department(tmp_path, anchors)
        with running_demo(tmp_path, config=config) as demo, demo.client() as client:
            camera = client.cameras()[0]["id"]
            assert client.open_live(camera).status_code == 200
            until(lambda: attested(data, 1), 30, "the first anchors")
            before = status(data)
            changed = vms("audit", "rotate-key", "--data", str(data), "--overlap-days", "0")
            assert changed.returncode == 0, changed.stdout + changed.stderr
            assert client.open_live(camera).status_code == 200
            until(lambda: status(data)["key"] != before["key"], 10, "the new key")
            until(lambda: attested(data, before["size"] + 1), 30, "the anchors of the change")
            assert client.open_live(camera).status_code == 200
    (tmp_path / "witness.pub").write_text(key)
    given = ["--authority", str(tmp_path / "ca.pem"), "--witness", str(tmp_path / "witness.pub")]
    for log_key in (first, data / "audit" / "log.pub"):
        verified = vms("audit", "verify", "--data", str(data), "--key", str(log_key), *given)
        assert verified.returncode == 0, verified.stdout + verified.stderr
    assert (data / "audit" / "log.pub").read_text() != first.read_text()
