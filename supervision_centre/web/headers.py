"""Headers that every answer carries.

The page runs no inline script, speaks with the centre and its gateway only, and stands in no frame. Answers of the API
are kept by no cache. Source: OWASP Secure Headers; Content Security Policy Level 3 (W3C).
"""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from supervision_centre.settings import CentreSettings


def content_security_policy(settings: CentreSettings) -> str:
    """The policy of the console's pages."""
    outside = f"{settings.gateway_url} {settings.media_url}"
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' data: blob:",
            "font-src 'self'",
            "manifest-src 'self'",
            "worker-src 'self'",
            f"media-src 'self' blob: {settings.media_url}",
            f"connect-src 'self' {outside}",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
    )


class SecurityHeaders:
    """ASGI middleware that adds them."""

    def __init__(self, app: ASGIApp, settings: CentreSettings) -> None:
        self._app = app
        self._fixed = {
            "Content-Security-Policy": content_security_policy(settings),
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
            "Referrer-Policy": "no-referrer",
            "Permissions-Policy": "camera=(), microphone=(), geolocation=(), display-capture=()",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
        }
        if settings.secure:
            self._fixed["Strict-Transport-Security"] = "max-age=31536000"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        cache = "no-store" if scope["path"].startswith("/api/") else "no-cache"

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._fixed.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", cache)
            await send(message)

        await self._app(scope, receive, with_headers)
