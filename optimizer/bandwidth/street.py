"""An arterial as MAXBAND sees it: reds, distances, speeds, left turns; all about greens in shares of the cycle."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from network_data.errors import InputError

Pattern = Literal["lead-lead", "lag-lag", "lead-lag", "lag-lead"]
"""When the left turns of the outbound and the inbound approach have their green, before or after the through green."""
PATTERNS: tuple[Pattern, ...] = ("lead-lead", "lag-lag", "lead-lag", "lag-lead")


@dataclass(frozen=True, slots=True, kw_only=True)
class StreetSignal:
    """One signal. Reds, left-turn greens and queue clearance are shares of the cycle. [-]

    `red_out`, `red_in`: red of the through movement in each direction. Where `left_out` or `left_in` are above 0 the
    signal may run any of `patterns`; otherwise `red_apart` tells how far the centre of the outbound red lies behind
    that of the inbound one. `queue_out`, `queue_in`: time that a queue needs to clear before the band comes.
    """

    red_out: float
    red_in: float
    left_out: float = 0.0
    left_in: float = 0.0
    patterns: tuple[Pattern, ...] = PATTERNS
    red_apart: float = 0.0
    queue_out: float = 0.0
    queue_in: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StreetLink:
    """Between two signals: distances [m], ranges of speed [m/s] and, for MULTIBAND, flow over saturation flow [-]."""

    out_m: float
    in_m: float
    speed_out_mps: tuple[float, float]
    speed_in_mps: tuple[float, float]
    load_out: float = 1.0
    load_in: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Street:
    """An arterial: n signals, n − 1 links, a range of cycles.

    Parameters
    ----------
    cycle_s : (shortest, longest)
        Equal for a given cycle. [s]
    ratio : float
        Inbound over outbound band that is aimed at, above 0; 1 asks for the largest sum. [-]
    slowness_change_s_per_m : float, optional
        Most by which the slowness may change from one link to the next. [s/m]
    """

    signals: tuple[StreetSignal, ...]
    links: tuple[StreetLink, ...]
    cycle_s: tuple[float, float]
    ratio: float = 1.0
    slowness_change_s_per_m: float | None = None
    names: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        faults = []
        if len(self.signals) < 2 or len(self.links) != len(self.signals) - 1:
            faults.append(f"has {len(self.signals)} signals and {len(self.links)} links; needs 2 or more, and one less")
        if not 0 < self.cycle_s[0] <= self.cycle_s[1]:
            faults.append(f"cycle_s is {self.cycle_s}, needs to be shortest and longest, above 0")
        if not self.ratio > 0:
            faults.append(f"ratio is {self.ratio}, needs to be above 0")
        for n, signal in enumerate(self.signals):
            shares = (signal.red_out, signal.red_in)
            if not all(0 <= red < 1 for red in shares):
                faults.append(f"signal {n}: reds {shares} are shares of the cycle, from 0 to below 1")
            lefts = (signal.left_out, signal.left_in, signal.queue_out, signal.queue_in)
            if not all(0 <= share < 1 for share in lefts):
                faults.append(f"signal {n}: left turns and queues {lefts} are shares of the cycle, from 0 to below 1")
            if not signal.patterns:
                faults.append(f"signal {n}: no left-turn pattern is allowed; allow at least one of {PATTERNS}")
        for n, link in enumerate(self.links):
            if not (link.out_m > 0 and link.in_m > 0):
                faults.append(f"link {n}: distances {link.out_m}, {link.in_m} m must be above 0")
            faults += [
                f"link {n}: speeds {low} to {high} m/s, needs lowest and highest, above 0"
                for low, high in (link.speed_out_mps, link.speed_in_mps)
                if not 0 < low <= high
            ]
        if faults:
            raise InputError("street", faults)
