"""Configuration: one TOML file, read once, checked whole.

An unknown key is an error that names the nearest known one; a wrong value is an error that names its place. Nothing
starts on half a configuration.
"""

from __future__ import annotations

import difflib
import tomllib
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from vms.base.errors import ErrorKind, VmsError


class Section(BaseModel):
    """A table of the file: immutable, and closed to keys that it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)


S = TypeVar("S", bound=Section)


def load_config(model: type[S], path: Path) -> S:
    """Read a TOML file into `model`. Raises VmsError of kind configuration with a French sentence and what to do."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise _refused(
            "config.missing", f"Le fichier de configuration {path} n'existe pas.", "Vérifiez le chemin."
        ) from None
    except (OSError, UnicodeDecodeError) as unreadable:
        raise _refused(
            "config.unreadable",
            f"Le fichier de configuration {path} est illisible ({unreadable}).",
            "Vérifiez ses droits.",
        ) from None
    except tomllib.TOMLDecodeError as broken:
        raise _refused(
            "config.syntax",
            f"Le fichier de configuration {path} n'est pas du TOML valide : {broken}.",
            "Corrigez cette ligne.",
        ) from None
    return parse_config(model, content, str(path))


def parse_config(model: type[S], content: dict[str, Any], origin: str) -> S:
    """The same for values that are already read; `origin` names them in errors."""
    try:
        return model.model_validate(content)
    except ValidationError as wrong:
        first = wrong.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            raise _unknown_key(model, first["loc"], place, origin) from None
        raise _refused(
            "config.value",
            f"Dans {origin}, la valeur de « {place} » est refusée : {first['msg']}.",
            "Corrigez-la, ou retirez la clé pour garder la valeur par défaut.",
        ) from None


def _unknown_key(model: type[Section], loc: tuple[int | str, ...], place: str, origin: str) -> VmsError:
    known = _known_keys(model, loc[:-1])
    nearest = difflib.get_close_matches(str(loc[-1]), known, n=1, cutoff=0.4)
    hint = (
        f"Vouliez-vous écrire « {nearest[0]} » ?"
        if nearest
        else f"Clés possibles : {', '.join(sorted(known)) or 'aucune'}."
    )
    return _refused("config.unknown_key", f"Dans {origin}, la clé « {place} » est inconnue.", hint)


def _known_keys(model: type[BaseModel], path: tuple[int | str, ...]) -> list[str]:
    for part in path:
        if isinstance(part, int):
            continue
        annotation = model.model_fields[part].annotation
        candidates = [annotation, *get_args(annotation)]
        inner = [kind for kind in candidates if isinstance(kind, type) and issubclass(kind, BaseModel)]
        if not inner:
            return []
        model = inner[0]
    return list(model.model_fields)


def _refused(code: str, message: str, hint: str) -> VmsError:
    return VmsError(ErrorKind.CONFIGURATION, code, message, hint=hint)
