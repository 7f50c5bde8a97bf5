"""A stub centre in a process of its own, and a real Chromium in front of it."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--autoplay-policy=no-user-gesture-required",
    "--disable-background-networking",
    "--no-first-run",
    "--disable-quic",
    "--disable-component-update",
    "--disable-sync",
]
ROOT = Path(__file__).parents[3]


class Stub:
    """The address of the stub, and its switches."""

    def __init__(self, url: str) -> None:
        self.url = url

    def tell(self, **values: Any) -> dict[str, Any]:
        """Switch faults; what the stub has seen so far."""
        body = json.dumps(values).encode()
        with urllib.request.urlopen(urllib.request.Request(f"{self.url}/stub", body), timeout=10) as answer:
            seen: dict[str, Any] = json.loads(answer.read())
            return seen


@pytest.fixture(scope="session")
def _stub_process() -> Iterator[Stub]:
    command = [sys.executable, "-m", "tests.supervision_centre.console.stub_centre", "--cameras", "6"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, "the stub centre did not start"
        try:
            yield Stub(json.loads(line)["url"])
        finally:
            process.terminate()
            process.wait(10)


@pytest.fixture
def stub(_stub_process: Stub) -> Stub:
    """The stub as it is before anybody came."""
    _stub_process.tell(reset=True)
    return _stub_process


@pytest.fixture(scope="module")
def _browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def page(_browser: Browser, stub: Stub) -> Iterator[Page]:
    """A window of 1366x768 in which no script may fail."""
    context = _browser.new_context(viewport={"width": 1366, "height": 768}, locale="fr-FR", accept_downloads=True)
    window = context.new_page()
    window.set_default_timeout(15_000)
    failures: list[str] = []
    window.on("pageerror", lambda error: failures.append(str(error)))
    window.on("console", lambda message: failures.append(message.text) if "Content Security" in message.text else None)
    window.goto(stub.url)
    yield window
    context.close()
    assert failures == []
