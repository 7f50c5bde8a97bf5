"""The centre as a web application: features, background tasks, and the order of what wraps a request.

`create_app` refuses to build an application with a route that neither declares its journal entries nor is known to be
free of images. TLS ends before this process; the addresses in the settings say whether the outside is https.
"""

from __future__ import annotations

import asyncio
import mimetypes
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI
from starlette.staticfiles import StaticFiles

from supervision_centre.access.owed import Deliverer
from supervision_centre.access.sweep import Sweep
from supervision_centre.access.viewing import Viewing
from supervision_centre.cameras.routes import router as cameras
from supervision_centre.capacity.routes import router as capacity
from supervision_centre.destruction.routes import router as destruction
from supervision_centre.destruction.service import Destruction
from supervision_centre.holds.routes import router as holds
from supervision_centre.holds.service import Holds
from supervision_centre.holds.upkeep import HoldUpkeep
from supervision_centre.journal.export import Exports
from supervision_centre.journal.export_routes import router as journal_exports
from supervision_centre.journal.routes import router as journal
from supervision_centre.live.routes import router as live
from supervision_centre.people.accounts import Accounts
from supervision_centre.people.login import Login
from supervision_centre.people.routes import router as people
from supervision_centre.people.web_sessions import WebSessions
from supervision_centre.playback.routes import router as playback
from supervision_centre.reports.routes import router as reports
from supervision_centre.reports.service import Reports
from supervision_centre.served.service import ServedComparison
from supervision_centre.services import CentreServices
from supervision_centre.web import errors
from supervision_centre.web.current import Centre
from supervision_centre.web.declarations import undeclared
from supervision_centre.web.headers import SecurityHeaders
from supervision_centre.web.health import router as health
from vms.base.tasks import Backoff, supervise

__all__ = ["CentreServices", "create_app"]

MAX_BODY_BYTES = 64 * 1024
_ROUTERS = (
    people, cameras, live, playback, holds, destruction, capacity, journal, journal_exports, reports, health,
)  # fmt: skip

mimetypes.init()  # reads files, once and now, rather than in the event loop at the first page


def create_app(services: CentreServices) -> FastAPI:
    """The application over these services. Raises RuntimeError when a route does not say what it does with images."""
    deliverer = Deliverer(services.database, services.audit, services.clock)
    web_sessions = WebSessions(services.database, services.clock, services.settings)
    viewing = Viewing(services, deliverer)
    login = Login(services, web_sessions, viewing, deliverer)
    accounts = Accounts(services.database, services.clock, services.passwords, services.audit.record)
    sweep = Sweep(services, viewing, web_sessions, deliverer)
    upkeep = HoldUpkeep(services, deliverer)

    app = FastAPI(
        title="vms-departemental",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        lifespan=lambda _: _background(services, deliverer, sweep, upkeep),
    )
    app.state.centre = Centre(
        services=services,
        web_sessions=web_sessions,
        deliverer=deliverer,
        viewing=viewing,
        login=login,
        accounts=accounts,
        holds=Holds(services, deliverer, upkeep),
        destruction=Destruction(services.audit, services.node, services.database, services.clock),
        exports=Exports(services),
        reports=Reports(services.audit, services.node, services.cameras, services.clock),
    )
    errors.install(app)
    for router in _ROUTERS:
        app.include_router(router)
    if services.settings.console_files is not None:
        console = StaticFiles(directory=services.settings.console_files, html=True, check_dir=False)
        app.mount("/", console, name="console")
    app.add_middleware(errors.LastResort, max_body_bytes=MAX_BODY_BYTES)
    app.add_middleware(SecurityHeaders, settings=services.settings)
    silent = undeclared(app)
    if silent:
        raise RuntimeError(f"routes that do not say what they do with images: {', '.join(silent)}")
    return app


@asynccontextmanager
async def _background(
    services: CentreServices, deliverer: Deliverer, sweep: Sweep, upkeep: HoldUpkeep
) -> AsyncIterator[None]:
    works = {"owed entries": deliverer.run, "sweep": sweep.run, "bus": sweep.listen, "holds": upkeep.run}
    works["served"] = ServedComparison(services).run
    tasks = [
        asyncio.create_task(supervise(name, work, services.clock, Backoff(maximum_s=5.0)), name=name)
        for name, work in works.items()
    ]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task
