"""Each route says what it does with images (LAW-26).

A route that can show, move, copy or erase images declares the kinds of its entries; every other one is declared free of
images, by name, below. A route that does neither keeps the application from starting.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from starlette.applications import Starlette
from starlette.routing import BaseRoute

from access_audit.events import EventKind

_KEY = "x-audit-events"

IMAGE_FREE = frozenset(
    {
        "POST /api/login",
        "POST /api/logout",
        "GET /api/me",
        "GET /api/health",
        "GET /api/cameras",
        "GET /api/audit/export/{export_id}",
        "GET /api/capacity",
        "GET /api/presence",
        "GET /api/holds",
        "GET /api/people",
        "POST /api/people/{person_id}/suspend",
        "POST /api/people/{person_id}/restore",
        "MOUNT /",
    }
)


def declares(*kinds: EventKind) -> dict[str, Any]:
    """For `openapi_extra` of a route: the entries that it makes."""
    return {_KEY: [kind.value for kind in kinds]}


def undeclared(app: Starlette, image_free: frozenset[str] = IMAGE_FREE) -> list[str]:
    """The routes that neither declare their entries nor are known to be free of images."""
    return sorted(name for name, kinds in _walk(app.routes) if not kinds and name not in image_free)


def declared(app: Starlette) -> dict[str, list[str]]:
    """The routes that declare their entries."""
    return {name: kinds for name, kinds in _walk(app.routes) if kinds}


def _walk(routes: Iterable[BaseRoute]) -> Iterable[tuple[str, list[str]]]:
    for route in routes:
        included = getattr(route, "original_router", None)
        if included is not None:
            yield from _walk(included.routes)
            continue
        path = getattr(route, "path", repr(route)) or "/"
        kinds = list((getattr(route, "openapi_extra", None) or {}).get(_KEY, ()))
        methods = getattr(route, "methods", None)
        for method in sorted(methods) if methods else ["MOUNT" if hasattr(route, "app") else "SOCKET"]:
            if method != "HEAD":
                yield f"{method} {path}", kinds
