"""A small centre and gateway that speak the documented interfaces, for tests of the console alone.

    python -m tests.supervision_centre.console.stub_centre [--port 8080] [--cameras 12]

prints one line of JSON with its address, and serves until it is stopped. `POST /stub` switches its faults on and off.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import time
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from supervision_centre.access.purposes import VERSIONS
from supervision_centre.settings import CONSOLE_FILES
from tests.supervision_centre.console.stub_archive import archive_routes
from tests.supervision_centre.console.stub_film import load_film
from tests.supervision_centre.console.stub_media import Dropped, MediaState, media_app, utc_text
from vms.base.clock import parse_utc

COMMUNES = [
    ("27229", "Évreux", ["Place du Général-de-Gaulle", "Gare"]),
    ("27681", "Vernon", ["Pont Clemenceau", "Rue d'Albuféra"]),
    ("27375", "Louviers", ["Place Thorel", "Halle aux drapiers"]),
    ("27056", "Bernay", ["Rue Thiers", "Place de la République"]),
    ("27016", "Les Andelys", ["Place Nicolas-Poussin", "Quai Grimoult"]),
    ("27467", "Pont-Audemer", ["Rue de la République", "Place Victor-Hugo"]),
]
PEOPLE = {
    "operatrice": ("Camille Lefèvre", "operator", "Opérateur de vidéoprotection", ["cameras", "live", "playback"]),
    "dpo": ("Nadia Benali", "dpo", "Délégué à la protection des données", ["cameras", "journal", "people.list"]),
    "superviseur": (
        "Marc Auger",
        "supervisor",
        "Superviseur du centre",
        ["cameras", "live", "playback", "people.list", "people.suspend"],
    ),
}
KIND_LABELS = {"live.opened": "Ouverture d'une image en direct", "playback.opened": "Ouverture d'images enregistrées"}
PASSWORD = "demonstration"
GAP_LABELS = {"link": "Liaison avec la commune interrompue", "camera": "Caméra sans réponse"}


CENTRE_SWITCHES = {"audit_down", "failed_logins", "logged_in"}
MEDIA_SWITCHES = {"gateway_down", "stills_down", "slow_s"}
AS_IT_WAS: dict[str, Any] = {
    "audit_down": False, "failed_logins": 0, "logged_in": "", "silent": {},
    "gateway_down": False, "stills_down": True, "own_gaps": {}, "slow_s": {},
}  # fmt: skip


class StubCentre:
    """Everything the stub remembers."""

    def __init__(self, cameras: int) -> None:
        self.media = MediaState(load_film("street_352x288_h264.mp4"), load_film("street_768x576_h264.mp4"))
        names = [(code, commune, name) for code, commune, streets in COMMUNES for name in streets]
        self.cameras = [
            {"id": f"cam_{index + 1}", "name": name, "commune": code, "commune_name": commune}
            for index, (code, commune, name) in enumerate((names * 4)[:cameras])
        ]
        started = int(time.time())
        self.media.gaps = [(started - 1500, started - 1260, "link"), (started - 420, started - 405, "camera")]
        self.recorded_from = started - 7200
        self.logged_in = ""
        self.failed_logins = 0
        self.audit_down = False
        self.closed: list[str] = []
        self.suspended: dict[str, float] = {}
        self.entries: list[dict[str, Any]] = []
        self.serial = 1192
        self.origin = self.media_url = ""

    def record(self, kind: str, camera: str, body: dict[str, Any]) -> dict[str, Any]:
        """Write an entry; its receipt."""
        self.serial += 1
        leaf = hashlib.sha256(str(self.serial).encode()).hexdigest()
        place = next(one for one in self.cameras if one["id"] == camera)
        purposes = {one.code: one.label for one in VERSIONS[-1].purposes}
        ranged = {"start": body["from"], "end": body["to"]} if "from" in body else None
        self.entries.insert(
            0,
            {
                "index": self.serial, "at": utc_text(time.time()), "kind": kind, "kind_label": KIND_LABELS[kind],
                "operation": "consultation", "operation_label": "Consultation", "person": PEOPLE[self.logged_in][0],
                "person_id": f"per_{self.logged_in}", "role": PEOPLE[self.logged_in][1],
                "role_label": PEOPLE[self.logged_in][2], "reason": body["purpose"],
                "reason_label": purposes[body["purpose"]], "note": body.get("note", ""), "camera": camera,
                "camera_name": place["name"], "commune": place["commune"], "commune_name": place["commune_name"],
                "range": ranged, "leaf": leaf,
            },
        )  # fmt: skip
        return {"index": self.serial, "leaf": leaf}

    def session(self, kind: str, camera: str, body: dict[str, Any]) -> dict[str, Any]:
        """Open a viewing session."""
        receipt = self.record(kind, camera, body)
        session = f"view_{self.serial}"
        if "from" in body:
            self.media.ranges[session] = (parse_utc(body["from"]), parse_utc(body["to"]))
        return {"session_id": session, "camera": camera, **self.ticket(session, camera), "receipt": receipt}

    def ticket(self, session: str, camera: str) -> dict[str, str]:
        """A fresh ticket of a session."""
        ticket = f"ticket.{session}.{time.monotonic_ns()}"
        self.media.tickets[ticket] = (session, camera)
        return {"ticket": ticket, "expires_at": utc_text(time.time() + 10)}

    def renew(self, sessions: list[str]) -> dict[str, Any]:
        """Fresh tickets for the sessions that go on."""
        cameras = dict(self.media.tickets.values())
        alive = [one for one in sessions if one in cameras and one not in self.closed]
        ended = [{"session_id": one, "cause": "closed"} for one in sessions if one not in alive]
        return {"sessions": [{"session_id": one, **self.ticket(one, cameras[one])} for one in alive], "ended": ended}


def refusal(status: int, code: str, message: str, hint: str = "", **headers: str) -> JSONResponse:
    """An error of the API."""
    return JSONResponse({"code": code, "message": message, "hint": hint}, status, headers)


def audit_refusal(told: object) -> JSONResponse:
    """The answer while the journal is down: with the sentence that the test gave, where it gave one."""
    usual = "Le journal des accès ne répond pas : aucune image ne peut être montrée."
    sentence = told if isinstance(told, str) else usual
    return refusal(503, "audit.unavailable", sentence, "Les images reviendront d'elles-mêmes.")


class Api:
    """The handlers of the centre."""

    def __init__(self, centre: StubCentre) -> None:
        self.centre = centre

    async def login(self, request: Request) -> Response:
        body = await request.json()
        if self.centre.failed_logins >= 5:
            sentence = "Trop d'essais : la prochaine tentative sera possible dans 2 s."
            return refusal(507, "login.throttled", sentence, **{"Retry-After": "2"})
        if body["login"] not in PEOPLE or body["password"] != PASSWORD:
            self.centre.failed_logins += 1
            return refusal(401, "login.refused", "Identifiant ou mot de passe incorrect.")
        self.centre.logged_in, self.centre.failed_logins = body["login"], 0
        return Response(status_code=204)

    async def logout(self, _: Request) -> Response:
        self.centre.logged_in = ""
        return Response(status_code=204)

    async def me(self, _: Request) -> Response:
        if not self.centre.logged_in:
            return refusal(401, "session.none", "Vous n'êtes pas connecté.")
        name, role, label, rights = PEOPLE[self.centre.logged_in]
        return JSONResponse(
            {
                "person": {"id": f"per_{self.centre.logged_in}", "name": name, "role": role, "role_label": label},
                "communes": [{"code": code, "name": commune} for code, commune, _ in COMMUNES],
                "authorities": [authority(commune) for _, commune, _ in COMMUNES],
                "rights": rights, "csrf": "jeton", "demo": True, "centre_name": "CDSU",
                "server_time": utc_text(time.time()),
                "gateway_url": self.centre.media_url.replace("http", "ws"), "media_url": self.centre.media_url,
                "purposes": [{"code": one.code, "label": one.label} for one in VERSIONS[-1].purposes],
            }
        )  # fmt: skip

    async def cameras(self, _: Request) -> Response:
        return JSONResponse({"cameras": [listed(self.centre, one) for one in self.centre.cameras]})

    async def open_live(self, request: Request) -> Response:
        if self.centre.audit_down:
            return audit_refusal(self.centre.audit_down)
        body = await request.json()
        sessions = [self.centre.session("live.opened", camera, body) for camera in body["cameras"]]
        return JSONResponse({"sessions": sessions, "refused": []})

    async def open_playback(self, request: Request) -> Response:
        if self.centre.audit_down:
            return audit_refusal(self.centre.audit_down)
        body = await request.json()
        return JSONResponse(self.centre.session("playback.opened", body["camera"], body))

    async def renew(self, request: Request) -> Response:
        if self.centre.audit_down:
            return audit_refusal(self.centre.audit_down)
        return JSONResponse(self.centre.renew((await request.json())["sessions"]))

    async def close(self, request: Request) -> Response:
        sessions = (await request.json())["sessions"]
        self.centre.closed += sessions
        for ticket, (session, _) in list(self.centre.media.tickets.items()):
            if session in sessions:
                del self.centre.media.tickets[ticket]
        return Response(status_code=204)

    async def timeline(self, request: Request) -> Response:
        holes = self.centre.media.holes(request.path_params["id"])
        edges = [self.centre.recorded_from, *(at for start, end, _ in holes for at in (start, end)), time.time()]
        spans = [{"start": utc_text(a), "end": utc_text(b)} for a, b in zip(edges[::2], edges[1::2], strict=True)]
        gaps = [
            {"start": utc_text(a), "end": utc_text(b), "cause": cause, "label": GAP_LABELS.get(cause, "")}
            for a, b, cause in holes
        ]
        return JSONResponse({"spans": spans, "gaps": gaps})

    async def journal(self, request: Request) -> Response:
        query = request.query_params
        before = int(query.get("before") or 10**9)
        wanted = {name: query[name] for name in ("camera", "commune", "operation") if query.get(name)}
        found = [
            one for one in self.centre.entries
            if one["index"] < before and all(one[name] == value for name, value in wanted.items())
        ]  # fmt: skip
        page = found[: int(query.get("limit", "50"))]
        return JSONResponse({"entries": page, "next": page[-1]["index"] if len(found) > len(page) else None})

    async def proof(self, request: Request) -> Response:
        return JSONResponse({"index": int(request.path_params["index"]), "hashes": ["00" * 32], "checkpoint": "…"})

    async def people(self, _: Request) -> Response:
        listed_people = [
            {
                "id": f"per_{login}", "login": login, "name": name, "role": role, "role_label": label,
                "territories": ["27"],
                "suspended_at": utc_text(self.centre.suspended[login]) if login in self.centre.suspended else None,
            }
            for login, (name, role, label, _) in PEOPLE.items()
        ]  # fmt: skip
        return JSONResponse({"people": listed_people})

    async def judge(self, request: Request) -> Response:
        if request.headers.get("x-csrf-token") != "jeton":
            return refusal(403, "csrf", "La demande ne vient pas de la console.")
        login = request.path_params["id"].removeprefix("per_")
        if request.url.path.endswith("suspend"):
            self.centre.suspended[login] = time.time()
        else:
            self.centre.suspended.pop(login, None)
        return Response(status_code=204)

    async def health(self, _: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def stub(self, request: Request) -> Response:
        return JSONResponse(await command(self.centre, await request.json()))


def centre_app(centre: StubCentre) -> Starlette:
    """The centre of the stub."""
    api = Api(centre)
    policy = Middleware(SecurityHeaders, centre=centre)
    return Starlette(
        middleware=[policy],
        routes=[
            Route("/api/login", api.login, methods=["POST"]),
            Route("/api/logout", api.logout, methods=["POST"]),
            Route("/api/me", api.me),
            Route("/api/cameras", api.cameras),
            Route("/api/cameras/{id}/timeline", api.timeline),
            Route("/api/live-sessions", api.open_live, methods=["POST"]),
            Route("/api/live-sessions/renew", api.renew, methods=["POST"]),
            Route("/api/live-sessions/close", api.close, methods=["POST"]),
            Route("/api/playback-sessions", api.open_playback, methods=["POST"]),
            Route("/api/playback-sessions/renew", api.renew, methods=["POST"]),
            Route("/api/playback-sessions/close", api.close, methods=["POST"]),
            Route("/api/audit/entries", api.journal),
            Route("/api/audit/entries/{index:int}/proof", api.proof),
            Route("/api/people", api.people),
            Route("/api/people/{id}/suspend", api.judge, methods=["POST"]),
            Route("/api/people/{id}/restore", api.judge, methods=["POST"]),
            Route("/api/health", api.health),
            Route("/stub", api.stub, methods=["POST"]),
            Mount("/", StaticFiles(directory=CONSOLE_FILES, html=True)),
        ],
    )


def authority(commune: str) -> str:
    """Whose images these are."""
    return f"Maire d'{commune}" if commune[0] in "ÉA" else f"Maire de {commune}"


def listed(centre: StubCentre, camera: dict[str, Any]) -> dict[str, Any]:
    """A camera as the API lists it."""
    since, cause = centre.media.silent.get(camera["id"], (0.0, ""))
    status = {"condition": "no_signal" if cause else "live", "since": utc_text(since), "cause": cause, "message": ""}
    return {**camera, "authority": authority(camera["commune_name"]), "has_sub": True, "state": "in_service",
            "latitude": None, "longitude": None, "status": status}  # fmt: skip


async def command(centre: StubCentre, body: dict[str, Any]) -> dict[str, Any]:
    """Switch faults; answer what a test may want to know."""
    media = centre.media
    if body.get("reset"):
        centre.closed.clear()
        centre.suspended.clear()
        for seen in (media.opened, media.tickets, media.fetches, media.stills_asked):
            seen.clear()
        body = {**AS_IT_WAS, **body}
    for name in body.keys() & CENTRE_SWITCHES:
        setattr(centre, name, body[name])
    for name in body.keys() & MEDIA_SWITCHES:
        setattr(media, name, body[name])
    if "own_gaps" in body:
        media.own_gaps = {camera: [tuple(gap) for gap in gaps] for camera, gaps in body["own_gaps"].items()}
    if "silent" in body:
        media.silent = {camera: (time.time(), cause) for camera, cause in body["silent"].items()}
    await tell_links(media, body)
    return {
        "opened": media.opened, "closed": centre.closed, "sessions": list(media.tickets.values()),
        "walls": len(media.walls), "fetches": media.fetches, "entries": len(centre.entries), "gaps": media.gaps,
        "stills": media.stills_asked, "ranges": media.ranges, "players": len(media.players),
    }  # fmt: skip


async def tell_links(media: MediaState, body: dict[str, Any]) -> None:
    """Do to the open connections what a test asks for."""
    links: list[Dropped] = [*media.walls, *media.players]
    for link in links:
        if body.get("gateway_down"):
            await link.close()
        if "end" in body:
            await link.end(body["end"], body["cause"])
    for player in list(media.players) if "disown" in body else []:
        await player.disown(*body["disown"])
    for wall in list(media.walls):
        if "restart" in body:
            await wall.restart(body["restart"])
        if "lag" in body:
            await wall.say_lag(body["lag"], 7)


class SecurityHeaders:
    """The content security policy that the console lives under."""

    def __init__(self, app: ASGIApp, centre: StubCentre) -> None:
        self._app = app
        self._centre = centre

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        media = self._centre.media_url
        policy = (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src blob:; "
            f"connect-src 'self' {media} {media.replace('http', 'ws')}; form-action 'self'; base-uri 'none'; "
            "frame-ancestors 'none'"
        )

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"content-security-policy", policy.encode())]
            await send(message)

        await self._app(scope, receive, guarded)


async def serve(port: int, cameras: int) -> None:
    """Serve the centre and the gateway, each on its port."""
    centre = StubCentre(cameras)
    archive = archive_routes(centre.media, lambda: centre.origin)
    servers = [
        uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=number, log_level="warning", ws="websockets-sansio"))
        for app, number in ((media_app(centre.media, lambda: centre.origin, archive), 0), (centre_app(centre), port))
    ]
    tasks = []
    for server in servers:
        tasks.append(asyncio.create_task(server.serve()))
        while not server.started:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    media_port, centre_port = (server.servers[0].sockets[0].getsockname()[1] for server in servers)
    centre.media_url, centre.origin = f"http://127.0.0.1:{media_port}", f"http://127.0.0.1:{centre_port}"
    print(json.dumps({"url": centre.origin}), flush=True)
    await asyncio.gather(*tasks)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=Path(__file__).name)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--cameras", type=int, default=12)
    arguments = parser.parse_args()
    asyncio.run(serve(arguments.port, arguments.cameras))
