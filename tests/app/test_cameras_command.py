"""`vms cameras`: what is on record of a camera."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cameras.inventory.communes import Commune, load_communes
from cameras.inventory.repository import CameraRecord, Change, StreamRecord
from vms.app.cli.cameras import app
from vms.app.inventory import open_inventory
from vms.app.layout import DataFolder
from vms.app.migrations.run import upgrade_now
from vms.app.settings import Settings

PIN = "3a7f" + "0" * 60


@pytest.fixture
def camera(tmp_path: Path) -> str:
    """A camera with an encrypted stream, in the inventory of `tmp_path`."""
    folder = DataFolder(tmp_path, Settings())
    (tmp_path / "centre").mkdir()
    upgrade_now(folder.database_url)
    record = CameraRecord(
        "mac:02", "Place du Marché", "27229", "Maire", "192.0.2.9", "http://192.0.2.9/onvif", "vms", "secret",
        (StreamRecord("main", "rtsps://192.0.2.9/main", "h264", 1920, 1080, 25.0, (PIN,)),),
    )  # fmt: skip

    async def put() -> str:
        async with open_inventory(folder) as (inventory, database):
            await load_communes(database, [Commune("27229", "Évreux", 1, "27000", "212702294", "200071454", "EPN")])
            return await inventory.put_camera(record, Change("Inès", "essai"))

    return asyncio.run(put())


def test_the_fingerprint_of_an_encrypted_stream_is_shown(camera: str, tmp_path: Path):
    shown = CliRunner().invoke(app, ["show", camera, "--data", str(tmp_path)], env={"COLUMNS": "200"})
    assert shown.exit_code == 0, shown.output
    assert "Empreinte (main)" in shown.output
    assert "3A:7F:00" in shown.output
    assert "secret" not in shown.output
    told = json.loads(CliRunner().invoke(app, ["show", camera, "--data", str(tmp_path), "--json"]).stdout)
    assert told["streams"] == [{"role": "main", "url": "rtsps://192.0.2.9/main", "tls_pins": [PIN]}]
