"""The real log, written once for all tests of the verifier, and the verifier as one file."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType

import pytest

from access_audit.standalone import standalone_verifier
from tests.access_audit.verify.real_log import RealLog, build_real_log


@pytest.fixture(scope="session")
def real_log(tmp_path_factory: pytest.TempPathFactory) -> RealLog:
    return build_real_log(tmp_path_factory.mktemp("real"))


@pytest.fixture(scope="session")
def one_file(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    """`vms-verify.py` as a module, to compare many verdicts quickly."""
    path = tmp_path_factory.mktemp("one") / "vms_verify.py"
    path.write_text(standalone_verifier(), encoding="utf-8")
    spec = importlib.util.spec_from_file_location("vms_verify", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["vms_verify"] = module
    spec.loader.exec_module(module)
    return module
