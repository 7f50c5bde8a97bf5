"""Configuration: one TOML file, read once, checked whole.

An unknown key is an error that names the nearest known one; a wrong value is an error that names its place. Nothing
starts on half a configuration.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from vms.base.errors import ErrorKind, VmsError, refusal_text


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
        why = refusal_text(unreadable) if isinstance(unreadable, OSError) else "ce n'est pas du texte UTF-8"
        raise _refused(
            "config.unreadable",
            f"Le fichier de configuration {path} est illisible : {why}.",
            "Vérifiez ses droits et son contenu.",
            str(unreadable),
        ) from None
    except tomllib.TOMLDecodeError as broken:
        raise _refused(
            "config.syntax",
            f"Le fichier de configuration {path} n'est pas du TOML valide{_place_of(broken)}.",
            "Corrigez cet endroit : section entre crochets, ou clé = valeur, les textes entre guillemets.",
            str(broken),
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
            f"Dans {origin}, la valeur de « {place} » est refusée : {_expectation(first)}.",
            "Corrigez-la, ou retirez la clé pour garder la valeur par défaut.",
            first["msg"],
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


def _place_of(broken: tomllib.TOMLDecodeError) -> str:
    """Where a file breaks off; the reader says it in English, at the end of its message."""
    found = re.search(r"at line (\d+), column (\d+)", str(broken))
    return f", ligne {found[1]}, colonne {found[2]}" if found else ", à la fin du fichier"


_EXPECTED = {
    "int_type": "un nombre entier est attendu",
    "int_parsing": "un nombre entier est attendu",
    "int_from_float": "un nombre entier est attendu",
    "float_type": "un nombre est attendu",
    "float_parsing": "un nombre est attendu",
    "bool_type": "« true » ou « false » est attendu",
    "bool_parsing": "« true » ou « false » est attendu",
    "string_type": "un texte entre guillemets est attendu",
    "path_type": "un chemin entre guillemets est attendu",
    "tuple_type": "une liste entre crochets est attendue",
    "model_type": "une section entre crochets est attendue",
    "greater_than_equal": "{ge} au moins",
    "less_than_equal": "{le} au plus",
}


def _expectation(error: ErrorDetails) -> str:
    """What would have been right, in French."""
    return _EXPECTED.get(error["type"], "elle n'a pas la forme voulue").format(**error.get("ctx", {}))


def _refused(code: str, message: str, hint: str, detail: str = "") -> VmsError:
    return VmsError(ErrorKind.CONFIGURATION, code, message, hint=hint, detail=detail)
