"""The command `vms`: one noun a file, loaded when it is called, so that `vms --help` costs no database and no SOAP.

Whatever goes wrong ends with one French sentence on standard error, what to do, and the exit code of its kind.
"""

from __future__ import annotations

import importlib
import sys
from typing import Final, NoReturn

import typer
from typer.exceptions import TyperException

from vms.app.cli.usage import usage_error
from vms.base.errors import VmsError

NOUNS: Final[dict[str, tuple[str, str]]] = {
    "demo": ("vms.app.cli.demo", "Démarre la démonstration : communes et caméras simulées, console complète."),
    "serve": ("vms.app.cli.serve", "Démarre tous les processus de cette machine."),
    "cameras": ("vms.app.cli.cameras", "Découvre, met en service et liste les caméras."),
    "people": ("vms.app.cli.people", "Gère les personnes habilitées et leurs comptes."),
    "audit": ("vms.app.cli.audit", "Vérifie et lit le journal des accès, hors ligne."),
    "recorder": ("vms.app.cli.recorder", "Contrôle ce qui est enregistré."),
    "simulate": ("vms.app.cli.simulate", "Simule des caméras ONVIF et RTSP."),
    "bench": ("vms.app.cli.bench", "Mesure les performances, en JSON."),
}


def _application(called: str | None) -> typer.Typer:
    """The command tree with the called noun in full and the others by name only."""
    root = typer.Typer(
        help="Vidéoprotection départementale : enregistrer, regarder, prouver.",
        context_settings={"help_option_names": ["-h", "--help"]},
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    for noun, (module, summary) in NOUNS.items():
        app = importlib.import_module(module).app if noun == called else typer.Typer()
        app.info.callback = app.info.callback or _nothing
        root.add_typer(app, name=noun, help=summary)
    return root


def _nothing() -> None:
    return


def main(arguments: list[str] | None = None) -> None:
    """Run one command line and exit with its code."""
    words = sys.argv[1:] if arguments is None else arguments
    called = words[0] if words and words[0] in NOUNS else None
    try:
        sys.exit(_application(called)(words, prog_name="vms", standalone_mode=False) or 0)
    except VmsError as refused:
        _end_with(refused)
    except TyperException as wrong:
        if wrong.__class__.__name__ == "NoArgsIsHelpError":
            print(wrong, file=sys.stderr)  # noqa: T201 — the help
            sys.exit(2)
        _end_with(usage_error(wrong))
    except (typer.Abort, KeyboardInterrupt):
        print("Abandon : rien n'a été fait.", file=sys.stderr)  # noqa: T201
        sys.exit(130)


def _end_with(refused: VmsError) -> NoReturn:
    print(f"Erreur : {refused.message}", file=sys.stderr)  # noqa: T201 — the last word of a command
    if refused.hint:
        print(f"  → {refused.hint}", file=sys.stderr)  # noqa: T201
    sys.exit(refused.exit_code)


if __name__ == "__main__":
    main()
