"""What travels between the wall and the live routes."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from supervision_centre.web.fields import Body, Identifier, Note


class LiveRequest(Body):
    """The cameras of a wall, and why they are looked at."""

    cameras: Annotated[list[Identifier], Field(min_length=1, max_length=64)]
    purpose: Annotated[str, Field(max_length=40)]
    note: Note = ""
