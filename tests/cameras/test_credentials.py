from __future__ import annotations

from pathlib import Path

import pytest

from cameras.credentials import CredentialVault, open_vault
from vms.base.errors import VmsError


def test_a_secret_comes_back_for_its_camera_only(tmp_path: Path):
    vault = open_vault(tmp_path / "keys" / "k")
    sealed = vault.seal("s3cret", "cam-1")
    assert "s3cret" not in sealed
    assert vault.open(sealed, "cam-1") == "s3cret"
    with pytest.raises(VmsError, match=r"credentials\.unreadable"):
        vault.open(sealed, "cam-2")


def test_the_key_file_is_made_once_and_is_the_owners_alone(tmp_path: Path):
    file = tmp_path / "keys" / "k"
    sealed = open_vault(file).seal("s3cret", "cam-1")
    assert file.stat().st_mode & 0o077 == 0
    assert open_vault(file).open(sealed, "cam-1") == "s3cret"


@pytest.mark.parametrize(
    "damage", [lambda text: text[:-4] + "AAAA", lambda text: "v2" + text[2:], lambda _: "", lambda _: "a.b.c.d"]
)
def test_a_damaged_secret_is_said_to_be_unreadable(damage):
    vault = CredentialVault(b"k" * 32)
    with pytest.raises(VmsError, match=r"credentials\.unreadable"):
        vault.open(damage(vault.seal("s3cret", "cam-1")), "cam-1")


def test_rotation_of_the_wrapping_key_keeps_the_secret():
    old, new = CredentialVault(b"o" * 32), CredentialVault(b"n" * 32)
    sealed = old.rewrap(old.seal("s3cret", "cam-1"), "cam-1", new)
    assert new.open(sealed, "cam-1") == "s3cret"
    with pytest.raises(VmsError, match="sealed by key"):
        old.open(sealed, "cam-1")


def test_a_key_file_of_another_kind_is_refused(tmp_path: Path):
    (tmp_path / "k").write_text("not a key")
    with pytest.raises(VmsError) as refused:
        open_vault(tmp_path / "k")
    assert "sauvegarde" in refused.value.hint
