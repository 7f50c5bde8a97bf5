"""The supervision centre: console, API, and the task that tells the recorder which cameras are its own."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

import structlog
import uvicorn

from access_audit.client import AuditClient
from cameras.inventory.repository import Inventory
from recorder.contract.assignment import CameraAssignment
from recorder.contract.node import RecorderNode
from recorder.node.local import LocalNode
from supervision_centre.application import create_app
from supervision_centre.bus.in_process import InProcessBus
from supervision_centre.bus.port import Bus
from supervision_centre.people.passwords import Passwords
from supervision_centre.services import CentreServices
from supervision_centre.settings import CentreSettings
from vms.app.inventory import assignment_of, open_inventory
from vms.app.layout import DataFolder, read_audit_key, read_private_key
from vms.app.migrations.run import upgrade
from vms.app.settings import Settings
from vms.base.clock import NS_PER_SECOND, Clock, SystemClock
from vms.base.tasks import Backoff, supervise

log = structlog.get_logger(__name__)

ASSIGN_CHECK_S = 1.0
ASSIGN_AGAIN_NS = 30 * NS_PER_SECOND


async def run(folder: DataFolder, stop: asyncio.Event, on_ready: Callable[[], None], _: int) -> None:
    """Serve until asked to stop. The schema is brought up to date first."""
    clock = SystemClock()
    await upgrade(folder.database_url)
    audit_key = await asyncio.to_thread(read_audit_key, folder.audit_public_key)
    ticket_key = await asyncio.to_thread(read_private_key, folder.ticket_key)
    audit = AuditClient(folder.audit_socket, audit_key, seen=folder.seen("centre"))
    node = LocalNode(folder.shard_sockets, folder.gateway_socket)
    bus = _bus(folder.settings)
    try:
        async with open_inventory(folder) as (inventory, database):
            services = CentreServices(
                database=database,
                audit=audit,
                node=node,
                cameras=inventory,
                bus=bus,
                clock=clock,
                ticket_key=ticket_key,
                settings=centre_settings(folder.settings),
                passwords=await asyncio.to_thread(Passwords),
            )
            assigning = asyncio.create_task(
                supervise(
                    "assign cameras", lambda: keep_assigned(inventory, node, clock), clock, Backoff(maximum_s=5.0)
                )
            )
            try:
                await _serve(services, folder.settings, stop, on_ready)
            finally:
                assigning.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await assigning
    finally:
        await bus.close()
        await node.close()
        await audit.close()


def centre_settings(settings: Settings) -> CentreSettings:
    """What the centre must know of this machine's settings."""
    return CentreSettings(
        public_origins=settings.console_origins,
        gateway_url=settings.live_url,
        media_url=settings.media_url,
        centre_name=settings.centre_name,
        demonstration=settings.demonstration.enabled,
        session_idle_s=settings.centre.session_idle_minutes * 60,
        control_room_idle_s=settings.centre.session_wall_idle_minutes * 60,
        session_absolute_s=settings.centre.session_hours * 3600,
    )


async def keep_assigned(inventory: Inventory, node: RecorderNode, clock: Clock) -> None:
    """Tell the node its cameras whenever they change, and from time to time, since a node may have been replaced."""
    told: list[CameraAssignment] = []
    told_ns = 0
    while True:
        wanted = [assignment_of(camera) for camera in await inventory.recordable()]
        now_ns = clock.monotonic_ns()
        if wanted != told or now_ns - told_ns >= ASSIGN_AGAIN_NS:
            await node.assign(wanted)
            if wanted != told:
                log.info("cameras assigned", cameras=len(wanted))
            told, told_ns = wanted, now_ns
        await clock.sleep(ASSIGN_CHECK_S)


def _bus(settings: Settings) -> Bus:
    if not settings.centre.redis_url:
        return InProcessBus()
    from supervision_centre.bus.over_redis import RedisBus  # noqa: PLC0415 — half a second that most starts can spare

    return RedisBus(settings.centre.redis_url)


async def _serve(
    services: CentreServices, settings: Settings, stop: asyncio.Event, on_ready: Callable[[], None]
) -> None:
    server = uvicorn.Server(
        uvicorn.Config(
            create_app(services),
            host=settings.centre.host,
            port=settings.centre.port,
            log_config=None,
            access_log=False,
            server_header=False,
            ws="none",
            timeout_graceful_shutdown=3,
        )
    )
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment] # the process has its own
    serving = asyncio.create_task(server.serve(), name="http")
    stopping = asyncio.create_task(stop.wait())
    try:
        while not server.started and not serving.done():  # noqa: ASYNC110 — the library has no event for it
            await asyncio.sleep(0.02)
        if not serving.done():
            on_ready()
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        server.should_exit = True
        await serving
