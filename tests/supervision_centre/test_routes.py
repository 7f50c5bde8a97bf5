"""What holds for every route: declarations, errors, headers, who may call it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route, WebSocketRoute

from supervision_centre.application import create_app
from supervision_centre.people.person import Role
from supervision_centre.settings import CONSOLE_FILES, CentreSettings
from supervision_centre.web.declarations import IMAGE_FREE, declared, undeclared
from supervision_centre.web.headers import content_security_policy
from tests.supervision_centre.centre import ORIGIN, TestCentre, running_centre
from tests.supervision_centre.parts import PASSWORD, PURPOSE, camera_id, live
from vms.base.database import Database


async def test_every_route_says_what_it_does_with_images(centre: TestCentre) -> None:
    """LAW-26: nothing shows an image without an entry; the list of the others is closed and holds no dead name."""
    assert undeclared(centre.app) == []
    assert set(undeclared(centre.app, frozenset())) <= IMAGE_FREE
    assert set(declared(centre.app)) == {
        "GET /api/cameras/{camera_id}",
        "GET /api/cameras/{camera_id}/destruction",
        "GET /api/cameras/{camera_id}/timeline",
        "GET /api/holds/{hold_id}",
        "GET /api/audit/communications",
        "GET /api/audit/entries",
        "GET /api/audit/entries/{index}/proof",
        "GET /api/audit/export",
        "GET /api/audit/inventory",
        "GET /api/audit/reports",
        "GET /api/audit/reports/{commune}/{month}",
        "POST /api/holds",
        "POST /api/holds/{hold_id}/release",
        "POST /api/holds/{hold_id}/release/confirm",
        "POST /api/holds/{hold_id}/release/withdraw",
        "POST /api/live-sessions",
        "POST /api/live-sessions/close",
        "POST /api/live-sessions/renew",
        "POST /api/playback-sessions",
        "POST /api/playback-sessions/close",
        "POST /api/playback-sessions/renew",
    }


def _plain_route(app: FastAPI) -> None:
    app.add_api_route("/api/cameras/{camera_id}/snapshot", lambda: None)


def _included_router(app: FastAPI) -> None:
    inner, outer = APIRouter(), APIRouter()
    inner.add_api_route("/api/cameras/{camera_id}/snapshot", lambda: None)
    outer.include_router(inner)
    app.include_router(outer)


def _mount(app: FastAPI) -> None:
    app.routes.append(Mount("/snapshots", app=PlainTextResponse("")))


def _web_socket(app: FastAPI) -> None:
    app.routes.append(WebSocketRoute("/snapshots", lambda _: None))


def _bare_route(app: FastAPI) -> None:
    app.routes.append(Route("/snapshots", lambda _: PlainTextResponse("")))


@pytest.mark.parametrize("plant", [_plain_route, _included_router, _mount, _web_socket, _bare_route])
async def test_a_route_that_says_nothing_is_found(centre: TestCentre, plant: Callable[[FastAPI], None]) -> None:
    """LAW-26: the planted violation."""
    plant(centre.app)
    assert len(undeclared(centre.app)) == 1


async def test_a_route_that_says_nothing_keeps_the_centre_from_starting(
    centre: TestCentre, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("supervision_centre.web.declarations.IMAGE_FREE", frozenset())
    monkeypatch.setattr("supervision_centre.application.undeclared", lambda app: undeclared(app, frozenset()))
    with pytest.raises(RuntimeError, match="GET /api/me"):
        create_app(centre.services)


CALLS: list[tuple[str, str, Any]] = [
    ("GET", "/api/me", None),
    ("GET", "/api/cameras", None),
    ("GET", f"/api/cameras/{camera_id(1)}", None),
    ("GET", f"/api/cameras/{camera_id(1)}/timeline?from=2025-12-31T00:00:00Z&to=2025-12-31T01:00:00Z", None),
    ("GET", "/api/audit/entries", None),
    ("GET", "/api/audit/entries/0/proof", None),
    ("GET", "/api/people", None),
    ("GET", "/api/presence", None),
    ("POST", "/api/people/per-nobody/suspend", None),
    ("POST", "/api/people/per-nobody/restore", None),
    ("POST", "/api/live-sessions", {"cameras": [camera_id(1)], "purpose": PURPOSE}),
    ("POST", "/api/live-sessions/renew", {"sessions": ["view-1"]}),
    ("POST", "/api/live-sessions/close", {"sessions": ["view-1"]}),
    ("POST", "/api/playback-sessions/renew", {"sessions": ["view-1"]}),
    ("POST", "/api/playback-sessions/close", {"sessions": ["view-1"]}),
    ("POST", "/api/logout", None),
]
JOURNAL = {path for _, path, _ in CALLS if path.startswith("/api/audit/")}
FORBIDDEN: dict[Role, set[str]] = {
    Role.OPERATOR: {*JOURNAL, "/api/people", "/api/presence", "suspend", "restore"},
    Role.GENDARME: {
        *JOURNAL, "/api/people", "/api/presence", "suspend", "restore", "timeline", "/api/playback-sessions/renew",
    },
    Role.INSTALLER: {
        *JOURNAL, "/api/people", "/api/presence", "suspend", "restore", "timeline", "/api/playback-sessions/renew",
        "/api/live-sessions", "/api/live-sessions/renew",
    },
    Role.INSPECTOR: {
        "/api/presence", "suspend", "restore", "timeline", "/api/playback-sessions/renew", "/api/live-sessions",
        "/api/live-sessions/renew",
    },
}  # fmt: skip


async def test_without_a_session_no_route_answers(centre: TestCentre) -> None:
    browser = centre.browser()
    for method, path, body in CALLS:
        answer = await browser.http.request(method, path, json=body)
        assert (answer.status_code, answer.json()["code"]) == (401, "session.missing"), path


@pytest.mark.parametrize("role", list(FORBIDDEN))
async def test_a_role_reaches_its_own_routes_only(centre: TestCentre, role: Role) -> None:
    """LAW-21, LAW-24, LAW-31, LAW-57: what a role may not do is refused on the server."""
    browser = await centre.logged_in(role)
    refused = set()
    for method, path, body in CALLS[:-1]:
        headers = {"X-CSRF-Token": browser.csrf}
        answer = await browser.http.request(method, path, json=body, headers=headers)
        if answer.status_code == 403:
            refused.add(path)
    expected = {path for _, path, _ in CALLS if path in FORBIDDEN[role] or any(
        path.split("?")[0].endswith(f"/{name}") for name in FORBIDDEN[role] if not name.startswith("/")
    )}  # fmt: skip
    assert refused == expected


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({"cameras": [], "purpose": PURPOSE}, "cameras"),
        ({"purpose": PURPOSE}, "ce champ manque"),
        ({"cameras": ["cam-1"], "purpose": PURPOSE, "extra": 1}, "ce champ n'existe pas"),
        ({"cameras": ["cam-\x00"], "purpose": PURPOSE}, "cette valeur n'est pas admise"),
        ({"cameras": ["cam-1"], "purpose": PURPOSE, "note": "x" * 201}, "trop long"),
    ],
)
async def test_a_malformed_request_is_answered_in_french(centre: TestCentre, body: dict[str, Any], word: str) -> None:
    operator = await centre.logged_in(Role.OPERATOR)
    answer = await operator.post("/api/live-sessions", body)
    assert answer.status_code == 422
    assert answer.json()["code"] == "request.invalid"
    assert word in answer.json()["message"]


async def test_what_does_not_exist_or_is_too_large_is_answered_in_french(centre: TestCentre) -> None:
    operator = await centre.logged_in(Role.OPERATOR)
    assert (await operator.get("/api/nothing")).json()["code"] == "route.unknown"
    assert (await operator.http.delete("/api/me")).json()["code"] == "route.method"
    large = await operator.post("/api/live-sessions", {"cameras": ["x" * 200_000], "purpose": PURPOSE})
    assert (large.status_code, large.json()["code"]) == (413, "request.too_large")
    for path in ("/docs", "/redoc", "/openapi.json"):
        assert (await operator.get(path)).status_code == 404


async def test_text_that_no_database_or_answer_can_hold_is_refused_as_any_other(centre: TestCentre) -> None:
    """A NUL, which PostgreSQL refuses, and half a surrogate pair, which UTF-8 does."""
    supervisor = await centre.logged_in(Role.SUPERVISOR)
    raw = {"Content-Type": "application/json", "X-CSRF-Token": supervisor.csrf}
    answers = [
        await supervisor.post("/api/people/a%00b/suspend"),
        await supervisor.http.post("/api/login", json={"login": "a\0b", "password": PASSWORD}),
        await supervisor.http.post("/api/login", json={"login": "a", "password": "\0" * 20}),
        await supervisor.http.post("/api/login", content=b'{"login": "\\ud800", "password": "x"}', headers=raw),
        await supervisor.http.post("/api/login", content=b'{"\\ud800": 1, "login": "x", "password": "x"}', headers=raw),
        await supervisor.http.post("/api/login", content=b"[" * 60_000, headers=raw),
        await supervisor.http.post("/api/login", content=b"1" * 60_000, headers=raw),
        await supervisor.get("/api/audit/entries?person=a%00b"),
        await supervisor.get("/api/cameras/a%00b"),
        await supervisor.get("/api/cameras/a%00b/timeline?from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z"),
    ]
    assert [answer.status_code for answer in answers] == [422, 422, 401, 422, 422, 400, 400, 403, 422, 422]
    assert all(answer.json()["message"].endswith(".") for answer in answers)


async def test_an_unexpected_error_says_nothing_of_its_inside(
    centre: TestCentre, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken() -> None:
        raise KeyError("secret detail")

    operator = await centre.logged_in(Role.OPERATOR)
    monkeypatch.setattr(centre.cameras, "all", broken)
    answer = await operator.get("/api/cameras")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "secret" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_every_answer_carries_the_security_headers(database: Database, short_folder: Path) -> None:
    settings = CentreSettings(public_origins=(ORIGIN,), console_files=CONSOLE_FILES)
    async with running_centre(database, short_folder, settings) as centre:
        browser = centre.browser()
        page, api = await browser.get("/"), await browser.get("/api/health")
    assert (page.status_code, page.headers["cache-control"]) == (200, "no-cache")
    assert (api.json()["status"], api.headers["cache-control"]) == ("ok", "no-store")
    for answer in (page, api):
        policy = answer.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in policy
        assert "unsafe-inline" not in policy
        assert "connect-src 'self' ws://localhost:8081 http://localhost:8081" in policy
        assert answer.headers["referrer-policy"] == "no-referrer"
    assert "script-src 'self'" in content_security_policy(replace(settings, gateway_url="wss://m.example"))


async def test_the_list_says_why_a_camera_has_no_signal(centre: TestCentre) -> None:
    """LAW-18: and holds the cameras of the territory only."""
    operator = await centre.logged_in(Role.OPERATOR, "27229")
    centre.node.states = [live(1, 5_000_000_000), live(2, 6_000_000_000, "bad_password")]
    cameras = {one["id"]: one for one in (await operator.get("/api/cameras")).json()["cameras"]}
    assert set(cameras) == {camera_id(1), camera_id(2)}
    assert cameras[camera_id(1)]["status"]["condition"] == "live"
    assert cameras[camera_id(2)]["status"] == {
        "condition": "no_signal",
        "since": "1970-01-01T00:00:06.000Z",
        "cause": "bad_password",
        "message": "La caméra refuse le mot de passe.",
    }
    centre.node.away = True
    away = (await operator.get("/api/cameras")).json()["cameras"]
    assert {one["status"]["message"] for one in away} == {"L'enregistreur ne répond pas."}
