"""Measures as the JSON of `its simulate` and of run.json."""

from __future__ import annotations

from typing import Any

from sim.measures import AreaMeasures, Measures


def area_json(area: AreaMeasures) -> dict[str, float]:
    """One area's figures."""
    return {
        "veh": round(area.veh, 2),
        "delay_s_per_veh": round(area.delay_s_per_veh, 3),
        "delay_se_s": round(area.delay_se_s, 3),
        "stops_per_veh": round(area.stops_per_veh, 4),
        "queue_max_veh": round(area.queue_max_veh, 2),
        "spillback_s": round(area.spillback_s, 1),
    }


def measures_json(measures: Measures) -> dict[str, Any]:
    """Network, signals and movements; a movement that cannot be said to have a capacity has v_over_c null."""
    return {
        "network": area_json(measures.network),
        "signals": {c: {**area_json(area), "cycle_s": measures.cycle_s.get(c)} for c, area in measures.signals.items()},
        "movements": [
            {
                "from_link": m.from_link,
                "to_link": m.to_link,
                "movement": m.movement_id,
                "controller": m.controller_id,
                "links": list(m.links),
                "flow_vph": round(m.flow_vph, 2),
                "delay_s_per_veh": round(m.delay_s_per_veh, 3),
                "stops_per_veh": round(m.stops_per_veh, 4),
                "v_over_c": None if m.v_over_c is None or m.v_over_c == float("inf") else round(m.v_over_c, 4),
                "queue_p95_veh": round(m.queue_p95_veh, 2),
                "queue_max_veh": round(m.queue_max_veh, 2),
                "storage_veh": m.storage_veh,
            }
            for m in measures.movements.values()
        ],
    }
