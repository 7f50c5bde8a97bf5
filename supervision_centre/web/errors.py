"""Errors as people read them: one JSON shape, French sentences, details for the log alone."""

from __future__ import annotations

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

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
    app.add_exception_handler(Exception, _unknown)


async def _known(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, VmsError)
    if error.kind in {ErrorKind.UNAVAILABLE, ErrorKind.CORRUPT, ErrorKind.INTERNAL}:
        log.warning("request failed", path=request.url.path, code=error.code, detail=error.detail)
    response = answer(error.http_status, error.code, error.message, error.hint)
    if error.kind is ErrorKind.EXHAUSTED:
        response.headers["Retry-After"] = "2"
    return response


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"][1:])
    sentence = _SENTENCES.get(first["type"], "cette valeur n'est pas valable")
    subject = f"« {place[:80]} » : {sentence}" if place else sentence
    return answer(422, "request.invalid", f"La demande est incorrecte ({subject}).", "Corrigez ce champ et réessayez.")


async def _http(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    code, message, hint = _BY_STATUS.get(
        error.status_code, ("request.refused", "La demande a été refusée.", "Rechargez la console.")
    )
    return answer(error.status_code, code, message, hint)


async def _unknown(request: Request, error: Exception) -> JSONResponse:
    log.error("request failed unexpectedly", path=request.url.path, exc_info=error)
    return answer(
        500,
        "internal",
        "Une erreur inattendue est survenue ; elle a été consignée.",
        "Réessayez ; si l'erreur persiste, prévenez l'exploitant.",
    )
