"""The communes of the department, as published, and their loading."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from importlib.resources import files

from sqlalchemy import select

from cameras.inventory.tables import CommuneRow
from vms.base.database import Database


@dataclass(frozen=True, slots=True)
class Commune:
    """A commune of the department; `code_insee` is its key."""

    code_insee: str
    name: str
    population: int
    postcodes: str
    siren: str
    epci_siren: str
    epci_name: str


def communes_of_the_eure() -> list[Commune]:
    """The 585 communes of the Eure, from the file in this package (Etalab, Licence Ouverte)."""
    text = files("cameras.inventory").joinpath("data/eure_communes.csv").read_text(encoding="utf-8")
    return [
        Commune(
            row["code_insee"],
            row["nom"],
            int(row["population"]),
            row["codes_postaux"],
            row["siren"],
            row["epci_siren"],
            row["epci_nom"],
        )
        for row in csv.DictReader(text.splitlines())
    ]


async def load_communes(database: Database, communes: list[Commune]) -> int:
    """Add the communes that the database does not have yet, and return their number."""
    async with database.writing() as session:
        known = set(await session.all(select(CommuneRow.code_insee)))
        missing = [commune for commune in communes if commune.code_insee not in known]
        for commune in missing:
            session.add(
                CommuneRow(
                    code_insee=commune.code_insee,
                    name=commune.name,
                    population=commune.population,
                    postcodes=commune.postcodes,
                    siren=commune.siren,
                    epci_siren=commune.epci_siren,
                    epci_name=commune.epci_name,
                )
            )
        return len(missing)
