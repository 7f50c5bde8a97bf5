from __future__ import annotations

from pathlib import Path

import pytest

from vms.app.settings import Settings
from vms.base.config import load_config
from vms.base.errors import ErrorKind, VmsError


def _refusal(tmp_path: Path, text: str) -> VmsError:
    file = tmp_path / "vms.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(VmsError) as refused:
        load_config(Settings, file)
    assert refused.value.kind is ErrorKind.CONFIGURATION
    assert str(file) in refused.value.message
    return refused.value


def test_a_typo_is_an_error_that_names_the_nearest_key(tmp_path: Path):
    refused = _refusal(tmp_path, "[recorder]\nshard = 2\n")
    assert refused.code == "config.unknown_key"
    assert "« recorder.shard »" in refused.message
    assert "« shards »" in refused.hint


def test_a_key_near_nothing_lists_what_is_possible(tmp_path: Path):
    refused = _refusal(tmp_path, "[gateway]\nxyzzy = 2\n")
    assert "host" in refused.hint
    assert "port" in refused.hint


def test_a_wrong_value_names_its_place(tmp_path: Path):
    refused = _refusal(tmp_path, "[centre]\nport = 99999\n")
    assert refused.code == "config.value"
    assert "« centre.port »" in refused.message


def test_broken_toml_names_the_line(tmp_path: Path):
    assert "ligne 1" in _refusal(tmp_path, "port == 3").message


def test_bytes_that_are_no_text_are_refused(tmp_path: Path):
    file = tmp_path / "vms.toml"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(VmsError, match=r"config\.unreadable"):
        load_config(Settings, file)


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path):
    with pytest.raises(VmsError, match=r"config\.missing"):
        load_config(Settings, tmp_path / "nowhere.toml")


def test_what_the_file_does_not_say_has_a_default(tmp_path: Path):
    file = tmp_path / "vms.toml"
    file.write_text("[centre]\nport = 9000\n")
    settings = load_config(Settings, file)
    assert settings.centre.port == 9000
    assert settings.gateway.port == 8081
    assert settings.live_url == "ws://localhost:8081"
