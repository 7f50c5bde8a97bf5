"""A pan-tilt-zoom head that takes time to move: a state machine over time, without a thread or a timer.

Rules
- Positions are in the generic spaces of ONVIF (PTZ Service Specification, 5.2): pan and tilt in -1 … 1, zoom in
  0 … 1. Speeds are fractions of the head's own greatest speed.
- Each axis is a target with a speed from a start position; the position at an instant is worked out when asked for.
- A continuous move runs towards the end of the axis until its timeout, a stop or the end; an axis that a command does
  not name keeps doing what it did.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from vms.base.clock import NS_PER_SECOND

PAN_TILT_PER_S = 0.5
ZOOM_PER_S = 0.25
MAXIMUM_PRESETS = 64
DEFAULT_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Position:
    """Where the head looks."""

    pan: float = 0.0
    tilt: float = 0.0
    zoom: float = 0.0


@dataclass(frozen=True, slots=True)
class Preset:
    """A position with a name."""

    token: str
    name: str
    position: Position


@dataclass(slots=True)
class _Axis:
    low: float
    high: float
    fastest: float
    start: float = 0.0
    target: float = 0.0
    speed: float = 0.0
    started_ns: int = 0
    until_ns: int | None = None

    def at(self, now_ns: int) -> float:
        seconds = max(0, min(now_ns, self.until_ns or now_ns) - self.started_ns) / NS_PER_SECOND
        way = self.speed * seconds
        if self.target >= self.start:
            return min(self.target, self.start + way)
        return max(self.target, self.start - way)

    def moving(self, now_ns: int) -> bool:
        expired = self.until_ns is not None and now_ns >= self.until_ns
        return not expired and self.at(now_ns) != self.target

    def go(self, target: float, speed: float, now_ns: int, until_ns: int | None = None) -> None:
        self.start = self.at(now_ns)
        self.target = min(self.high, max(self.low, target))
        self.speed = self.fastest * min(1.0, max(0.0, speed))
        self.started_ns = now_ns
        self.until_ns = until_ns

    def stop(self, now_ns: int) -> None:
        self.go(self.at(now_ns), 0.0, now_ns)


@dataclass(slots=True)
class PtzHead:
    """The head of one camera. Instants are nanoseconds of a monotonic clock."""

    presets: dict[str, Preset] = field(default_factory=dict)
    _pan: _Axis = field(default_factory=lambda: _Axis(-1.0, 1.0, PAN_TILT_PER_S))
    _tilt: _Axis = field(default_factory=lambda: _Axis(-1.0, 1.0, PAN_TILT_PER_S))
    _zoom: _Axis = field(default_factory=lambda: _Axis(0.0, 1.0, ZOOM_PER_S))
    _next_preset: int = 1

    def position(self, now_ns: int) -> Position:
        """Where the head looks now."""
        return Position(self._pan.at(now_ns), self._tilt.at(now_ns), self._zoom.at(now_ns))

    def pan_tilt_moving(self, now_ns: int) -> bool:
        """Whether pan or tilt is moving now."""
        return self._pan.moving(now_ns) or self._tilt.moving(now_ns)

    def zoom_moving(self, now_ns: int) -> bool:
        """Whether the zoom is moving now."""
        return self._zoom.moving(now_ns)

    def move_to(
        self, now_ns: int, pan_tilt: tuple[float, float] | None, zoom: float | None, speed: float = 1.0
    ) -> None:
        """Go to an absolute position; None leaves an axis alone."""
        if pan_tilt is not None:
            self._pan.go(pan_tilt[0], speed, now_ns)
            self._tilt.go(pan_tilt[1], speed, now_ns)
        if zoom is not None:
            self._zoom.go(zoom, speed, now_ns)

    def move_by(
        self, now_ns: int, pan_tilt: tuple[float, float] | None, zoom: float | None, speed: float = 1.0
    ) -> None:
        """Go somewhere relative to the present position."""
        here = self.position(now_ns)
        self.move_to(
            now_ns,
            None if pan_tilt is None else (here.pan + pan_tilt[0], here.tilt + pan_tilt[1]),
            None if zoom is None else here.zoom + zoom,
            speed,
        )

    def move_on(
        self,
        now_ns: int,
        pan_tilt: tuple[float, float] | None,
        zoom: float | None,
        timeout_s: float = DEFAULT_TIMEOUT_S,
    ) -> None:
        """Move at velocities in -1 … 1 until a stop or until `timeout_s` have passed."""
        until_ns = now_ns + round(timeout_s * NS_PER_SECOND)
        moves = [(self._pan, pan_tilt[0]), (self._tilt, pan_tilt[1])] if pan_tilt is not None else []
        if zoom is not None:
            moves.append((self._zoom, zoom))
        for axis, velocity in moves:
            if velocity == 0:
                axis.stop(now_ns)
            else:
                axis.go(axis.high if velocity > 0 else axis.low, abs(velocity), now_ns, until_ns)

    def stop(self, now_ns: int, *, pan_tilt: bool = True, zoom: bool = True) -> None:
        """Stop where the head is."""
        if pan_tilt:
            self._pan.stop(now_ns)
            self._tilt.stop(now_ns)
        if zoom:
            self._zoom.stop(now_ns)

    def save_preset(self, now_ns: int, token: str = "", name: str = "") -> Preset | None:
        """Store the present position under an old token or a new one; None when there is no such token, or no room."""
        here = self.position(now_ns)
        if token:
            known = self.presets.get(token)
            if known is None:
                return None
            preset = replace(known, name=name or known.name, position=here)
        else:
            if len(self.presets) >= MAXIMUM_PRESETS:
                return None
            number = self._next_preset
            self._next_preset += 1
            preset = Preset(str(number), name or f"Préposition {number}", here)
        self.presets[preset.token] = preset
        return preset
