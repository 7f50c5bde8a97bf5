"""What is wrong with a command line, in French: the library under the commands says it in English.

Its exceptions are told apart by what they carry, since their classes are not part of its public interface.
"""

from __future__ import annotations

import re
from typing import Any

from typer.exceptions import TyperException

from vms.base.errors import ErrorKind, VmsError


def usage_error(wrong: TyperException) -> VmsError:
    """The error for people, of kind invalid_input, with the help that says more."""
    context = getattr(wrong, "ctx", None)
    command = "vms" if context is None else context.command_path
    nearest = _nearest(wrong)
    hint = f"Vouliez-vous écrire « {nearest} » ?" if nearest else f"« {command} --help » dit ce qui est possible."
    return VmsError(ErrorKind.INVALID_INPUT, "command.usage", _sentence(wrong), hint=hint, detail=str(wrong))


def _nearest(wrong: TyperException) -> str:
    possible = getattr(wrong, "possibilities", None) or re.findall(r"Did you mean '([^']+)'", str(wrong))
    return min(possible, default="")


def _sentence(wrong: TyperException) -> str:
    parameter, option = getattr(wrong, "param", None), getattr(wrong, "option_name", "")
    unknown = re.match(r"No such command '([^']+)'", str(wrong))
    if unknown is not None:
        return f"La commande « {unknown[1]} » n'existe pas."
    if hasattr(wrong, "possibilities"):
        return f"L'option « {option} » n'existe pas."
    if option:
        return f"L'option « {option} » est mal employée."
    if parameter is None:
        return "La ligne de commande n'est pas comprise."
    if hasattr(wrong, "param_type"):
        return f"Il manque {_named(parameter)}."
    return f"La valeur donnée à {_named(parameter)} est refusée{_limits(parameter)}."


def _named(parameter: Any) -> str:  # noqa: ANN401 — a class without a public name
    name: str = next(iter(parameter.opts), "")
    if name.startswith("-"):
        return f"l'option « {name} »"
    return f"l'argument « {parameter.name.upper()} »"


def _limits(parameter: Any) -> str:  # noqa: ANN401
    smallest, largest = getattr(parameter, "min", None), getattr(parameter, "max", None)
    if smallest is not None and largest is not None:
        return f" : un nombre de {smallest} à {largest} est attendu"
    return f" : un nombre d'au moins {smallest} est attendu" if smallest is not None else ""
