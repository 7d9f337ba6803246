"""A signal controller: its signal heads (one per link index), what conflicts with what, and who yields to whom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from network_data.plans import ControllerPlan

HeadKind = Literal["vehicle", "bus", "crossing", "other", "dead"]
"""`other`: ways of those we do not simulate (cycle tracks, trams), kept clear of like any vehicle."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalHead:
    """What one link index of a controller controls; `dead` heads control nothing."""

    index: int
    kind: HeadKind
    connections: tuple[int, ...]
    movement_ids: tuple[str, ...]
    crossing_ids: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Controller:
    """A controller with its heads, its conflict tables over link indices and the programs found in the network.

    `conflicts` holds pairs (i, j) with i < j; `yields` holds ordered pairs (i, j): i must give way to j. The program in
    force is the last one.
    """

    id: str
    node_ids: tuple[str, ...]
    heads: tuple[SignalHead, ...]
    conflicts: frozenset[tuple[int, int]]
    yields: frozenset[tuple[int, int]]
    programs: tuple[ControllerPlan, ...]

    @property
    def n_heads(self) -> int:
        """Number of link indices: the length of a state."""
        return len(self.heads)

    def in_conflict(self, i: int, j: int) -> bool:
        """Whether the ways of two link indices cross or merge."""
        return (min(i, j), max(i, j)) in self.conflicts

    def __repr__(self) -> str:
        # sets print in no fixed order; the network hash needs one
        tables = f"{sorted(self.conflicts)!r}, {sorted(self.yields)!r}"
        return f"Controller({self.id!r}, {self.heads!r}, {tables}, {self.programs!r})"
