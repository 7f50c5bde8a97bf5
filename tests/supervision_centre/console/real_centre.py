"""A real centre in a process of its own, over a real journal and SQLite; only its node is in memory.

    python -m tests.supervision_centre.console.real_centre FOLDER [--port 8080]

prints one line of JSON with its address, and serves until it is stopped. `POST /stub` changes what the node does.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import uvicorn
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from access_audit.events import AccessEvent, Author, EventKind, Reason
from recorder.contract.capacity import CapacityState, DiskCapacity
from recorder.contract.timeline import RecordedSpan, Timeline
from supervision_centre.application import create_app
from supervision_centre.bus.in_process import InProcessBus
from supervision_centre.destruction.certificate import HOUR_NS
from supervision_centre.people.accounts import Accounts
from supervision_centre.people.person import Role
from supervision_centre.people.provision import system_author
from supervision_centre.services import CentreServices
from supervision_centre.settings import CentreSettings
from tests.access_audit.logs import client_of, running_writer
from tests.supervision_centre.centre import cheap_passwords
from tests.supervision_centre.parts import DAY_NS, PASSWORD, VERNON, DirectoryInMemory, NodeInMemory, camera, person
from vms.app.migrations.run import upgrade
from vms.base.clock import SystemClock
from vms.base.database import Database

PEOPLE = (
    ("superviseur", Role.SUPERVISOR, "Marc Auger"),
    ("adjointe", Role.SUPERVISOR, "Camille Lefèvre"),
    ("operateur", Role.OPERATOR, "Dominique Petit"),
    ("dpo", Role.DPO, "Nadia Benali"),
    ("maire", Role.MAYOR, "Jeanne Morel"),
    ("inspecteur", Role.INSPECTOR, "Isabelle Roy"),
    ("administrateur", Role.ADMINISTRATOR, "Paul Renard"),
)
GIGA = 10**9


class Node(NodeInMemory):
    """A node that still has the last three days."""

    async def timeline(self, camera_id: str, start_ns: int, end_ns: int) -> Timeline:
        self._answer()
        first = SystemClock().utc_ns() - 3 * DAY_NS
        spans = (RecordedSpan(max(first, start_ns), end_ns, 1, 20),) if end_ns > first else ()
        return Timeline(camera_id, start_ns, end_ns, spans, ())


def disks(state: CapacityState, now_ns: int) -> list[DiskCapacity]:
    """A disk that is well, and one in this state."""
    well = DiskCapacity(
        "disque-1", CapacityState.ENOUGH, 16_000 * GIGA, 5_200 * GIGA, 10_400 * GIGA, 42 * GIGA, 310 * GIGA, 30.0, 48.2,
        None,
    )  # fmt: skip
    forced = {CapacityState.TIGHT: 9, CapacityState.SHORT: 4}
    other = replace(
        well,
        name="disque-2",
        state=state,
        free_bytes=700 * GIGA,
        reached_days=24.5 if state is CapacityState.SHORT else 31.8,
        forced_at_ns=now_ns + forced[state] * DAY_NS if state in forced else None,
    )
    if state is CapacityState.DEAD:
        other = DiskCapacity("disque-2", state, 0, 0, 0, 0, 0, 0.0, 0.0, None)
    return [well, other]


def history(now_ns: int) -> list[AccessEvent]:
    """What a node told of the first camera ten days ago, and of its destruction since."""
    view, first_ns = camera(1), (now_ns // DAY_NS - 10) * DAY_NS
    events = []
    for hour in range(24):
        for kind, at_ns, details in (
            (EventKind.RECORDING_COLLECTED, first_ns + (hour + 2) * HOUR_NS, {}),
            (EventKind.RECORDING_ERASED, now_ns, {"cause": "retention", "seal": f"{hour:064x}"}),
        ):
            start_ns = first_ns + hour * HOUR_NS
            told = {"segments": "60", "bytes": str(1_790_000_000 + hour), "digest": f"{hour:064x}"}
            events.append(
                AccessEvent(
                    kind, Author("shard-1", "shard-1", "system"), at_ns, Reason("retention"), commune=view.commune,
                    camera_id=view.camera_id, range_start_ns=start_ns, range_end_ns=start_ns + HOUR_NS - 1,
                    details=told | details,
                )
            )  # fmt: skip
    return events


def looks(now_ns: int) -> list[AccessEvent]:
    """What people looked at today, and a hold on requisition."""
    operator, supervisor = Author("per-a", "Dominique Petit", "operator"), Author("per-b", "Marc Auger", "supervisor")
    hour_ago = now_ns - HOUR_NS
    told = [
        (EventKind.LIVE_OPENED, operator, 1, Reason("traffic_flow", "accident signalé, carrefour"), ""),
        (EventKind.LIVE_OPENED, operator, 3, Reason("security_of_persons_and_property"), ""),
        (EventKind.PLAYBACK_OPENED, supervisor, 2, Reason("road_offences", "vérification d'un signalement"), ""),
        (EventKind.PLAYBACK_OPENED, supervisor, 3, Reason("illegal_dumping"), ""),
        (EventKind.HOLD_PLACED, supervisor, 1, Reason("requisition", "vol avec violence"), "15127/00324/2026"),
    ]
    communes = {1: camera(1), 2: camera(2), 3: camera(3, VERNON)}
    return [
        AccessEvent(
            kind, author, now_ns, reason, recipients=(author.name,), commune=communes[number].commune,
            authority=communes[number].authority, camera_id=communes[number].camera_id, requisition=requisition,
            range_start_ns=0 if kind is EventKind.LIVE_OPENED else hour_ago,
            range_end_ns=0 if kind is EventKind.LIVE_OPENED else hour_ago + HOUR_NS // 4,
        )
        for kind, author, number, reason, requisition in told
    ]  # fmt: skip


async def serve(folder: Path, port: int) -> None:
    """Serve until cancelled."""
    database_url = f"sqlite+aiosqlite:///{folder / 'centre.sqlite'}"
    await upgrade(database_url)
    door = socket.create_server(("127.0.0.1", port))
    origin = f"http://127.0.0.1:{door.getsockname()[1]}"
    clock, key, database = SystemClock(), Ed25519PrivateKey.generate(), Database(database_url)
    node = Node(key.public_key(), clock)
    async with AsyncExitStack() as stack:
        writer = await stack.enter_async_context(running_writer(folder))
        audit = await stack.enter_async_context(client_of(writer))
        services = CentreServices(
            database=database,
            audit=audit,
            node=node,
            cameras=DirectoryInMemory(
                camera(1, name="Place du Général-de-Gaulle"),
                camera(2, name="Gare, parvis nord"),
                camera(3, VERNON, name="Pont Clemenceau"),
            ),
            bus=InProcessBus(),
            clock=clock,
            ticket_key=key,
            settings=replace(CentreSettings(), public_origins=(origin,), centre_name="CDSU de l'Eure"),
            passwords=cheap_passwords(),
        )
        accounts = Accounts(database, clock, services.passwords, audit.record)
        for login, role, name in PEOPLE:
            made = person(role, clock.utc_ns(), login=login, name=name)
            await accounts.create(made, PASSWORD, system_author("test"))
        await audit.record_all(history(clock.utc_ns()))
        await audit.record_all(looks(clock.utc_ns()))

        async def stub(request: Request) -> Response:
            body = await request.json()
            node.away = body.get("away", False)
            node.recorded_bytes = body.get("recorded_bytes", 48_000_000)
            node.disks = disks(CapacityState(body.get("disk", "enough")), clock.utc_ns())
            return JSONResponse({"held": list(node.held)})

        node.disks = disks(CapacityState.ENOUGH, clock.utc_ns())
        app = create_app(services)
        app.router.routes.insert(0, Route("/stub", stub, methods=["POST"]))
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        serving = asyncio.create_task(server.serve(sockets=[door]))
        while not server.started:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        print(json.dumps({"url": origin}), flush=True)
        await serving


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=Path(__file__).name)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--port", type=int, default=0)
    arguments = parser.parse_args()
    asyncio.run(serve(arguments.folder, arguments.port))
