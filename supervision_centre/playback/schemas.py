"""What travels between the player and the playback routes."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

from supervision_centre.web.fields import Body, Identifier, Instant, Note


class PlaybackRequest(Body):
    """A stretch of the past of one camera, and why it is looked at."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    camera: Identifier
    start: Annotated[Instant, Field(alias="from")]
    end: Annotated[Instant, Field(alias="to")]
    purpose: Annotated[str, Field(max_length=40)]
    note: Note = ""
