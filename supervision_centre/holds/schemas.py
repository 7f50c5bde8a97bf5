"""What travels between the console and the routes of holds."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

from supervision_centre.holds.policy import HoldWish
from supervision_centre.web.fields import Body, Identifier, Instant, Line, Note


class HoldRequest(Body):
    """Images to hold, and the requisition. The policy refuses what is missing, so that the journal hears of it."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    camera: Identifier
    start: Annotated[Instant, Field(alias="from")]
    end: Annotated[Instant, Field(alias="to")]
    expires: Instant
    reference: Line = ""
    authority: Line = ""
    basis: Annotated[str, Field(max_length=40)] = ""
    reason: Note = ""

    def wish(self) -> HoldWish:
        """The wish that the policy decides on."""
        return HoldWish(
            self.camera,
            self.start,
            self.end,
            self.expires,
            self.reference,
            self.authority,
            self.basis,
            self.reason,
        )


class ReleaseRequest(Body):
    """Why a hold should end before its term."""

    reason: Note = ""
