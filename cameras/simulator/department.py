"""Composing a simulated department: which cameras, where on the network, with which faults.

Camera N of commune C has address base + 256 C + N (127.27.C.N on the default base), a hardware identity and a serial
number drawn from base, commune and number, and its own place in the film, so that no two tiles of a wall look alike.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from cameras.simulator.places import COMMUNES, Commune, viewpoint
from cameras.simulator.spec import CameraSpec, DepartmentSpec, Fault, Place
from vms.base.errors import ErrorKind, VmsError

DEFAULT_BASE = "127.27.0.0/16"
MAXIMUM_PER_COMMUNE = 254
_OFFSET_STEP_S = 5.3
_MODELS = (("Vidéosim", "VS-2M"), ("Normandie Optique", "NO-Dôme 4"), ("Vidéosim", "VS-4M"))


def compose_department(
    communes: int = 6,
    cameras: int = 12,
    *,
    base: str = DEFAULT_BASE,
    faults: Mapping[str, frozenset[Fault]] | None = None,
    template: CameraSpec | None = None,
) -> DepartmentSpec:
    """A department of `cameras` cameras spread evenly over the first `communes` communes of the list.

    `faults` maps the number of a camera (`"2.1"`: commune 2, camera 1), its address or `"*"` to faults; `template`
    gives what all cameras share (ports, account, films).
    Raises VmsError(INVALID_INPUT) when the figures or the base make no sense, or a fault names no camera.
    """
    network = _network(base)
    _check_size(communes, cameras, network)
    shared = template or CameraSpec(name="")
    specs: list[CameraSpec] = []
    named: dict[str, int] = {}
    for number, (commune, count) in enumerate(_shares(COMMUNES[:communes], cameras), 1):
        for rank in range(1, count + 1):
            spec = _camera(shared, network, commune, number, rank, offset_s=len(specs) * _OFFSET_STEP_S)
            named[f"{number}.{rank}"] = named[spec.address] = len(specs)
            specs.append(spec)
    for name, wanted in (faults or {}).items():
        for place in _chosen(name, named, len(specs)):
            specs[place] = replace(specs[place], faults=specs[place].faults | wanted)
    return DepartmentSpec(tuple(specs))


def parse_faults(texts: Iterable[str]) -> dict[str, frozenset[Fault]]:
    """Read `NAME@CAMERA` (or `NAME`, for every camera) as the command line gives them.

    Raises VmsError(INVALID_INPUT) for a name that is no fault.
    """
    chosen: dict[str, frozenset[Fault]] = {}
    for text in texts:
        name, _, camera = text.partition("@")
        try:
            fault = Fault(name)
        except ValueError:
            raise VmsError(
                ErrorKind.INVALID_INPUT,
                "simulator.unknown_fault",
                f"Le défaut « {name} » n'existe pas.",
                hint=f"Défauts possibles : {', '.join(Fault)}.",
            ) from None
        key = camera or "*"
        chosen[key] = chosen.get(key, frozenset()) | {fault}
    return chosen


def _network(base: str) -> ipaddress.IPv4Network:
    try:
        return ipaddress.IPv4Network(base)
    except ValueError as error:
        raise VmsError(
            ErrorKind.INVALID_INPUT,
            "simulator.bad_base",
            f"« {base} » n'est pas une plage d'adresses IPv4.",
            hint=f"Donnez une plage comme {DEFAULT_BASE}.",
            detail=str(error),
        ) from None


def _check_size(communes: int, cameras: int, network: ipaddress.IPv4Network) -> None:
    if not 1 <= communes <= len(COMMUNES) or cameras < communes:
        raise VmsError(
            ErrorKind.INVALID_INPUT,
            "simulator.bad_size",
            f"Impossible de répartir {cameras} caméras sur {communes} communes.",
            hint=f"Choisissez de 1 à {len(COMMUNES)} communes, et au moins une caméra par commune.",
        )
    most = -(-cameras // communes)
    if most > MAXIMUM_PER_COMMUNE or communes * 256 + most >= network.num_addresses:
        raise VmsError(
            ErrorKind.INVALID_INPUT,
            "simulator.base_too_small",
            f"La plage {network} ne contient pas assez d'adresses.",
            hint="Choisissez une plage plus grande, ou moins de caméras par commune.",
        )


def _shares(communes: Sequence[Commune], cameras: int) -> Iterable[tuple[Commune, int]]:
    each, remainder = divmod(cameras, len(communes))
    return ((commune, each + (rank < remainder)) for rank, commune in enumerate(communes))


def _camera(
    shared: CameraSpec, network: ipaddress.IPv4Network, commune: Commune, number: int, rank: int, *, offset_s: float
) -> CameraSpec:
    view = viewpoint(commune, rank - 1)
    manufacturer, model = _MODELS[(number + rank) % len(_MODELS)]
    address = network.network_address + 256 * number + rank
    return replace(
        shared,
        name=view.name,
        address=str(address),
        place=Place(commune.code, commune.name, view.latitude, view.longitude, view.orientation_deg),
        mac=f"0256{int(address):08x}",
        serial=f"VS{address.packed[1]}{number:03d}{rank:03d}",
        manufacturer=manufacturer,
        model=model,
        offset_s=round(shared.offset_s + offset_s, 3),
        ptz=rank == 1,
    )


def _chosen(name: str, named: Mapping[str, int], count: int) -> Iterable[int]:
    if name == "*":
        return range(count)
    if name not in named:
        raise VmsError(
            ErrorKind.INVALID_INPUT,
            "simulator.unknown_camera",
            f"Le département simulé n'a pas de caméra « {name} ».",
            hint="Donnez un numéro comme 2.1 (commune 2, caméra 1), ou son adresse.",
        )
    return (named[name],)
