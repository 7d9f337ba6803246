"""Saturation flow of every lane of a network, by the factors of the HCM or of the KHCM, or as measured in the field.

The network gives widths, turns, their radii and which lane lies at the kerb; grade, trucks, parking, buses and people
on crossings come from the user (`LaneConditions`), for a link or a single lane.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from network_data.errors import NetworkError
from network_data.network import Connection, RoadNetwork
from sim import khcm_tables
from sim import saturation_hcm as hcm
from sim import saturation_khcm as khcm
from sim.checks import NOT_NEGATIVE, POSITIVE, SHARE, faults_of
from sim.lane_groups import LaneGroup
from sim.sources import RIGHT_GAPS

Standard = Literal["hcm", "khcm"]
Place = str | tuple[str, int]
"""A link, or a lane of it."""
TURN_ANGLES = {"l": math.pi / 2, "r": math.pi / 2, "L": math.pi / 4, "R": math.pi / 4, "t": math.pi, "T": math.pi}
LEAST_ANGLE = math.radians(15)
"""Where the links' shapes show less of a turn than this, its kind tells the angle."""
LEAST_FACTOR = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneConditions:
    """What the network does not show.

    `measured_vph` is a saturation flow counted in the field: it replaces all factors. `walkers_per_h` use the crossing
    that the lane's turns meet, `cyclists_per_h` go straight on beside them. `grade` is uphill positive. `bus_stop_m`,
    `bus_bay`, `bus_size`, `entering_vph`, `leaving_vph` count in the KHCM alone, `city_centre` in the HCM alone.
    Parking, buses and side streets count for the kerb lane.
    """

    measured_vph: float | None = None
    grade: float = 0.0
    heavy_share: float = 0.0
    parking_per_h: float | None = None
    buses_per_h: float = 0.0
    bus_size: str = "middle"
    bus_bay: bool = False
    bus_stop_m: float = 0.0
    entering_vph: float = 0.0
    leaving_vph: float = 0.0
    city_centre: bool = False
    walkers_per_h: float = 0.0
    cyclists_per_h: float = 0.0
    u_turn_share: float = 0.0

    def faults(self) -> list[str]:
        """What is out of its range, in the terms of both manuals."""
        return [
            *([] if self.measured_vph is None else faults_of("measured_vph", self.measured_vph, POSITIVE)),
            *faults_of("grade", self.grade, hcm.GRADE),
            *faults_of("heavy_share", self.heavy_share, hcm.HEAVY),
            *faults_of("u_turn_share", self.u_turn_share, SHARE),
            *faults_of("parking_per_h", self.parking_per_h or 0.0, NOT_NEGATIVE),
            *(
                fault
                for name in (
                    "buses_per_h",
                    "bus_stop_m",
                    "entering_vph",
                    "leaving_vph",
                    "walkers_per_h",
                    "cyclists_per_h",
                )
                for fault in faults_of(name, getattr(self, name), NOT_NEGATIVE)
            ),
            *([] if self.bus_size in khcm_tables.BUS_STOP_S["lane"] else [f"bus_size is {self.bus_size!r}"]),
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class SaturationSettings:
    """Which manual, from which base (None: the manual's own), and the conditions by link or (link, lane)."""

    standard: Standard = "hcm"
    base_vph: float | None = None
    conditions: Mapping[Place, LaneConditions] = field(default_factory=dict)
    default: LaneConditions = LaneConditions()

    @property
    def base(self) -> float:
        """Base saturation flow of a lane. [pc/h]"""
        manual = hcm.BASE_VPH if self.standard == "hcm" else khcm_tables.BASE_VPH
        return manual if self.base_vph is None else self.base_vph

    def of(self, link: str, lane: int) -> LaneConditions:
        """Conditions of a lane: its own, else its link's, else the default."""
        return self.conditions.get((link, lane), self.conditions.get(link, self.default))


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneSaturation:
    """A lane's saturation flow.

    `through_vph` is that of through vehicles under the lane's conditions; a vehicle over connection i takes as long as
    `equivalents[i]` of them. `factors` are what the base was multiplied with, for reports.
    """

    link: str
    lane: int
    through_vph: float
    factors: Mapping[str, float]
    equivalents: Mapping[int, float]
    unverified: tuple[str, ...]

    def of_mix_vph(self, shares: Mapping[int, float]) -> float:
        """Saturation flow of a mix of vehicles, by their shares over the connections. [veh/h]"""
        return self.through_vph / sum(share * self.equivalents[i] for i, share in shares.items())


def turn_radius_m(network: RoadNetwork, connection: Connection) -> float:
    """Radius of a way across the junction: its length over the angle it turns; infinite straight on. [m]"""
    ends = (network.links[connection.from_link].shape[-2:], network.links[connection.to_link].shape[:2])
    headings = [math.atan2(b[1] - a[1], b[0] - a[0]) for a, b in ends]
    angle = abs((headings[1] - headings[0] + math.pi) % (2 * math.pi) - math.pi)
    if connection.direction not in TURN_ANGLES:
        return math.inf
    if angle < LEAST_ANGLE:
        angle = TURN_ANGLES[connection.direction]
    return connection.length_m / angle


def lane_saturations(
    network: RoadNetwork, groups: Mapping[str, LaneGroup], settings: SaturationSettings | None = None
) -> dict[tuple[str, int], LaneSaturation]:
    """Saturation flow of each lane of the lane groups, by (link, lane).

    Parameters
    ----------
    network : RoadNetwork
        Where the lanes are.
    groups : mapping of str to LaneGroup
        Of `sim.lane_groups`.
    settings : SaturationSettings, optional
        Manual and conditions; default: the HCM's base conditions.

    Raises
    ------
    NetworkError
        Conditions for links and lanes the network does not have, values out of their range: all of them.
    """
    settings = settings or SaturationSettings()
    faults = _setting_faults(network, settings)
    if faults:
        raise NetworkError("saturation flow settings", faults)
    return {
        (group.link, lane): _lane(network, group, lane, settings) for group in groups.values() for lane in group.lanes
    }


def _setting_faults(network: RoadNetwork, settings: SaturationSettings) -> list[str]:
    faults = [] if settings.base_vph is None else faults_of("base_vph", settings.base_vph, POSITIVE)
    if settings.standard not in ("hcm", "khcm"):
        faults.append(f"standard is {settings.standard!r}; known are 'hcm' and 'khcm'")
    for place, conditions in settings.conditions.items():
        link, lane = (place, 0) if isinstance(place, str) else place
        if link not in network.links:
            faults.append(f"the network has no link {link!r}; correct the name")
        elif not any(x.index == lane for x in network.links[link].lanes):
            faults.append(f"link {link!r} has no lane {lane}; lanes count from 0, the rightmost")
        faults += [f"{place!r}: {fault}" for fault in conditions.faults()]
    return faults + [f"default: {fault}" for fault in settings.default.faults()]


def _lane(network: RoadNetwork, group: LaneGroup, lane: int, settings: SaturationSettings) -> LaneSaturation:
    conditions = settings.of(group.link, lane)
    ways = [i for i in group.connections if network.connections[i].from_lane == lane]
    link = network.links[group.link]
    at_kerb = lane == min((x.index for x in link.lanes if x.kind == "general"), default=lane)
    width_m = next(x.width_m for x in link.lanes if x.index == lane)
    if conditions.measured_vph is not None:  # counted with the turns as they are
        return LaneSaturation(
            link=group.link, lane=lane, through_vph=conditions.measured_vph, factors={},
            equivalents=dict.fromkeys(ways, 1.0), unverified=(),
        )  # fmt: skip
    factors = (_hcm_factors if settings.standard == "hcm" else _khcm_factors)(width_m, conditions, at_kerb)
    unverified: tuple[str, ...] = ()
    equivalents: dict[int, float] = {}
    for i in ways:
        equivalents[i], more = _equivalent(network, group, network.connections[i], conditions, settings.standard)
        unverified = (*unverified, *more)
    return LaneSaturation(
        link=group.link,
        lane=lane,
        through_vph=settings.base * math.prod(factors.values()),
        factors=factors,
        equivalents=equivalents,
        unverified=tuple(dict.fromkeys(unverified)),
    )


def _hcm_factors(width_m: float, c: LaneConditions, at_kerb: bool) -> dict[str, float]:
    out = {
        "width": float(hcm.width_factor(width_m)),
        "heavy vehicles and grade": float(hcm.heavy_grade_factor(c.heavy_share, c.grade)),
        "area": hcm.CENTRE_FACTOR if c.city_centre else 1.0,
    }
    if at_kerb:
        out["parking"] = float(hcm.parking_factor(1, c.parking_per_h))
        out["buses"] = float(hcm.bus_factor(1, c.buses_per_h))
    return out


def _khcm_factors(width_m: float, c: LaneConditions, at_kerb: bool) -> dict[str, float]:
    out = {
        "width": float(khcm.khcm_width_factor(width_m)),
        "grade": float(khcm.khcm_grade_factor(c.grade)),
        "heavy vehicles": float(khcm.khcm_heavy_factor(c.heavy_share)),
    }
    if at_kerb:
        lost_s = khcm.roadside_loss_s(
            entering_vph=c.entering_vph, leaving_vph=c.leaving_vph, buses_per_h=c.buses_per_h, bus_size=c.bus_size,
            bus_bay=c.bus_bay, bus_stop_m=c.bus_stop_m, parking_per_h=c.parking_per_h,
        )  # fmt: skip
        # formula 8-11 puts L_H / 1.63 through cars an hour onto the lane's right turns: this share of its time
        out["roadside"] = max(LEAST_FACTOR, 1 - lost_s / 3600)
    return out


def _equivalent(
    network: RoadNetwork, group: LaneGroup, connection: Connection, conditions: LaneConditions, standard: Standard
) -> tuple[float, tuple[str, ...]]:
    """Through cars that a protected vehicle over the connection takes the time of, and what that rests on unproven."""
    kind = connection.direction.lower()
    if kind in "lt" and standard == "hcm":
        return hcm.LEFT_EQUIVALENT, ()
    if kind in "lt":
        alone = all(network.connections[i].direction.lower() in "lt" for i in group.connections)
        return khcm.left_equivalent(
            radius_m=turn_radius_m(network, connection),
            left_lanes=len(group.lanes) if alone else 1,
            u_turn_share=conditions.u_turn_share,
        )
    if kind == "r":
        return (hcm.RIGHT_EQUIVALENT if standard == "hcm" else khcm_tables.RIGHT_EQUIVALENT), ()
    return 1.0, ()


def movement_kind(network: RoadNetwork, group: LaneGroup) -> str:
    """`left`, `right`, `through` where all lanes of the group serve that alone, else `shared`."""
    kinds = {
        {"l": "left", "t": "left", "r": "right"}.get(network.connections[i].direction.lower(), "through")
        for i in group.connections
    }
    return kinds.pop() if len(kinds) == 1 else "shared"


def lane_use(network: RoadNetwork, group: LaneGroup, flow_vph: float, standard: Standard) -> float:
    """Factor on the saturation flow of a group for uneven use of its lanes. [-]"""
    kind, lanes = movement_kind(network, group), len(group.lanes)
    if standard == "hcm":
        return hcm.lane_use_factor("through" if kind == "shared" else kind, lanes) if kind != "shared" else 1.0
    return 1 / khcm.lane_use(flow_vph / lanes, lanes)


def walk_factor(
    connection: Connection, conditions: LaneConditions, standard: Standard, *, exit_lanes: int, cycle_s: float,
    green_s: float, walk_s: float, blocked_s: float = 0.0, opposing_vph: float = 0.0,
) -> float:  # fmt: skip
    """Factor of a turn by the people on the crossing it meets. [-]

    `walk_s` is how long they walk while the turn is green, `blocked_s` how long the opposing queue holds the turn.
    """
    if walk_s <= 0 or green_s <= 0 or conditions.walkers_per_h <= 0:
        return 1.0
    if standard == "khcm":
        bounds, shares = zip(*khcm_tables.WALK_BLOCK, strict=True)
        share = shares[int(np.searchsorted(bounds, conditions.walkers_per_h))]
        return max(LEAST_FACTOR, 1 - share * min(1.0, walk_s / green_s))
    walkers, free_exit = conditions.walkers_per_h, exit_lanes > 1
    if connection.direction.lower() in "lt":
        factor = hcm.left_walk_factor(
            walkers_per_h=walkers, cycle_s=cycle_s, green_s=green_s, walk_s=walk_s, opposing_queue_s=blocked_s,
            opposing_vph=opposing_vph, free_exit=free_exit,
        )  # fmt: skip
    else:
        factor = hcm.right_walk_factor(
            walkers_per_h=walkers, cyclists_per_h=conditions.cyclists_per_h, cycle_s=cycle_s, green_s=green_s,
            walk_s=walk_s, free_exit=free_exit,
        )  # fmt: skip
    return float(factor)


def gap_doubt(connection: Connection) -> tuple[str, ...]:
    """What the gap acceptance of a permitted turn rests on unproven."""
    return () if connection.direction.lower() in "lt" else (RIGHT_GAPS,)
