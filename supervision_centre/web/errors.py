"""Errors as people read them: one JSON shape, French sentences, details for the log alone."""

from __future__ import annotations

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from supervision_centre.people.throttle import TooManyTriesError
from vms.base.errors import ErrorKind, VmsError

log = structlog.get_logger(__name__)

_BY_STATUS = {
    401: ("session.missing", "Vous n'êtes pas connecté.", "Connectez-vous."),
    404: ("route.unknown", "Cette adresse n'existe pas.", "Revenez à l'accueil de la console."),
    405: ("route.method", "Cette opération n'existe pas à cette adresse.", "Revenez à l'accueil de la console."),
    413: ("request.too_large", "La demande est trop volumineuse.", "Réduisez-la."),
    415: ("request.type", "La demande n'est pas au format JSON.", "Rechargez la console."),
}
_SENTENCES = {
    "missing": "ce champ manque",
    "extra_forbidden": "ce champ n'existe pas",
    "json_invalid": "la demande n'est pas du JSON valide",
    "string_too_short": "ce texte est trop court",
    "string_too_long": "ce texte est trop long",
    "too_short": "la liste est trop courte",
    "too_long": "la liste est trop longue",
    "enum": "cette valeur n'est pas admise",
    "string_pattern_mismatch": "ce texte n'a pas la forme attendue",
    "greater_than_equal": "ce nombre est trop petit",
    "less_than_equal": "ce nombre est trop grand",
    "value_error": "cette valeur n'est pas admise",
}


def answer(status: int, code: str, message: str, hint: str = "") -> JSONResponse:
    """One error, as every route and the console know it."""
    return JSONResponse({"code": code, "message": message, "hint": hint}, status)


def install(app: FastAPI) -> None:
    """Make every error of the application leave in this shape."""
    app.add_exception_handler(VmsError, _known)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)


async def _known(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, VmsError)
    if error.kind in {ErrorKind.UNAVAILABLE, ErrorKind.CORRUPT, ErrorKind.INTERNAL}:
        log.warning("request failed", path=request.url.path, code=error.code, detail=error.detail)
    response = answer(error.http_status, error.code, error.message, error.hint)
    if isinstance(error, TooManyTriesError):
        response.headers["Retry-After"] = str(error.wait_s)
    return response


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    place = "".join(filter(str.isprintable, ".".join(str(part) for part in first["loc"][1:])))
    sentence = _SENTENCES.get(first["type"], "cette valeur n'est pas valable")
    subject = f"« {place[:80]} » : {sentence}" if place else sentence
    return answer(422, "request.invalid", f"La demande est incorrecte ({subject}).", "Corrigez ce champ et réessayez.")


async def _http(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    code, message, hint = _BY_STATUS.get(
        error.status_code, ("request.refused", "La demande a été refusée.", "Rechargez la console.")
    )
    return answer(error.status_code, code, message, hint)


class LastResort:
    """ASGI middleware: what nobody expected is logged whole, and answered with one sentence that says nothing of it.

    It stands inside the middleware of headers, where the framework's own last handler does not. It also bounds bodies,
    by what they announce and by what comes, so that the refusal is in our words and not in the framework's.
    """

    def __init__(self, app: ASGIApp, max_body_bytes: int) -> None:
        self._app = app
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and _announced_bytes(scope) > self._max_body_bytes:
            code, message, hint = _BY_STATUS[413]
            await answer(413, code, message, hint)(scope, receive, send)
            return
        started = False
        received = 0

        async def bounded() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._max_body_bytes:
                raise HTTPException(413)
            return message

        async def watched(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, bounded, watched)
        except Exception:
            log.exception("request failed unexpectedly", path=scope.get("path", ""))
            if started or scope["type"] != "http":
                raise
            unexpected = answer(
                500,
                "internal",
                "Une erreur inattendue est survenue ; elle a été consignée.",
                "Réessayez ; si l'erreur persiste, prévenez l'exploitant.",
            )
            await unexpected(scope, receive, send)


def _announced_bytes(scope: Scope) -> int:
    """What `Content-Length` says; 0 where it says nothing that can be read."""
    announced = Headers(scope=scope).get("content-length", "")
    return int(announced) if announced.isascii() and announced.isdigit() and len(announced) < 16 else 0
