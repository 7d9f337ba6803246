"""What the settings say of one signal: `[signals.ID]`, held strictly, also where the field shows otherwise."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from network_data.settings_base import Section

Seconds = Annotated[float, Field(ge=1, le=300)]
Names = Annotated[tuple[str, ...], Field(strict=False)]
Pair = Annotated[tuple[str, str], Field(strict=False)]
Ring = Annotated[tuple[str, ...], Field(strict=False, min_length=1)]
Group = Annotated[tuple[Ring, ...], Field(strict=False, min_length=1)]


class SignalSettings(Section):
    """Bounds of one signal; what it leaves out is as `[limits]` and `[change]` say for all.

    Movements are named by their id, crossings by theirs, signal heads by their link index ("7"). `rings` is a list of
    barrier groups, each a list of rings, each a list of phases, each the names of what it serves with blanks between.
    """

    cycle_s: float | None = Field(None, ge=20, le=300, description="the one cycle it may run")
    cycle_min_s: float | None = Field(None, ge=20, le=300)
    cycle_max_s: float | None = Field(None, ge=20, le=300)
    min_green_s: Seconds | None = None
    max_green_s: Seconds | None = None
    max_red_s: float | None = Field(None, ge=10, le=300)
    min_greens: dict[str, Seconds] = Field({})
    max_greens: dict[str, Seconds] = Field({})
    max_cycle_change_s: float | None = Field(None, ge=0)
    max_green_change_s: float | None = Field(None, ge=0)
    max_offset_change_s: float | None = Field(None, ge=0)
    forbidden_changes: Annotated[
        tuple[Pair, ...], Field(strict=False, description="stages of the field program by number: from, to")
    ] = ()
    rings: Annotated[tuple[Group, ...], Field(strict=False)] = ()

    def faults(self, where: str) -> list[str]:
        """What contradicts itself."""
        out = _crossed(where, "cycle", self.cycle_min_s, self.cycle_max_s)
        low, high = self.cycle_min_s or 0, self.cycle_max_s or 1e9
        if self.cycle_s is not None and not low <= self.cycle_s <= high:
            out.append(
                f"{where} cycle_s {self.cycle_s:g} lies outside its own cycle_min_s and cycle_max_s; leave them out"
            )
        out += _crossed(where, "green", self.min_green_s, self.max_green_s)
        for name in sorted(self.min_greens.keys() & self.max_greens.keys()):
            out += _crossed(where, f"{name!r}: green", self.min_greens[name], self.max_greens[name])
        named = [name for group in self.rings for ring in group for phase in ring for name in phase.split()]
        if any(not phase.split() for group in self.rings for ring in group for phase in ring):
            out.append(f"{where} rings: a phase serves nothing; name its movements with blanks between")
        in_ring = [
            (n, r, name)
            for n, group in enumerate(self.rings)
            for r, ring in enumerate(group)
            for name in {name for phase in ring for name in phase.split()}
        ]
        twice = sorted({name for name in named if sum(name == other for _, _, other in in_ring) > 1})
        if twice:
            out.append(f"{where} rings: {', '.join(twice)} in several rings; each belongs to one")
        return out


def _crossed(where: str, what: str, low_s: float | None, high_s: float | None) -> list[str]:
    if low_s is None or high_s is None or low_s <= high_s:
        return []
    return [f"{where} {what}: the least, {low_s:g} s, is above the most, {high_s:g} s; swap or widen them"]
