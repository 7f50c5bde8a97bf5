"""The key of the log in a PKCS#11 token: SoftHSM2, Ed25519 by CKM_EDDSA."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pkcs11
import pytest
from pkcs11 import Attribute, KeyType, Mechanism

from access_audit.checkpoint import KeyUnavailableError, SigningKey
from access_audit.keys import KeyRing, load_log_key
from access_audit.token_key import TokenKey, TokenUri
from access_audit.verify import verify_log
from access_audit.writer import run_writer
from tests.access_audit.logs import ORIGIN, client_of, look, running_writer, settings_of
from vms.base.clock import SystemClock
from vms.base.errors import VmsError

MODULE = next((path for path in Path("/usr/lib").rglob("libsofthsm2.so")), Path("/usr/lib/softhsm/libsofthsm2.so"))
PIN = "271828"
EDWARDS25519 = bytes.fromhex("130c656477617264733235353139")


@dataclass(frozen=True)
class Softhsm:
    """A token with two Ed25519 keys, `journal-1` and `journal-2`, and one of another kind, `courbe`."""

    pin_file: Path

    def uri(self, label: str = "journal-1", token: str = "vms") -> str:
        return f"pkcs11:token={token};object={label}?module-path={MODULE}&pin-source={self.pin_file}"

    def key(self, label: str = "journal-1") -> TokenKey:
        return TokenKey(TokenUri.parse(self.uri(label)))


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Softhsm]:
    folder = tmp_path_factory.mktemp("softhsm")
    (folder / "tokens").mkdir()
    (folder / "softhsm2.conf").write_text(f"directories.tokendir = {folder / 'tokens'}\nlog.level = ERROR\n")
    (folder / "pin").write_text(PIN + "\n")
    (folder / "pin").chmod(0o600)
    before = os.environ.get("SOFTHSM2_CONF")
    os.environ["SOFTHSM2_CONF"] = str(folder / "softhsm2.conf")
    new_token = ["softhsm2-util", "--init-token", "--free", "--label", "vms", "--pin", PIN, "--so-pin", "314159"]
    subprocess.run(new_token, check=True, capture_output=True)
    with pkcs11.lib(str(MODULE)).get_token(token_label="vms").open(rw=True, user_pin=PIN) as session:
        curve = {Attribute.EC_PARAMS: EDWARDS25519}
        for label in ("journal-1", "journal-2"):
            parameters = session.create_domain_parameters(KeyType.EC_EDWARDS, curve, local=True)
            parameters.generate_keypair(store=True, label=label, mechanism=Mechanism.EC_EDWARDS_KEY_PAIR_GEN)
        session.generate_keypair(KeyType.RSA, 2048, store=True, label="courbe")
    yield Softhsm(folder / "pin")
    if before is None:
        del os.environ["SOFTHSM2_CONF"]
    else:
        os.environ["SOFTHSM2_CONF"] = before


def test_a_key_of_a_token_signs_as_any_other(token: Softhsm):
    """RFC 8032 by CKM_EDDSA: the verifier cannot tell it from a key in a file."""
    key = token.key()
    key.public_key().verify(key.sign(b"statement"), b"statement")
    assert token.key("journal-2").public_key() != key.public_key()
    assert SigningKey(ORIGIN, key).log_key.raw == key.public_key().public_bytes_raw()


async def test_a_log_is_written_with_a_key_that_is_in_no_file(token: Softhsm, tmp_path: Path):
    settings = replace(settings_of(tmp_path), key=token.uri())
    stop, ready = asyncio.Event(), asyncio.Event()
    task = asyncio.create_task(run_writer(settings, SystemClock(), stop, ready.set))
    await ready.wait()
    async with client_of(settings) as client:
        receipts = await asyncio.gather(*(client.record(look()) for _ in range(20)))
    stop.set()
    await task
    public = await asyncio.to_thread(load_log_key, settings.folder / "log.pub")
    given = [receipt.to_json() for receipt in receipts]
    report = await asyncio.to_thread(verify_log, settings.folder, public.text(), receipts=given, workers=1)
    assert report.findings == []
    kept = await asyncio.to_thread(settings.key_file.read_text)
    assert kept == token.uri() + "\n"


async def test_the_key_moves_from_a_file_into_a_token_and_on_to_the_next(token: Softhsm, tmp_path: Path):
    async with running_writer(tmp_path) as settings, client_of(settings) as client:
        first = await asyncio.to_thread(load_log_key, settings.folder / "log.pub")
        receipts = [await client.record(look())]
        for label in ("journal-1", "journal-2"):
            ring = KeyRing(settings.key_file, settings.folder, settings.origin)
            await asyncio.to_thread(ring.prepare, token.uri(label), 3_600 * 1_000_000_000)
            await client.rotate_key()
            receipts.append(await client.record(look()))
    async with running_writer(tmp_path) as settings, client_of(settings) as client:
        receipts.append(await client.record(look()))
    report = await asyncio.to_thread(
        verify_log, settings.folder, first.text(), receipts=[each.to_json() for each in receipts], workers=1
    )
    assert report.findings == []
    assert dict(report.steps[1].notes) == {"hand_overs": 2}


async def test_a_token_that_is_away_fails_closed_and_comes_back_by_itself(token: Softhsm, tmp_path: Path):
    """LAW-26: without a signature there is no receipt, and without a receipt no picture."""
    settings = replace(settings_of(tmp_path), key=token.uri())
    stop, ready = asyncio.Event(), asyncio.Event()
    task = asyncio.create_task(run_writer(settings, SystemClock(), stop, ready.set))
    await ready.wait()
    async with client_of(settings) as client:
        before = await client.record(look())
        await asyncio.to_thread(token.pin_file.rename, token.pin_file.with_name("away"))
        await asyncio.to_thread(_close_session, token)
        for ask in (partial(client.record, look()), client.head):
            with pytest.raises(VmsError) as refused:
                await ask()
            assert refused.value.code == "audit.unavailable"
            assert "son jeton ne répond pas" in refused.value.message
        await asyncio.to_thread(token.pin_file.with_name("away").rename, token.pin_file)
        after = await client.record(look())
    stop.set()
    await task
    assert after.index == before.index + 1


def _close_session(token: Softhsm) -> None:
    """What a token does that is pulled out: every session is gone."""
    session = token.key()._token._session
    session.close()


def test_a_session_that_is_lost_is_opened_anew(token: Softhsm):
    one, other = token.key(), token.key("journal-2")
    _close_session(token)
    for key in (one, other, one):
        key.public_key().verify(key.sign(b"again"), b"again")


def test_a_pin_that_others_can_read_is_refused_at_the_start(token: Softhsm, tmp_path: Path):
    token.pin_file.chmod(0o644)
    try:
        with pytest.raises(VmsError) as refused:
            KeyRing(tmp_path / "keys" / "log.key", tmp_path, ORIGIN, token.uri()).open()
    finally:
        token.pin_file.chmod(0o600)
    assert refused.value.code == "audit.key"
    assert f"{token.pin_file} est lisible par d'autres utilisateurs" in refused.value.message
    assert not (tmp_path / "keys" / "log.key").exists()


@pytest.mark.parametrize("fault", ["no such key", "another kind", "no such token", "wrong PIN", "no PIN", "no library"])
def test_a_key_that_cannot_be_had_is_one_french_sentence(token: Softhsm, tmp_path: Path, fault: str):
    wrong = tmp_path / "pin"
    wrong.write_text("000000")
    wrong.chmod(0o600)
    token.key()._token.drop()
    uris = {
        "no such key": token.uri("journal-9"),
        "another kind": token.uri("courbe"),
        "no such token": token.uri(token="other"),
        "wrong PIN": replace(token, pin_file=wrong).uri(),
        "no PIN": replace(token, pin_file=tmp_path / "nowhere").uri(),
        "no library": token.uri().replace(str(MODULE), "/nowhere.so"),
    }
    with pytest.raises(VmsError) as refused:
        KeyRing(tmp_path / "keys" / "log.key", tmp_path, ORIGIN, uris[fault]).open()
    assert refused.value.code == "audit.key"
    assert refused.value.hint


@pytest.mark.parametrize(
    "text",
    [
        "pkcs11:token=a;object=b",
        "pkcs11:token=a;object=b?module-path=/m&pin-value=1234",
        "pkcs11:object=b?module-path=/m&pin-source=/p",
        "file:token=a;object=b?module-path=/m&pin-source=/p",
        "pkcs11:",
    ],
)
def test_a_uri_that_is_not_whole_or_holds_the_pin_is_refused(text: str):
    with pytest.raises(ValueError, match="URI"):
        TokenUri.parse(text)


def test_a_uri_is_read_as_in_rfc_7512():
    uri = TokenUri.parse("pkcs11:token=The%20token;object=a%3Bb;type=private?pin-source=file:/p&module-path=/m.so")
    assert uri == TokenUri("The token", "a;b", Path("/m.so"), Path("/p"))


def test_another_key_under_the_same_name_is_not_taken(token: Softhsm):
    key = token.key()
    key._uri = TokenUri.parse(token.uri("journal-2"))
    _close_session(token)
    with pytest.raises(KeyUnavailableError, match="another key"):
        key.sign(b"statement")
