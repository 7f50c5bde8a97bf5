"""A film in an endless loop that keeps its place with the clock.

Rules
- The position in the loop at Unix time t is (t + offset) modulo the length of the loop. So a camera that restarts, or
  a second simulator of the same camera, shows what the first one would have shown, and a clock in the picture can be
  read back.
- Frames have absolute numbers: frame n is sample n modulo `count` of loop n // `count`, and the number only grows.
- RTP time is the presentation time since the origin of loop 0 in 90 kHz ticks: it runs on across the end of the loop.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass

from cameras.simulator.film import Film

TICKS_PER_100_US = 9
_NS_PER_100_US = 100_000
ALIGN_WITHIN_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Reel:
    """A film, the length of its loop, its offset, and how many of its frames fall within the loop."""

    film: Film
    loop_ns: int
    offset_ns: int
    count: int

    @classmethod
    def of(cls, film: Film, offset_s: float, like: Reel | None = None) -> Reel:
        """Loop `film`. `like` is the main stream of the same camera: a sub-stream of nearly the same length takes its
        loop, so that both stay in step for ever.
        """
        loop_ns = film.duration_ns
        if like is not None and abs(like.loop_ns - loop_ns) <= ALIGN_WITHIN_NS:
            loop_ns = like.loop_ns
        return cls(film, loop_ns, round(offset_s * 1e9), bisect_left(film.decode_ns, loop_ns))

    def sample(self, number: int) -> int:
        """Which sample of the film frame `number` is."""
        return number % self.count

    def due_ns(self, number: int) -> int:
        """The UTC instant at which frame `number` is sent."""
        loop, sample = divmod(number, self.count)
        return loop * self.loop_ns + self.film.decode_ns[sample] - self.offset_ns

    def first_due(self, utc_ns: int) -> int:
        """The first frame that is due at or after `utc_ns`."""
        loop, position_ns = divmod(utc_ns + self.offset_ns, self.loop_ns)
        return loop * self.count + bisect_left(self.film.decode_ns, position_ns, hi=self.count)

    def key_from(self, number: int) -> int:
        """The first key frame at or after frame `number`."""
        while not self.film.key[number % self.count]:
            number += 1
        return number

    def key_before(self, number: int) -> int:
        """The last key frame at or before frame `number`."""
        while not self.film.key[number % self.count]:
            number -= 1
        return number

    def timestamp_90k(self, number: int) -> int:
        """Presentation time of frame `number` since the origin, in 90 kHz ticks; it never wraps."""
        loop, sample = divmod(number, self.count)
        return (loop * self.loop_ns + self.film.presentation_ns[sample]) * TICKS_PER_100_US // _NS_PER_100_US

    def timestamp_90k_at(self, utc_ns: int) -> int:
        """The same scale for an instant: what a sender report pairs with the camera's clock."""
        return (utc_ns + self.offset_ns) * TICKS_PER_100_US // _NS_PER_100_US
