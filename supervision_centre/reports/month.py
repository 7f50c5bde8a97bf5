"""A month of Europe/Paris."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

from supervision_centre.destruction.certificate import bounds_of
from supervision_centre.destruction.wording import month_name
from vms.base.errors import ErrorKind, VmsError

_TEXT = re.compile(r"(20[0-9]{2})-(0[1-9]|1[0-2])")


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """A month by the calendar."""

    year: int
    number: int

    @classmethod
    def parse(cls, text: str) -> Month:
        """The month of `2026-10`. VmsError `report.month`."""
        found = _TEXT.fullmatch(text)
        if found is None:
            raise VmsError(
                ErrorKind.INVALID_INPUT,
                "report.month",
                "Ce mois n'existe pas.",
                hint="Écrivez l'année et le mois, comme 2026-10.",
            )
        return cls(int(found[1]), int(found[2]))

    @property
    def text(self) -> str:
        """`2026-10`."""
        return f"{self.year}-{self.number:02d}"

    @property
    def label(self) -> str:
        """`octobre 2026`."""
        return f"{month_name(self.number)} {self.year}"

    def next(self) -> Month:
        """The month after."""
        return Month(self.year + 1, 1) if self.number == 12 else Month(self.year, self.number + 1)

    @property
    def bounds_ns(self) -> tuple[int, int]:
        """Its first nanosecond and that of the next month, UTC."""
        following = self.next()
        return bounds_of(date(self.year, self.number, 1))[0], bounds_of(date(following.year, following.number, 1))[0]
