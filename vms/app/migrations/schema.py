"""The whole schema: every module that declares tables, gathered in one place."""

from __future__ import annotations

from sqlalchemy import MetaData

import cameras.inventory.tables
import supervision_centre.access.tables
import supervision_centre.holds.tables
import supervision_centre.people.tables
from vms.base.database import Table

DECLARING_MODULES = (
    cameras.inventory.tables,
    supervision_centre.access.tables,
    supervision_centre.holds.tables,
    supervision_centre.people.tables,
)


def whole_schema() -> MetaData:
    """The tables as the program knows them: importing a declaring module has added its own."""
    return Table.metadata
