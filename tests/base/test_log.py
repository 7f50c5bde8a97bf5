from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from tests.conftest import log_plainly
from vms.base.log import MASK, configure_logging, mask, mask_text


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    root = logging.getLogger()
    kept, level = root.handlers[:], root.level
    configure_logging("probe", stream=stream)
    yield stream
    root.handlers[:] = kept
    root.setLevel(level)
    log_plainly()


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("opening rtsp://admin:s3cret@127.0.0.1/main", "s3cret"),
        ("Authorization: Digest username=x, response=abcdef", "abcdef"),
        ("password=s3cret", "s3cret"),
        ("mot de passe : s3cret", "s3cret"),
    ],
)
def test_secrets_in_text_are_masked(text: str, secret: str):
    assert secret not in mask_text(text)
    assert MASK in mask_text(text)


def test_secrets_are_masked_by_name_at_any_depth():
    shown = mask({"camera": {"password": "s3cret", "address": "127.0.0.1"}, "items": [{"api_token": "t"}]})
    assert "s3cret" not in str(shown)
    assert "127.0.0.1" in str(shown)
    assert "'t'" not in str(shown)


def test_a_line_is_one_json_object_that_names_its_process(lines: io.StringIO):
    structlog.get_logger("recorder").info("opened", url="rtsp://u:p@host/x", password="p")
    line = json.loads(lines.getvalue())
    assert line["process"] == "probe"
    assert line["event"] == "opened"
    assert line["password"] == MASK
    assert line["url"] == f"rtsp://{MASK}@host/x"


def test_the_logs_of_libraries_are_masked_too(lines: io.StringIO):
    logging.getLogger("some.library").warning("failed: %s", "https://u:p@host/")
    assert "u:p" not in lines.getvalue()
