"""`vms audit status` and `vms audit witness`: what others attest of the access log, and being one of those others."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from vms.app.cli.place import ConfigOption, DataOption, JsonOption
from vms.base.clock import NS_PER_SECOND, SystemClock, utc_text
from vms.base.errors import ErrorKind, VmsError

if TYPE_CHECKING:
    from access_audit.anchors.files import AnchorState, PartyState

CAUSES: Final = {
    "unreachable": "ne répond pas",
    "refused": "refuse la demande",
    "unverified": "a donné une réponse dont la signature ne se vérifie pas",
    "clock": "n'a pas la même heure que cette machine : l'une des deux est fausse",
    "inconsistent": "a vu UN AUTRE JOURNAL sous ce nom : lancez « vms audit verify » et prévenez le responsable",
    "ahead": "a vu un journal PLUS LONG : celui-ci a pu être ramené en arrière ; lancez « vms audit verify »",
    "storage": "a répondu, mais le disque du journal n'a pas pu garder sa réponse",
}
ALARMS: Final = frozenset({"inconsistent", "ahead"})
_OVERDUE_INTERVALS: Final = 3


def anchors_text(state: AnchorState | None, now_ns: int) -> str:
    """The anchors of a log in French, a line for each third party."""
    if state is None or not (state.authorities or state.witnesses):
        return "Attestations : aucune autorité d'horodatage ni aucun témoin n'est réglé."
    lines = ["Attestations par des tiers :"]
    for kind, group in (("autorité", state.authorities), ("témoin", state.witnesses)):
        lines += [f"  {kind} {party.name} : {_party_text(party, now_ns)}" for party in group.values()]
    return "\n".join(lines)


def _party_text(party: PartyState, now_ns: int) -> str:
    newest = f"{party.size} inscriptions attestées le {utc_text(party.at_ns)}" if party.at_ns else "rien d'attesté"
    waiting = f" ; {party.waiting} en attente" if party.waiting else ""
    if not party.cause:
        return newest + waiting
    minutes = max((now_ns - party.failing_since_ns) // (60 * NS_PER_SECOND), 0)
    return f"{newest}{waiting}\n    depuis {minutes} min, {CAUSES.get(party.cause, party.cause)}"


def anchors_code(state: AnchorState | None, now_ns: int) -> int:
    """The exit code: 8 when somebody saw another log, 6 when one has attested nothing for three intervals, else 0."""
    if state is None:
        return 0
    parties = [*state.authorities.values(), *state.witnesses.values()]
    if any(party.cause in ALARMS for party in parties):
        return VmsError(ErrorKind.CORRUPT, "audit.tampered", "").exit_code
    patience_ns = _OVERDUE_INTERVALS * state.interval_s * NS_PER_SECOND
    overdue = any(party.cause and now_ns - party.failing_since_ns > patience_ns for party in parties)
    return VmsError(ErrorKind.UNAVAILABLE, "audit.anchors", "").exit_code if overdue else 0


def show_status(place: Path, *, as_json: bool) -> None:
    """Print the head of the log and its anchors, and exit with their code."""
    from access_audit.anchors.files import read_state
    from access_audit.anchors.published import read_published

    published, state, now_ns = read_published(place), read_state(place), time.time_ns()
    if as_json:
        content: dict[str, Any] = {"anchors": None if state is None else state.to_json()}
        if published is not None:
            key, signed = published
            content |= {"origin": key.name, "key": key.text(), "size": signed.checkpoint.size}
        typer.echo(json.dumps(content, ensure_ascii=False, indent=1))
    else:
        if published is not None:
            key, signed = published
            typer.echo(f"Journal {key.name} : {signed.checkpoint.size} inscriptions publiées, clé {key.key_id.hex()}.")
        typer.echo(anchors_text(state, now_ns))
    sys.exit(anchors_code(state, now_ns))


def register(app: typer.Typer) -> None:
    """Add the commands to `vms audit`."""
    app.command("status")(status)
    app.command("witness")(witness)


def status(
    folder: Annotated[Path | None, typer.Option(help="Dossier du journal, au lieu de celui de l'installation.")] = None,
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Dit ce que les autorités et les témoins ont attesté du journal. Code 6 si l'un tarde, 8 si l'un s'alarme."""
    from vms.app.cli.audit import folder_of

    show_status(folder_of(folder, config, data), as_json=as_json)


def witness(
    folder: Annotated[Path, typer.Option(help="Dossier du témoin : sa clé et ce qu'il a vu.")],
    log_key: Annotated[list[Path], typer.Option(help="Clé publique « log.pub » d'un journal (répétable).")],
    listen: Annotated[str, typer.Option(help="Adresse d'écoute, HÔTE:PORT.")] = "127.0.0.1:8090",
    name: Annotated[str, typer.Option(help="Nom du témoin, à sa création ; sinon celui de la machine.")] = "",
) -> None:
    """Tourne comme témoin indépendant d'un journal : ne cosigne que ce qui prolonge ce qu'il a déjà vu."""
    from access_audit.keys import load_log_key
    from access_audit.witness.server import WitnessSettings
    from vms.base.log import configure_logging

    host, _, port = listen.rpartition(":")
    if not host or not port.isdecimal() or not 0 <= int(port) <= 65_535:
        raise VmsError(
            ErrorKind.INVALID_INPUT,
            "witness.listen",
            f"« {listen} » n'est pas une adresse d'écoute.",
            hint="Donnez --listen HÔTE:PORT, par exemple 127.0.0.1:8090.",
        )
    configure_logging("witness", level="info", as_json=True)
    keys = tuple(load_log_key(path) for path in log_key)
    settings = WitnessSettings(folder, name or socket.gethostname(), keys, host.strip("[]"), int(port))
    asyncio.run(_witness(settings))


async def _witness(settings: Any) -> None:  # noqa: ANN401 - imported when it is called
    from access_audit.witness.server import run_witness
    from vms.app.cli.serve import stop_when_asked

    stop = stop_when_asked()
    await run_witness(
        settings,
        SystemClock(),
        stop,
        lambda opened, port: typer.echo(f"Témoin {opened.key.text} à l'écoute sur le port {port}."),
    )
