"""What travels between the console and the people routes."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, StringConstraints

from supervision_centre.people.person import ROLE_LABELS, Person
from supervision_centre.web.fields import Body, Identifier
from vms.base.clock import utc_text


class Credentials(Body):
    """A log-in."""

    login: Identifier
    password: Annotated[str, StringConstraints(min_length=1, max_length=256)]


class PersonOut(BaseModel):
    """A person in a list. No field counts what they did (LAW-29)."""

    id: str
    login: str
    name: str
    role: str
    role_label: str
    territories: list[str]
    suspended_at: str | None
    habilitation_reference: str
    habilitation_ends_at: str
    agrement_number: str | None
    agrement_ends_at: str | None

    @classmethod
    def of(cls, person: Person) -> PersonOut:
        """The person as the console shows them."""
        agrement = person.agrement
        return cls(
            id=person.person_id,
            login=person.login,
            name=person.name,
            role=person.role.value,
            role_label=ROLE_LABELS[person.role],
            territories=sorted(person.territories),
            suspended_at=utc_text(person.suspended_at_ns) if person.suspended_at_ns is not None else None,
            habilitation_reference=person.habilitation.reference,
            habilitation_ends_at=utc_text(person.habilitation.ends_at_ns),
            agrement_number=agrement.number if agrement else None,
            agrement_ends_at=utc_text(agrement.reinquiry_at_ns) if agrement else None,
        )
