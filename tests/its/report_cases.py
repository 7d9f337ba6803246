"""Made-up measures and run records for reports: no simulation, the same every time."""

from __future__ import annotations

from typing import Any

from its.report import ReportData
from network_data.network import RoadNetwork
from network_data.plans import TimingPlan
from sim.measures import AreaMeasures, Measures, MovementMeasures

STEPS = ("field plan", "offsets", "splits", "cycle", "stages")


def area(delay_s: float) -> AreaMeasures:
    """A signal or network with this delay."""
    return AreaMeasures(
        veh=1200.0,
        delay_s_per_veh=delay_s,
        stops_per_veh=0.8,
        queue_max_veh=9.0,
        spillback_s=0.0,
        se={"delay_s_per_veh": 0.5},
    )


def measures(network: RoadNetwork, plan: TimingPlan, delay_s: float, **odd: Any) -> Measures:
    """All movements with the same figures, but 10 veh/h more each; `odd` changes those of the first one."""
    movements = {}
    for n, movement in enumerate(network.movements.values()):
        figures: dict[str, Any] = {
            "flow_vph": 100.0 + 10 * n,
            "demand_vph": 100.0 + 10 * n,
            "delay_s_per_veh": delay_s,
            "v_over_c": 0.5,
            "queue_p95_veh": 3.0,
        }
        movements[movement.id] = MovementMeasures(
            movement_id=movement.id,
            from_link=movement.from_link,
            to_link=movement.to_link,
            controller_id=movement.controller_id,
            links=movement.link_indices,
            bus_delay_s_per_veh=None,
            person_delay_s=delay_s,
            stops_per_veh=0.7,
            travel_time_s=delay_s + 20.0,
            capacity_vph=400.0,
            queue_mean_veh=1.0,
            queue_max_veh=6.0,
            storage_veh=12,
            spillback_s=0.0,
            on_green=0.4,
            fuel_l=3.0,
            co2_kg=7.0,
            los_hcm="C",
            los_khcm="B",
            se={"delay_s_per_veh": 0.1},
            **(figures | odd if n == 0 else figures),
        )
    return Measures(
        network=area(delay_s),
        signals={c: area(delay_s) for c in network.controllers},
        cycle_s={c: p.cycle_s for c, p in plan.controllers.items()},
        movements=movements,
        entered_veh={},
        left_veh={},
    )


def record(network: RoadNetwork) -> dict[str, Any]:
    """A run.json with everything in it: one detector and the first signal are missed."""
    signals = list(network.controllers)
    ladder = [
        {
            "step": step,
            "delay_s_per_veh": 40.0 - 4 * n,
            "stops_per_veh": 1.1 - 0.1 * n,
            "queue_max_veh": 20 - n,
            "signals": {
                c: {"delay_s_per_veh": 30.0 - 2 * n, "stops_per_veh": 0.9, "queue_max_veh": 9, "cycle_s": 90.0}
                for c in signals
            },
        }
        for n, step in enumerate(STEPS)
    ]
    support = ("measured", "implied", "prior")
    return {
        "period": {"begin_s": 27000.0, "end_s": 30600.0, "days": "weekday"},
        "ladder": ladder,
        "today": {
            "detectors": [
                detector("good", 400.0, 410.0, geh=0.5, ok=True),
                detector("missed", 400.0, 250.0, geh=8.3, ok=False),
                detector("filled", 90.0, 95.0, geh=0.5, ok=True, repaired=True),
            ],
            "signals": {c: {"share_ok": 1 - 0.5 * (c == signals[0]), "unproven": c == signals[0]} for c in signals},
            "geh_limit": 5.0,
        },
        "demand": {
            "movements": [
                {
                    "from_link": m.from_link,
                    "to_link": m.to_link,
                    "veh_per_h": 50.0,
                    "sd_veh_per_h": 7.0,
                    "support": support[n % 3],
                }
                for n, m in enumerate(network.movements.values())
            ],
            "notes": ["an hour was missing"],
        },
        "notes": ["an hour was missing", "the loop filled was stuck"],
        "losses": {signals[0]: {"first": 0.5}},
        "checks": [
            {"rule": "conflicting-green", "passed": True, "warnings": []},
            {"rule": "yellow", "ok": True},
        ],
        "settings": {"limits": {"cycle_min_s": 40.0}, "rules": {"pedestrians": "network"}},
        "seed": 7,
        "versions": {"its-signals": "0.1.0"},
        "inputs": {"counts": "ab" * 32},
        "timings_s": {"read": 1.5},
        "reproducible": True,
        "iterations": 12,
    }


def detector(name: str, counted_veh: float, simulated_veh: float, **more: Any) -> dict[str, Any]:
    """A row of today's check."""
    return {
        "detector": name,
        "link": "a link",
        "lane": 0,
        "counted_veh": counted_veh,
        "simulated_veh": simulated_veh,
        "repaired": False,
    } | more


def report_data(
    network: RoadNetwork, field: TimingPlan, plan: TimingPlan, run: dict[str, Any] | None = None, **odd: Any
) -> ReportData:
    """A job whose delay falls from 40 to 24 s; `odd` changes the first movement under the new plan."""
    return ReportData(
        network=network,
        field=field,
        plan=plan,
        before=measures(network, field, 40.0),
        after=measures(network, plan, 24.0, **odd),
        run=record(network) if run is None else run,
    )
