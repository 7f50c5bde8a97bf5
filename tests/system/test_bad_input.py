"""What goes wrong at an installation: one French sentence, what to do, and nothing lost."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from recorder.store.schema import INDEX_NAME
from tests.recorder.store.recordings import open_store, record_seconds
from tests.system.conftest import RECORDED_S
from tests.system.demo_process import BASE, FEW_CAMERAS, Client, Demo, copied, free_port, small_department, until, vms
from tests.system.watching import closed_segments, pictures_in, played_pictures
from vms.base.clock import NS_PER_SECOND, ManualClock

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]

SPARE_CAMERA = "127.60.9.1"
SPARE_PASSWORD = "un-mot-de-passe"
ENGLISH = re.compile(r"\b(the|not|address|file|directory|input|should|error|errno|denied|already)\b", re.IGNORECASE)


@contextlib.contextmanager
def started(data: Path, settings: str = "") -> Iterator[tuple[Demo, Client]]:
    """A demonstration on this folder, and somebody who is logged in."""
    demo = Demo(data, config=small_department(data.parent, settings))
    try:
        demo.start()
        with demo.client() as client:
            yield demo, client
    finally:
        demo.stop()


def start_refused(
    data: Path, *more: str, ports: tuple[int, int] | None = None, base: str = BASE
) -> subprocess.CompletedProcess[str]:
    """Start `vms demo` where it cannot start."""
    console, media = ports or (free_port(), free_port())
    options = ("--port", str(console), "--media-port", str(media), "--base", base)
    return vms("demo", "--data", str(data), *options, *more)


def assert_told(result: subprocess.CompletedProcess[str], exit_code: int, *words: str) -> None:
    """One French sentence and what to do, on standard error and nothing else there."""
    assert result.returncode == exit_code, result.stdout + result.stderr
    lines = result.stderr.splitlines()
    assert len(lines) == 2, result.stderr
    sentence, hint = lines
    assert sentence.startswith("Erreur : ")
    assert sentence.endswith(".")
    assert hint.startswith("  → ")
    for word in words:
        assert word in result.stderr
    assert not ENGLISH.search(re.sub(r"/\S+|« \S+ »", "", result.stderr)), result.stderr


def media_of(data: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in closed_segments(data)}


def test_a_port_that_is_taken_is_named_with_what_to_change(tmp_path: Path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = start_refused(tmp_path / "data", ports=(port, free_port()))
        assert_told(result, 5, f"Le port {port} de la console", "centre.port", "--port")
        result = start_refused(tmp_path / "data", ports=(free_port(), port))
        assert_told(result, 5, f"Le port {port} de la passerelle vidéo", "gateway.port", "--media-port")


def test_one_port_for_two_is_refused(tmp_path: Path):
    port = free_port()
    assert_told(start_refused(tmp_path / "data", ports=(port, port)), 10, f"le port {port}")


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path):
    (tmp_path / "file").write_text("a file in the way")
    for place in (tmp_path / "file", tmp_path / "file" / "below", Path("/proc/nowhere")):
        assert_told(start_refused(place), 10, str(place), "n'est pas accessible en écriture", "--data")
    assert (tmp_path / "file").read_text() == "a file in the way"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[recorder]\nsegment_secnds = 5\n", ("« recorder.segment_secnds » est inconnue", "« segment_seconds »")),
        ('[recorder]\nsegment_seconds = "cinq"\n', ("« recorder.segment_seconds »", "un nombre entier est attendu")),
        ("[centre]\nport = 99999\n", ("« centre.port »", "65535 au plus")),
        ("[recorder\n", ("n'est pas du TOML valide, ligne 1",)),
    ],
)
def test_a_slip_in_the_configuration_is_named_before_anything_starts(text: str, words: tuple[str, ...], tmp_path: Path):
    config = tmp_path / "vms.toml"
    config.write_text(text)
    assert_told(start_refused(tmp_path / "data", "--config", str(config)), 10, str(config), *words)
    assert not (tmp_path / "data").exists()


def test_a_clock_before_the_newest_segment_is_refused(tmp_path: Path):
    shard = tmp_path / "data" / "node" / "shard-0"
    shard.mkdir(parents=True)
    tomorrow = ManualClock(time.time_ns() + 86_400 * NS_PER_SECOND)

    async def record_tomorrow() -> None:
        async with open_store(shard, tomorrow) as store:
            await record_seconds(store, seconds=2)

    asyncio.run(record_tomorrow())
    before = media_of(tmp_path / "data")
    assert len(before) == 1
    assert_told(start_refused(tmp_path / "data"), 10, "L’horloge de cette machine", "en retard", "NTP")
    assert media_of(tmp_path / "data") == before


def test_a_disk_that_is_almost_full_suspends_recording_and_says_so(recorded: Path, tmp_path: Path):
    data = copied(recorded, tmp_path)
    before = media_of(data)
    with started(data, "[recorder]\nminimum_free_mb = 100000000\n") as (demo, client):
        camera_id = client.cameras()[0]["id"]
        span = client.timeline(camera_id)["spans"][0]

        def suspended() -> bool:
            gap = client.timeline(camera_id)["gaps"][-1]
            return (gap["cause"], gap["end"], "espace disque insuffisant" in gap["label"]) == ("disk", None, True)

        until(suspended, 20, "the gap of the full disk")
        assert client.open_live(camera_id).status_code == 200
        assert played_pictures(demo, client, camera_id, span["start"], 1.0) > 0
        assert "disk almost full" in (data / "logs" / "shard-0.log").read_text()
    assert media_of(data) == before


def test_a_corrupt_index_is_rebuilt_and_kept_aside(recorded: Path, tmp_path: Path):
    data = copied(recorded, tmp_path)
    before, garbage = media_of(data), b"this is no database " * 5_000
    shard = data / "node" / "shard-0"
    for file in shard.glob(f"{INDEX_NAME}*"):
        file.unlink()
    (shard / INDEX_NAME).write_bytes(garbage)
    with started(data) as (demo, client):
        for camera in client.cameras():
            until(lambda one=camera: client.recorded_s(one["id"]) >= RECORDED_S, 20, "the time line")  # type: ignore[misc]
        camera_id = client.cameras()[0]["id"]
        start = client.timeline(camera_id)["spans"][0]["start"]
        assert played_pictures(demo, client, camera_id, start, 1.0) > 0
    assert any(path.read_bytes() == garbage for path in shard.glob(f"{INDEX_NAME}.corrupt-*"))
    assert before.items() <= media_of(data).items()
    checked = vms("recorder", "fsck", "--data", str(data))
    assert checked.returncode == 0, checked.stdout


def test_a_corrupt_log_is_not_gone_on_with(recorded: Path, tmp_path: Path):
    """LAW-30: a log that was touched is refused, and stays as it was found."""
    data = copied(recorded, tmp_path)
    tile = max(
        (data / "audit" / "tile" / "entries").rglob("*"), key=lambda path: path.is_file() and path.stat().st_size
    )
    tile.write_bytes(bytes(byte ^ 0x55 for byte in tile.read_bytes()))
    before = {path: path.read_bytes() for path in (data / "audit").rglob("*") if path.is_file()}
    assert_told(start_refused(data), 8, str(data / "audit"))
    assert before.items() <= {path: path.read_bytes() for path in (data / "audit").rglob("*") if path.is_file()}.items()
    assert vms("audit", "verify", "--data", str(data)).returncode == 8


def test_another_range_of_addresses_than_that_of_the_cameras_is_refused(recorded: Path, tmp_path: Path):
    data = copied(recorded, tmp_path)
    assert_told(start_refused(data, base="127.61.0.0/16"), 5, BASE, f"--base {BASE}", "--data")


def test_a_log_without_its_key_gets_no_other(recorded: Path, tmp_path: Path):
    data = copied(recorded, tmp_path)
    key = data / "audit" / "keys" / "log.key"
    hidden = key.rename(tmp_path / "log.key")
    assert_told(start_refused(data), 10, str(key), "introuvable", "0600")
    assert not key.exists()
    hidden.rename(key)
    assert pictures_in(closed_segments(data)[0]) > 0


@contextlib.contextmanager
def spare_camera(password: str, *faults: str) -> Iterator[None]:
    """One more camera on the network, which belongs to no demonstration."""
    command = [sys.executable, "-m", "vms.app.cli.main", "simulate", "camera", "--address", SPARE_CAMERA, "--json"]
    command += [word for fault in faults for word in ("--fault", fault)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "VMS_SIMULATE_PASSWORD": password}
    ) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["cameras"]
        try:
            yield
        finally:
            process.send_signal(signal.SIGTERM)


def onboard(demo: Demo) -> subprocess.CompletedProcess[str]:
    """Put the spare camera into service as an installer does."""
    options = (
        "--name",
        "Rue de l'Essai",
        "--commune",
        "27229",
        "--installer",
        "installateur",
        "--username",
        "vms-install",
        "--data",
        str(demo.data),
    )
    return vms(
        "cameras",
        "onboard",
        f"{SPARE_CAMERA}:8899",
        *options,
        env={**os.environ, "VMS_CAMERA_PASSWORD": SPARE_PASSWORD},
    )


def status_of_spare(client: Client) -> dict[str, Any]:
    return next((camera["status"] for camera in client.cameras() if camera["name"] == "Rue de l'Essai"), {})


@pytest.fixture(scope="class")
def running(recorded: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A demonstration that goes on for the tests which leave it as it is."""
    folder = tmp_path_factory.mktemp("running")
    demo = Demo(copied(recorded, folder), config=small_department(folder))
    try:
        demo.start()
        yield demo
    finally:
        demo.stop()


