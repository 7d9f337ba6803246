"""Green bands: whoever passes the first stop line within the band meets green at all others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BandStop:
    """A stop line: its signal, and the begin and length of its green, counted from the signal's offset. [s]"""

    signal: str
    green_from_s: int
    green_s: int


@dataclass(frozen=True, slots=True)
class Band:
    """One direction of a street; `travel_s` from each stop line to the next, `least_s` the width that is asked for."""

    stops: tuple[BandStop, ...]
    travel_s: tuple[int, ...]
    least_s: int = 0

    @property
    def attainable_s(self) -> int:
        """No band is wider than the shortest green. [s]"""
        return min(stop.green_s for stop in self.stops)


def band_s(band: Band, offsets_s: Mapping[str, int], cycle_s: int) -> int:
    """The widest band that offsets leave, in whole seconds."""
    low, spans = 0, [(0, cycle_s)]
    for n, stop in enumerate(band.stops):
        low += band.travel_s[n - 1] if n else 0
        begin = (offsets_s[stop.signal] + stop.green_from_s - low) % cycle_s
        length = min(stop.green_s, cycle_s)
        # the green as seen from the first stop line, in as many turns of the cycle as may meet
        spans = [
            (max(a, begin + turn), min(b, begin + turn + length))
            for a, b in spans
            for turn in (-cycle_s, 0, cycle_s)
            if min(b, begin + turn + length) > max(a, begin + turn)
        ]
    if not spans:
        return 0
    # a band across the end of the cycle lies in two parts
    ends = {b: b - a for a, b in spans}
    starts = {a: b - a for a, b in spans}
    across = ends.get(cycle_s, 0) + starts.get(0, 0) if spans != [(0, cycle_s)] else 0
    return max([b - a for a, b in spans] + [min(across, band.attainable_s)])
