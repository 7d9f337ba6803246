"""Measures as the JSON of `its simulate` and of run.json."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from sim.measures import AreaMeasures, CrossingMeasures, LaneGroupMeasures, Measures, MovementMeasures

DIGITS = {
    "veh": 2, "persons": 1, "delay_s_per_veh": 3, "bus_delay_s_per_veh": 3, "person_delay_s": 3, "stops_per_veh": 4,
    "travel_time_s": 2, "on_green": 4, "flow_vph": 2, "demand_vph": 2, "v_over_c": 4, "capacity_vph": 1,
    "queue_mean_veh": 2, "queue_p95_veh": 2, "queue_max_veh": 2, "storage_use": 4, "spillback_s": 1, "fuel_l": 3,
    "co2_kg": 3,
}  # fmt: skip
"""Decimals of each figure; its standard error has one more."""
AREA = (
    "veh", "delay_s_per_veh", "bus_delay_s_per_veh", "persons", "person_delay_s", "stops_per_veh", "travel_time_s",
    "on_green", "v_over_c", "queue_max_veh", "spillback_s", "fuel_l", "co2_kg",
)  # fmt: skip
FLOW = (
    "flow_vph", "demand_vph", "delay_s_per_veh", "bus_delay_s_per_veh", "person_delay_s", "stops_per_veh",
    "travel_time_s", "on_green", "v_over_c", "capacity_vph", "queue_mean_veh", "queue_p95_veh", "queue_max_veh",
    "storage_use", "spillback_s", "fuel_l", "co2_kg",
)  # fmt: skip


def area_json(area: AreaMeasures) -> dict[str, Any]:
    """One area's figures and their standard errors; null where something is not known."""
    return {
        **_figures(area, AREA),
        "delay_se_s": _rounded(area.delay_se_s, 3),
        "los_hcm": area.los_hcm,
        "los_khcm": area.los_khcm,
        "se": _errors(area.se),
    }


def measures_json(measures: Measures) -> dict[str, Any]:
    """Everything measured; `v_over_c` is null without a signal and where nobody who came could pass."""
    return {
        "network": area_json(measures.network),
        "signals": {c: {**area_json(area), "cycle_s": measures.cycle_s.get(c)} for c, area in measures.signals.items()},
        "movements": [
            {
                "from_link": m.from_link,
                "to_link": m.to_link,
                "movement": m.movement_id,
                **_flow_json(m),
            }
            for m in measures.movements.values()
        ],
        "lane_groups": [
            {
                "lane_group": g.group_id,
                "link": g.link,
                "lanes": list(g.lanes),
                "movements": list(g.movements),
                **_flow_json(g),
            }
            for g in measures.lane_groups.values()
        ],
        "crossings": {x.crossing_id: _crossing_json(x) for x in measures.crossings.values()},
        "classes": {
            name: {
                "veh": round(c.veh, 2),
                "persons_per_veh": c.persons_per_veh,
                "delay_s_per_veh": round(c.delay_s_per_veh, 3),
                "se": _errors(c.se),
            }
            for name, c in measures.classes.items()
        },
        "fuel_model": measures.fuel_model,
    }


def _flow_json(measured: MovementMeasures | LaneGroupMeasures) -> dict[str, Any]:
    return {
        "controller": measured.controller_id,
        "links": list(measured.links),
        **_figures(measured, FLOW),
        "storage_veh": measured.storage_veh,
        "los_hcm": measured.los_hcm,
        "los_khcm": measured.los_khcm,
        "se": _errors(measured.se),
    }


def _crossing_json(crossing: CrossingMeasures) -> dict[str, Any]:
    return {
        "controller": crossing.controller_id,
        "links": list(crossing.links),
        "walk_s": round(crossing.walk_s, 2),
        "wait_mean_s": _rounded(crossing.wait_mean_s, 3),
        "wait_max_s": _rounded(crossing.wait_max_s, 2),
        "hcm_delay_s": round(crossing.hcm_delay_s, 3),
        "pedestrians_ph": crossing.pedestrians_ph,
    }


def _figures(record: object, names: tuple[str, ...]) -> dict[str, float | None]:
    return {name: _rounded(getattr(record, name), DIGITS[name]) for name in names}


def _errors(errors: Mapping[str, float | None]) -> dict[str, float | None]:
    return {name: _rounded(error, DIGITS[name] + 1) for name, error in errors.items()}


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None or not math.isfinite(value) else round(float(value), digits)
