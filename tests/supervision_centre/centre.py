"""A whole centre for tests: a real database, a real journal, the application, and browsers in front of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import httpx
from argon2 import PasswordHasher
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import FastAPI

from access_audit.client import AuditClient
from access_audit.events import EventKind
from access_audit.journal import JournalEntry, JournalQuery
from supervision_centre.application import create_app
from supervision_centre.bus.in_process import InProcessBus
from supervision_centre.people.accounts import Accounts
from supervision_centre.people.passwords import Passwords
from supervision_centre.people.person import Person, Role
from supervision_centre.people.provision import system_author
from supervision_centre.services import CentreServices
from supervision_centre.settings import CentreSettings
from tests.access_audit.logs import client_of, running_writer
from tests.supervision_centre.parts import PASSWORD, VERNON, DirectoryInMemory, NodeInMemory, camera, person
from vms.base.clock import ManualClock
from vms.base.database import Database

ORIGIN = "http://centre.example:8080"
DEADLINE_S = 10.0
T = TypeVar("T")


def cheap_passwords() -> Passwords:
    """Real argon2id at the lowest cost."""
    return Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


@dataclass(slots=True)
class Browser:
    """One browser: its cookies, and the token of its page."""

    http: httpx.AsyncClient
    csrf: str = ""
    me: dict[str, Any] = field(default_factory=dict)

    async def log_in(self, login: str, password: str = PASSWORD) -> httpx.Response:
        answer = await self.http.post("/api/login", json={"login": login, "password": password})
        if answer.is_success:
            self.me = (await self.http.get("/api/me")).json()
            self.csrf = self.me["csrf"]
        return answer

    async def get(self, path: str, **query: Any) -> httpx.Response:
        return await self.http.get(path, params=query or None)

    async def post(self, path: str, body: Any = None) -> httpx.Response:
        return await self.http.post(path, json=body, headers={"X-CSRF-Token": self.csrf})

    async def watch(self, *cameras: str, purpose: str = "security_of_persons_and_property") -> httpx.Response:
        return await self.post("/api/live-sessions", {"cameras": cameras, "purpose": purpose})


class TestCentre:
    """The centre and what its tests look at."""

    __test__ = False

    def __init__(self, services: CentreServices, folder: Path) -> None:
        self.services = services
        self.folder = folder
        self.app: FastAPI = create_app(services)
        self.accounts = Accounts(services.database, services.clock, services.passwords, services.audit.record)
        assert isinstance(services.clock, ManualClock)
        assert isinstance(services.node, NodeInMemory)
        assert isinstance(services.cameras, DirectoryInMemory)
        self.clock, self.node, self.cameras = services.clock, services.node, services.cameras

    async def add(self, role: Role, *territories: str, **changes: object) -> Person:
        made = person(role, self.clock.utc_ns(), *territories, **changes)
        return await self.accounts.create(made, PASSWORD, system_author("test"))

    def browser(self, address: str = "127.0.0.1") -> Browser:
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False, client=(address, 50_000))
        return Browser(httpx.AsyncClient(transport=transport, base_url=ORIGIN, headers={"Origin": ORIGIN}))

    async def logged_in(self, role: Role, *territories: str, **changes: object) -> Browser:
        made = await self.add(role, *territories, **changes)
        browser = self.browser()
        assert (await browser.log_in(made.login)).status_code == 204
        return browser

    async def entries(self, *kinds: EventKind) -> list[JournalEntry]:
        """The entries of these kinds, oldest first; none is about to come when the test knows that it has come."""
        page = await self.services.audit.search(JournalQuery(kinds=frozenset(kinds), limit=200))
        return list(reversed(page.entries))

    async def entry(self, kind: EventKind) -> JournalEntry:
        """The only entry of a kind, as soon as it is there."""
        return (await self.some(kind, 1))[0]

    async def some(self, kind: EventKind, count: int) -> list[JournalEntry]:
        """The entries of a kind, as soon as there are so many: they are published after their receipts."""

        async def there() -> list[JournalEntry]:
            found = await self.entries(kind)
            return found if len(found) >= count else []

        found = await until(there)
        assert len(found) == count
        return found


async def until(look: Callable[[], Awaitable[T]]) -> T:
    """The first true answer, within a deadline."""
    deadline = time.monotonic() + DEADLINE_S
    while True:
        found = await look()
        if found:
            return found
        assert time.monotonic() < deadline, "it did not come"
        await asyncio.sleep(0.01)


def services_over(
    database: Database, audit: AuditClient, clock: ManualClock, settings: CentreSettings | None = None
) -> CentreServices:
    key = Ed25519PrivateKey.generate()
    return CentreServices(
        database=database,
        audit=audit,
        node=NodeInMemory(key.public_key(), clock),
        cameras=DirectoryInMemory(camera(1), camera(2), camera(3, VERNON)),
        bus=InProcessBus(),
        clock=clock,
        ticket_key=key,
        settings=settings or replace(CentreSettings(), public_origins=(ORIGIN,), console_files=None),
        passwords=cheap_passwords(),
    )


@asynccontextmanager
async def running_centre(
    database: Database, folder: Path, settings: CentreSettings | None = None, start_ns: int | None = None
) -> AsyncIterator[TestCentre]:
    """A centre over a migrated database, with its journal and its background tasks."""
    clock = ManualClock(start_ns) if start_ns is not None else ManualClock()
    async with running_writer(folder) as writer, client_of(writer, timeout_s=2.0) as audit:
        services = services_over(database, audit, clock, settings)
        centre = TestCentre(services, folder)
        try:
            async with centre.app.router.lifespan_context(centre.app):
                yield centre
        finally:
            services.passwords.close()