class TestBesideADemonstrationThatRuns:
    def test_a_second_instance_is_refused_and_the_first_goes_on(self, running: Demo):
        before = running.numbers()
        assert_told(start_refused(running.data), 5, "déjà utilisé", f"processus {before['supervisor']}")
        assert running.numbers() == before
        with running.client() as client:
            until(
                lambda: all(camera["status"]["condition"] == "live" for camera in client.cameras()), 20, "live pictures"
            )

    def test_a_wrong_password_of_a_camera_is_told_to_installer_and_operator(self, running: Demo):
        with spare_camera("another one"):
            assert_told(onboard(running), 9, SPARE_CAMERA, "mot de passe")
        with running.client() as client:
            assert status_of_spare(client) == {}
            with spare_camera(SPARE_PASSWORD):
                done = onboard(running)
                assert done.returncode == 0, done.stderr
                until(lambda: status_of_spare(client).get("condition") == "live", 20, "the new camera")
            with spare_camera(SPARE_PASSWORD, "bad_password"):
                until(lambda: status_of_spare(client).get("cause") == "bad_password", 30, "the reason")
                status = status_of_spare(client)
                assert (status["condition"], status["message"]) == ("no_signal", "La caméra refuse le mot de passe.")
                assert sum(camera["status"]["condition"] == "live" for camera in client.cameras()) == FEW_CAMERAS
