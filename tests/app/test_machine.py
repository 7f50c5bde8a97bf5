from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from vms.app.processes.machine import check_ports, children, open_folder
from vms.app.settings import CentreSettings, GatewaySettings, RecorderSettings, Settings
from vms.base.errors import ErrorKind, VmsError


def settings_of(tmp_path: Path, **fields: object) -> Settings:
    return Settings(data=tmp_path / "data", **fields)  # type: ignore[arg-type]


def test_the_writer_starts_first_and_every_shard_is_a_process(tmp_path: Path):
    folder, lock = open_folder(settings_of(tmp_path, recorder=RecorderSettings(shards=3)))
    with lock:
        names = [spec.name for spec in children(folder, simulated=True)]
    essential = ["audit-writer", "simulator", "shard-0", "shard-1", "shard-2", "gateway", "centre"]
    assert names == [*essential, "reader", "stills"]


def test_the_machine_does_without_decoders_and_starts_none_that_is_switched_off(tmp_path: Path):
    """LAW-14: nothing that the recording depends on has a decoder in it."""
    folder, lock = open_folder(settings_of(tmp_path))
    with lock:
        beside = {spec.name for spec in children(folder, simulated=False) if not spec.essential}
    assert beside == {"reader", "stills"}
    folder, lock = open_folder(settings_of(tmp_path, recorder=RecorderSettings(reader=False, stills=False)))
    with lock:
        assert all(spec.essential for spec in children(folder, simulated=False))
        assert folder.reader_socket is None
        assert folder.stills_socket is None


def test_a_second_instance_is_refused_in_french(tmp_path: Path):
    _, lock = open_folder(settings_of(tmp_path))
    with lock, pytest.raises(VmsError) as refused:
        open_folder(settings_of(tmp_path))
    assert refused.value.kind is ErrorKind.CONFLICT
    assert "déjà utilisé" in refused.value.message
    assert str(os.getpid()) in refused.value.message


def test_a_taken_port_is_named_with_its_key(tmp_path: Path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        settings = settings_of(tmp_path, centre=CentreSettings(port=port), gateway=GatewaySettings(port=1))
        with pytest.raises(VmsError) as refused:
            check_ports(settings)
    assert f"Le port {port} de la console" in refused.value.message
    assert "centre.port" in refused.value.hint


def test_a_folder_that_cannot_be_made_is_refused_in_french(tmp_path: Path):
    (tmp_path / "data").write_text("a file where the folder should be")
    with pytest.raises(VmsError) as refused:
        open_folder(settings_of(tmp_path))
    assert refused.value.code == "data.not_writable"
    assert "--data" in refused.value.hint


def test_keys_are_made_once_and_the_private_one_is_the_owners_alone(tmp_path: Path):
    folder, lock = open_folder(settings_of(tmp_path))
    lock.release()
    first = folder.ticket_key.read_bytes()
    assert folder.ticket_key.stat().st_mode & 0o077 == 0
    again, lock = open_folder(settings_of(tmp_path))
    lock.release()
    assert again.ticket_key.read_bytes() == first


def test_every_shard_has_a_store_on_each_disk(tmp_path: Path):
    disks = (tmp_path / "a", tmp_path / "b")
    folder, lock = open_folder(settings_of(tmp_path, recorder=RecorderSettings(shards=2, disks=disks)))
    lock.release()
    assert folder.shard_stores(1) == (disks[0] / "shard-1", disks[1] / "shard-1")
    assert len(folder.stores) == 4
    assert not set(folder.shard_folders) & set(folder.stores)


def test_what_was_recorded_before_there_were_disks_is_still_served_and_erased(tmp_path: Path):
    """LAW-06: a store that the settings no longer name is not forgotten."""
    folder, lock = open_folder(settings_of(tmp_path, recorder=RecorderSettings(disks=(tmp_path / "a",))))
    lock.release()
    (folder.shard_folder(0) / "index.sqlite").touch()
    assert folder.stores == (tmp_path / "a" / "shard-0", folder.shard_folder(0))
