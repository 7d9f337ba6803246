"""Lanes of GMNS links: numbered from the leftmost through lane, pockets by segments; here from the kerb, with bays."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from network_data.formats.gmns.check import MISSING, Package
from network_data.formats.gmns.units import Units
from network_data.limits import number
from network_data.network import LaneKind

SLOW_USES = {"walk", "bike", "parking", "shoulder", "none"}
BUS_USES = {"bus", "transit", "taxi"}
NEAR_END_M = 12.0
"""A segment that reaches so close to the stop line counts as reaching it. [m]"""
BIKEWAYS = {"bikeway", "sidewalk", "crosswalk", "footway", "path", "trail", "cycleway"}


@dataclass
class LinkLanes:
    """Lanes that vehicles may use: by number, leftmost first, along the link and at its stop line."""

    base: dict[int, LaneKind]
    at_stop: dict[int, LaneKind]
    width_m: dict[int, float] = field(default_factory=dict)
    bay_m: float = 0.0

    @property
    def widens(self) -> bool:
        """Whether lanes are added before the stop line."""
        return self.at_stop != self.base and set(self.base) <= set(self.at_stop)

    def index_of(self, lane: int, *, stop: bool) -> int | None:
        """Our index (0 at the kerb) of a lane number; None where vehicles may not use it."""
        lanes = self.at_stop if stop and self.widens else self.base
        order = sorted(lanes, reverse=True)
        return order.index(lane) if lane in lanes else None


def use_kind(text: str) -> LaneKind:
    """Who may use a lane, from GMNS's list of uses; blank means everybody."""
    uses = {use.strip().lower() for use in text.split(",") if use.strip()}
    if not uses or uses - SLOW_USES - BUS_USES:
        return "general"
    return "bus" if uses & BUS_USES else "other"


def lanes_of(package: Package, units: Units) -> dict[str, LinkLanes]:
    """The lanes of every link that vehicles may use."""
    base: dict[str, dict[int, LaneKind]] = defaultdict(dict)
    widths: dict[str, dict[int, float]] = defaultdict(dict)
    number_of: dict[str, int] = {}
    for _, values in package.rows("lane"):
        lane = int(number(values["lane_num"]))
        base[values["link_id"]][lane] = use_kind(values.get("allowed_uses", ""))
        number_of[values["lane_id"]] = lane
        if values.get("width", "") not in MISSING:
            widths[values["link_id"]][lane] = number(values["width"]) * units.short_m
    used = _used_lanes(package)
    segments = _segments(package)
    out = {}
    for _, values in package.rows("link"):
        name = values["link_id"]
        whole = base.get(name) or _without_table(values, used.get(name, 0))
        here = _drivable(whole)
        at_stop, bay_m = _at_stop(values, whole, segments.get(name, []), package, number_of, units)
        if here or at_stop:
            out[name] = LinkLanes(here or at_stop, at_stop or here, widths.get(name, {}), bay_m)
    return out


def _without_table(link: Mapping[str, str], used: int) -> dict[int, LaneKind]:
    """Lanes of a link that the lane table leaves out: as many as it states, or as movements use."""
    kind = use_kind(link.get("allowed_uses", ""))
    if kind == "other" or link.get("facility_type", "").strip().lower() in BIKEWAYS:
        return {}
    text = link.get("lanes", "")
    n = int(number(text)) if text not in MISSING else max(1, used)
    return dict.fromkeys(range(1, n + 1), kind)


def _used_lanes(package: Package) -> dict[str, int]:
    """The highest lane that movements name on each link."""
    out: dict[str, int] = defaultdict(int)
    for _, values in package.rows("movement"):
        for link, columns in (
            ("ib_link_id", ("start_ib_lane", "end_ib_lane")),
            ("ob_link_id", ("start_ob_lane", "end_ob_lane")),
        ):
            for column in columns:
                if values.get(column, "") not in MISSING:
                    out[values[link]] = max(out[values[link]], int(number(values[column])))
    return out


def _segments(package: Package) -> dict[str, list[dict[str, str]]]:
    out: dict[str, list[dict[str, str]]] = defaultdict(list)
    for _, values in package.rows("segment"):
        out[values["link_id"]].append(values)
    return out


def _at_stop(
    link: Mapping[str, str],
    base: Mapping[int, LaneKind],
    segments: list[dict[str, str]],
    package: Package,
    number_of: Mapping[str, int],
    units: Units,
) -> tuple[dict[int, LaneKind], float]:
    """Lanes at the stop line and the length of the bay; segments are measured from one of the link's nodes. [m]"""
    text = link.get("length", "")
    length_m = number(text) * units.long_m if text not in MISSING else 0.0
    lanes, bay_m = dict(base), 0.0
    for segment in segments:
        from_start = segment["ref_node_id"] == link["from_node_id"]
        start_m, end_m = (number(segment[column]) * units.short_m for column in ("start_lr", "end_lr"))
        if not from_start:
            start_m, end_m = length_m - end_m, length_m - start_m
        if end_m < length_m - NEAR_END_M:
            continue
        for _, values in package.rows("segment_lane"):
            if values["segment_id"] != segment["segment_id"]:
                continue
            lane, parent = int(number(values["lane_num"])), values.get("parent_lane_id", "")
            if parent in number_of and lane != number_of[parent]:
                lanes.pop(number_of[parent], None)
            if lane:
                lanes[lane] = use_kind(values.get("allowed_uses", ""))
                bay_m = max(bay_m, length_m - start_m)
    return _drivable(lanes), bay_m


def _drivable(lanes: Mapping[int, LaneKind]) -> dict[int, LaneKind]:
    """The lanes that vehicles may use."""
    kinds = dict(lanes)
    for lane in [lane for lane, kind in kinds.items() if kind == "other"]:
        del kinds[lane]
    return kinds
