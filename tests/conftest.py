"""Hostile settings from the first day: no network beyond loopback, and no blocking call in an event loop."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import pytest_socket
import structlog
from blockbuster import BlockBuster, blockbuster_ctx

PRODUCT_PACKAGES = ["vms", "cameras", "recorder", "supervision_centre", "access_audit"]


def log_plainly() -> None:
    """Logs as plain text: the renderer for terminals reads source files, which would block the loop."""
    structlog.configure(
        processors=[
            structlog.stdlib.add_log_level,
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(key_order=["level", "event"]),
        ],
    )


log_plainly()


@pytest.fixture(autouse=True)
def no_blocking_call_in_the_event_loop(request: pytest.FixtureRequest) -> Iterator[BlockBuster | None]:
    """Fail any test in which the product blocks its event loop."""
    with blockbuster_ctx(PRODUCT_PACKAGES) as blocker:
        yield blocker


def pytest_runtest_setup(item: pytest.Item) -> None:
    pytest_socket.socket_allow_hosts(["127.0.0.0/8", "::1", "localhost", "239.255.255.250"], allow_unix_socket=True)
