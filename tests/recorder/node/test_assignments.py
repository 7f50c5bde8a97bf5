from __future__ import annotations

import json
from pathlib import Path

import pytest

from recorder.node.assignments import FILE_NAME, load_assignments, save_assignments
from tests.recorder.node.shards import camera_assignment


def test_assignments_survive_and_are_for_their_owner_only(tmp_path: Path):
    cameras = [camera_assignment("rtsp://192.0.2.1/main", "rtsp://192.0.2.1/sub"), camera_assignment("rtsp://[::1]/x")]
    save_assignments(tmp_path, cameras)
    assert load_assignments(tmp_path) == cameras
    assert (tmp_path / FILE_NAME).stat().st_mode & 0o777 == 0o600


def test_a_folder_without_assignments_has_none(tmp_path: Path):
    assert load_assignments(tmp_path) == []


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"version": 2, "cameras": []}', '{"version": 1, "cameras": [{}]}', "null"]
)
def test_a_file_that_cannot_be_read_is_left_where_it_is(tmp_path: Path, content: str):
    (tmp_path / FILE_NAME).write_text(content)
    assert load_assignments(tmp_path) == []
    assert (tmp_path / FILE_NAME).read_text() == content


def test_a_retention_beyond_the_month_is_not_taken_up(tmp_path: Path):
    """LAW-07: not even from the shard's own file."""
    save_assignments(tmp_path, [camera_assignment("rtsp://192.0.2.1/main")])
    content = json.loads((tmp_path / FILE_NAME).read_text())
    content["cameras"][0]["authorisation"]["retention_days"] = 31
    (tmp_path / FILE_NAME).write_text(json.dumps(content))
    assert load_assignments(tmp_path) == []
