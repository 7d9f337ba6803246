"""GMNS's `signal_detector` table as detectors on lanes, and back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from network_data.detectors import Detector, derive_kind
from network_data.formats.gmns.check import MISSING, Package
from network_data.formats.gmns.lanes import LinkLanes
from network_data.formats.gmns.units import Units
from network_data.limits import number
from network_data.network import RoadNetwork

COLUMNS = (
    "detector_id", "controller_id", "signal_phase_num", "link_id", "start_lane", "end_lane", "ref_node_id",
    "det_zone_lr", "det_type",
)  # fmt: skip


def detectors_of(
    package: Package,
    units: Units,
    lanes: dict[str, LinkLanes],
    network: RoadNetwork,
    stop_link: Callable[[str], str],
) -> tuple[tuple[Detector, ...], list[str]]:
    """Detectors of a package: one per lane that vehicles use, named `<id>` or `<id>.<lane>`.

    Parameters
    ----------
    package, units, lanes
        As read.
    network : RoadNetwork
        Where they are placed.
    stop_link : callable
        Link id → the link that reaches its stop line (its bay, if it has one).

    Returns
    -------
    tuple of Detector, list of str
        `det_zone_lr` is the distance from the stop line, negative upstream; and notes on those left out.
    """
    out, lost = [], []
    for _, values in package.rows("signal_detector"):
        name, link_id = values["detector_id"], values["link_id"]
        text, last = values.get("start_lane", ""), values.get("end_lane", "")
        if link_id not in lanes or text in MISSING:
            lost.append(name)
            continue
        low = int(number(text))
        high = int(number(last)) if last not in MISSING else low
        wanted = [lane for lane in range(min(low, high), max(low, high) + 1) if lane]
        link = network.links[stop_link(link_id)]
        back_m = abs(number(values.get("det_zone_lr", "") or "0")) * units.short_m
        placed = [(lane, index) for lane in wanted if (index := lanes[link_id].index_of(lane, stop=True)) is not None]
        lost += [] if placed else [name]
        for lane, index in placed:
            length_m = link.lanes[index].length_m
            pos_m = max(0.0, length_m - back_m)
            out.append(
                Detector(
                    id=name if len(placed) == 1 else f"{name}.{lane}",
                    link_id=link.id,
                    lane=index,
                    pos_m=pos_m,
                    kind=derive_kind(pos_m, length_m),
                )
            )
    notes = [f"detectors on lanes that carry no vehicles are left out: {', '.join(lost[:20])}"] if lost else []
    return tuple(out), notes


def detector_rows(detectors: Sequence[Detector], network: RoadNetwork) -> list[list[Any]]:
    """Rows of a `signal_detector` table, in metres; those that lie at no signal are left to the caller."""
    controller = {c.from_link: c.controller_id for c in network.connections if c.controller_id is not None}
    rows: list[list[Any]] = []
    for d in detectors:
        owner = controller.get(d.link_id)
        if owner is None:
            continue
        link = network.links[d.link_id]
        lane_num = len(link.lanes) - d.lane
        back_m = round(link.lanes[d.lane].length_m - d.pos_m, 3)
        rows.append([d.id, owner, 0, d.link_id, lane_num, "", link.to_node, -back_m, d.kind])
    return rows
