"""A reader of DER, for the few structures that a time-stamp is made of. Bytes in, values out; bounded.

Source: ITU-T X.690.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from access_audit.verify.notes import Unreadable

SEQUENCE, SET, INTEGER, OCTETS, OBJECT, TIME = 0x30, 0x31, 0x02, 0x04, 0x06, 0x18
MAX_DER_BYTES = 65_536
_TIME = re.compile(r"([0-9]{14})(?:\.([0-9]{0,8}[1-9]))?Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Der:
    """One value: its tag (low form), its content, and all of its bytes."""

    tag: int
    content: bytes
    whole: bytes

    def expect(self, tag: int) -> Der:
        """This value; Unreadable when it has another tag."""
        if self.tag != tag:
            raise Unreadable(f"DER tag {self.tag:#04x} where {tag:#04x} should be")
        return self

    def parts(self) -> list[Der]:
        """The values inside of a constructed one."""
        if not self.tag & 0x20:
            raise Unreadable("a primitive DER value has no parts")
        return _split(self.content)

    @property
    def integer(self) -> int:
        """The value of an INTEGER."""
        return int.from_bytes(self.expect(INTEGER).content, "big", signed=True)

    @property
    def octets(self) -> bytes:
        """The value of an OCTET STRING."""
        return self.expect(OCTETS).content

    @property
    def object_id(self) -> str:
        """The value of an OBJECT IDENTIFIER, with dots."""
        arcs, arc = [], 0
        for byte in self.expect(OBJECT).content:
            arc = arc << 7 | byte & 0x7F
            if not byte & 0x80:
                arcs.append(arc)
                arc = 0
        if not arcs:
            raise Unreadable("empty object identifier")
        first = min(arcs[0] // 40, 2)
        return ".".join(map(str, (first, arcs[0] - 40 * first, *arcs[1:])))

    @property
    def instant_ns(self) -> int:
        """The value of a GeneralizedTime as UTC nanoseconds (the form of RFC 3161 section 2.4.2)."""
        found = _TIME.fullmatch(self.expect(TIME).content.decode("ascii", "replace"))
        if found is None:
            raise Unreadable("GeneralizedTime of another form")
        try:
            whole = datetime.strptime(found[1], "%Y%m%d%H%M%S").replace(tzinfo=UTC)
        except ValueError:
            raise Unreadable("GeneralizedTime that does not exist") from None
        return int(whole.timestamp()) * 1_000_000_000 + int((found[2] or "0").ljust(9, "0"))


def read_der(content: bytes) -> Der:
    """The one value that these bytes are."""
    if len(content) > MAX_DER_BYTES:
        raise Unreadable("DER too long")
    found = _split(content)
    if len(found) != 1:
        raise Unreadable("DER of not one value")
    return found[0]


def _split(content: bytes) -> list[Der]:
    values: list[Der] = []
    position, end = 0, len(content)
    while position < end:
        start = position
        if end - position < 2 or content[position] & 0x1F == 0x1F:
            raise Unreadable("DER cut, or a tag of the long form")
        tag, length = content[position], content[position + 1]
        position += 2
        if length & 0x80:
            count = length & 0x7F
            if not 1 <= count <= 3 or position + count > end:
                raise Unreadable("DER length of another form")
            length = int.from_bytes(content[position : position + count], "big")
            position += count
        if position + length > end:
            raise Unreadable("DER cut")
        values.append(Der(tag, content[position : position + length], content[start : position + length]))
        position += length
    return values
