"""`vms audit report`: three files that a third party checks with the key of the log alone."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from cameras.inventory.tables import CameraRow, CommuneRow
from tests.system.demo_process import vms
from vms.app.layout import DataFolder
from vms.app.migrations.run import upgrade_now
from vms.app.settings import Settings

WRITER = """
import asyncio, sys
from pathlib import Path
from access_audit.writer import WriterSettings, run_writer
from vms.base.clock import SystemClock
root = Path(sys.argv[1])
settings = WriterSettings(root / "audit", root / "run" / "audit.sock", root / "audit" / "keys" / "log.key", "test")
asyncio.run(run_writer(settings, SystemClock(), asyncio.Event(), lambda: print("ready", flush=True)))
"""


@pytest.fixture
def data() -> Iterator[Path]:
    """An installation with a journal and no recorder, in a folder whose name leaves room for a socket."""
    root = Path(tempfile.mkdtemp(prefix="vms-"))
    folder = DataFolder(root, Settings())
    folder.prepare()
    upgrade_now(folder.database_url)
    with subprocess.Popen([sys.executable, "-c", WRITER, str(root)], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        while (line := writer.stdout.readline()) and line != "ready\n":
            pass
        yield root
        writer.terminate()
    shutil.rmtree(root)


def one_camera(folder: DataFolder) -> None:
    engine = create_engine(folder.database_url.replace("+aiosqlite", ""))
    with Session(engine) as session, session.begin():
        if session.get(CommuneRow, "27229") is None:
            session.add(
                CommuneRow(
                    code_insee="27229", name="Évreux", population=1, postcodes="27000", siren="1", epci_siren="1",
                    epci_name="EPN",
                )
            )  # fmt: skip
        session.add(
            CameraRow(
                camera_id="cam-00000000000000000000000001", hardware_id="1", name="Gare", commune="27229",
                authority="Maire d'Évreux", state="in_service", address="127.0.0.1", service_url="", created_at_ns=1,
            )
        )  # fmt: skip
    engine.dispose()


def test_a_report_is_written_and_verified_without_the_centre(data: Path, tmp_path: Path) -> None:
    """LAW-18, LAW-30: the SHA-256 of the data, and the proof that the log holds it."""
    month = (datetime.now(UTC).replace(day=1) - timedelta(days=2)).strftime("%Y-%m")
    command = ("audit", "report", "--commune", "27229", "--month", month, "--data", str(data))
    nobody = vms(*command, cwd=tmp_path)
    assert (nobody.returncode, "Ni caméra ni inscription" in nobody.stderr) == (4, True), nobody.stderr
    one_camera(DataFolder(data, Settings()))
    made = vms(*command, "--output", "rapports", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    name = f"rapport-27229-{month}"
    files = {path.name: path for path in (tmp_path / "rapports").iterdir()}
    assert set(files) == {f"{name}.pdf", f"{name}.json", f"{name}.preuve.json"}
    digest = hashlib.sha256(files[f"{name}.json"].read_bytes()).hexdigest()
    assert digest in made.stdout
    assert files[f"{name}.pdf"].read_bytes().startswith(b"%PDF-1.7")
    proof = files[f"{name}.preuve.json"]
    assert digest in json.loads(proof.read_text())["payload"]
    checked = vms("audit", "verify", "--folder", str(data / "audit"), "--proof", str(proof))
    assert checked.returncode == 0, checked.stdout
