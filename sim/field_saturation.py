"""Saturation flow and start-up loss of every lane group: as the loops tell, else as a manual says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from network_data.discharge.headways import Range
from network_data.discharge.lanes import Lane, LaneDischarge
from network_data.network import RoadNetwork
from sim.compile import MOST_START_UP_S
from sim.lane_groups import LaneGroup, lane_groups
from sim.parameters import STREET, SimParameters
from sim.saturation import LaneSaturation, SaturationSettings, lane_saturations

MEASURED_VEH = 4
"""Vehicles of a queue that a measured start-up loss is about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupDischarge:
    """A lane group. `basis`: "field" where all of its lanes are measured, "partly" where others stand in for some.

    Lanes without a figure of their own count as the mean of the measured ones of the group; without any the `basis` is
    the manual's name, `range` None, and `reasons` say why. Start-up losses are means over measured lanes.
    """

    group: LaneGroup
    basis: str
    saturation_vph: float
    range: Range | None
    startup_loss_s: Range | None
    reasons: tuple[str, ...]

    @property
    def per_lane_vph(self) -> float:
        """Saturation flow of one of its lanes on the mean. [veh/h]"""
        return self.saturation_vph / len(self.group.lanes)


def group_discharges(
    network: RoadNetwork, found: Mapping[Lane, LaneDischarge], settings: SaturationSettings | None = None
) -> dict[str, GroupDischarge]:
    """Saturation flow of each lane group before a signal, by its id.

    Parameters
    ----------
    found : mapping
        Of `network_data.discharge.lanes.lane_discharges`.
    settings : SaturationSettings, optional
        Manual and conditions where the data cannot tell; default: the HCM's base conditions.

    Raises
    ------
    NetworkError
        As `lane_saturations`.
    """
    settings = settings or SaturationSettings()
    groups = {g.id: g for g in lane_groups(network).values() if g.controller_id is not None and g.kind == "general"}
    manual = lane_saturations(network, groups, settings)
    return {name: _group(group, found, manual, settings) for name, group in groups.items()}


def _group(
    group: LaneGroup,
    found: Mapping[Lane, LaneDischarge],
    manual: Mapping[Lane, LaneSaturation],
    settings: SaturationSettings,
) -> GroupDischarge:
    lanes = [(group.link, lane) for lane in group.lanes]
    mine = [found[lane] for lane in lanes if lane in found]
    told = [one.saturation_vph for one in mine if one.saturation_vph is not None]
    reasons = [f"lane {one.lane}: {one.reason}" for one in mine if one.reason]
    reasons += [f"lane {lane}: no stop-bar loop" for link, lane in lanes if (link, lane) not in found]
    if not told:
        flow = sum(_even_mix_vph(manual[lane]) for lane in lanes)
        return GroupDischarge(
            group=group, basis=settings.standard, saturation_vph=flow, range=None, startup_loss_s=None,
            reasons=tuple(reasons),
        )  # fmt: skip
    n = len(lanes) / len(told)  # the lanes' errors lean the same way: they add up as they are
    whole = _sum(told, n)
    losses = [one.startup_loss_s for one in mine if one.startup_loss_s is not None]
    loss = _sum(losses, 1 / len(losses)) if losses else None
    return GroupDischarge(
        group=group,
        basis="field" if len(told) == len(lanes) else "partly",
        saturation_vph=whole.value,
        range=whole,
        startup_loss_s=loss,
        reasons=tuple(reasons),
    )


def _sum(ranges: Sequence[Range], factor: float) -> Range:
    return Range(
        value=factor * sum(x.value for x in ranges),
        low=factor * sum(x.low for x in ranges),
        high=factor * sum(x.high for x in ranges),
    )


def _even_mix_vph(lane: LaneSaturation) -> float:
    """A manual's saturation flow of a lane whose ways are used alike. [veh/h]"""
    return lane.of_mix_vph({i: 1 / len(lane.equivalents) for i in lane.equivalents}) if lane.equivalents else 0.0


def field_saturations(groups: Mapping[str, GroupDischarge], found: Mapping[Lane, LaneDischarge]) -> dict[Lane, float]:
    """What the simulation takes of it: (link, lane) → measured saturation flow, lanes that others stand in for too.

    Lanes that rest on a manual are not in it: `[saturation] standard` of the settings says whether they follow one.
    """
    out = {}
    for one in groups.values():
        if one.basis not in ("field", "partly"):
            continue
        for lane in one.group.lanes:
            own = found.get((one.group.link, lane))
            flow = own.saturation_vph if own is not None else None
            out[one.group.link, lane] = flow.value if flow is not None else one.per_lane_vph
    return out


def field_start_up_s(found: Mapping[Lane, LaneDischarge]) -> float | None:
    """Start-up loss of the network's queues, as `ClosedFormSettings.start_up_s` takes it; None where none is measured.

    The median of the measured lanes, at least 0: single ones stray by more than streets differ. The simulation takes
    those of lane groups, see `field_start_ups`.
    """
    losses = [one.startup_loss_s.value for one in found.values() if one.startup_loss_s is not None]
    return max(0.0, float(np.median(losses))) if losses else None


def field_start_ups(groups: Mapping[str, GroupDischarge], parameters: SimParameters = STREET) -> dict[Lane, float]:
    """What the simulation takes of start-up losses: (link, lane) → time from start of green until the first passes. [s]

    A measured loss is what the first four of a queue take beyond four saturation headways. The first starts at such a
    time that the fourth passes when it says, behind it the headways of the parameters and the lane's saturation flow.
    Of each group the mean over its measured lanes; groups without one are not in it.
    """
    out = {}
    for one in groups.values():
        if one.startup_loss_s is None:
            continue
        headway_s = 3600 / one.per_lane_vph
        early = [parameters.second_headway_s, *(parameters.early_headway_s for _ in range(MEASURED_VEH - 2))]
        behind = [max(headway_s, own if n < parameters.n_early else 0.0) for n, own in enumerate(early)]
        start_up_s = one.startup_loss_s.value + MEASURED_VEH * headway_s - sum(behind)
        for lane in one.group.lanes:
            out[one.group.link, lane] = min(MOST_START_UP_S, max(0.0, start_up_s))
    return out
