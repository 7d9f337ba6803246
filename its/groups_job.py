"""`its groups`: which signals of a network belong together."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from its.console import Console, format_table
from its.inputs import load_demand, load_field_plan, load_network
from its.requests import DemandSource
from network_data.groups import CoordinationGroups, GroupRules, coordination_groups
from network_data.settings import Settings, load_settings
from optimizer.flows import mean_flows_vph
from optimizer.own_cycles import OwnCycle, own_cycles

LANES_ONLY = (
    "no demand given: own cycles are those of the field's programs, and lanes stand in for flows; "
    "give counts or turns for groups by traffic"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupsRequest:
    """`its groups`: all its options; `source` None groups by lanes and the field's cycles."""

    network: Path
    source: DemandSource | None
    plans: Path | None
    settings: Path | None
    rules: GroupRules
    as_json: bool


def groups_job(request: GroupsRequest) -> int:
    """Run the job; returns the exit code."""
    console = Console(quiet=request.as_json)
    with console.stage("read"):
        network = load_network(request.network)
        plan = load_field_plan(request.plans, network)
        settings = load_settings(request.settings) if request.settings is not None else Settings()
    flows, own, notes = None, {}, [LANES_ONLY]
    if request.source is not None:
        with console.stage("demand"):
            demand = load_demand(request.source, network, plan, settings).scenarios
        flows, notes = mean_flows_vph(demand), []
        own = own_cycles(network, plan, demand, settings.limits)
    cycles_s = {c: own[c].cycle_s if c in own else program.cycle_s for c, program in plan.controllers.items()}
    with console.stage("groups"):
        groups = coordination_groups(network, cycles_s, flows, request.rules)
    said = groups_json(groups, cycles_s, own, notes)
    print(json.dumps(said, indent=1) if request.as_json else _text(said))
    return 0


def groups_json(
    groups: CoordinationGroups, cycles_s: Mapping[str, float], own: Mapping[str, OwnCycle], notes: list[str]
) -> dict[str, Any]:
    """Groups and couplings as JSON; traffic in veh/h, or in weighted lanes where `measured` is false."""
    return {
        "measured": groups.measured,
        "inside_share": round(groups.inside_share, 4),
        "groups": [
            {
                "group": g.id,
                "signals": list(g.signals),
                "cycle_s": round(g.cycle_s, 1),
                "half_cycle": list(g.half_cycle),
                "coupled_inside": round(g.inside, 1),
                "coupled_across": round(g.across, 1),
            }
            for g in groups.groups
        ],
        "signals": {
            c: {
                "group": groups.of[c].id,
                "own_cycle_s": round(cycle_s, 1),
                "flow_ratio": round(own[c].flow_ratio, 4) if c in own else None,
                "lost_s": round(own[c].lost_s, 1) if c in own else None,
            }
            for c, cycle_s in cycles_s.items()
        },
        "couplings": [
            {
                "from": c.link.upstream,
                "to": c.link.downstream,
                "distance_m": round(c.link.distance_m, 1),
                "travel_s": round(c.link.travel_s, 1),
                "flow": round(c.link.flow_vph, 1),
                "platoon_share": round(c.link.platoon_share, 4),
                "persistence": round(c.persistence, 4),
                "cycle_compatibility": round(c.cycles, 4),
                "coupling": round(c.strength, 4),
            }
            for c in groups.couplings
        ],
        "notes": notes,
    }


def _text(said: Mapping[str, Any]) -> str:
    """Groups, and the couplings within and across, strongest first."""
    rows = [
        (
            g["group"],
            len(g["signals"]),
            f"{g['cycle_s']:g}",
            f"{g['coupled_inside']:.0f}",
            f"{g['coupled_across']:.0f}",
            ", ".join(f"{s}{' (half cycle)' if s in g['half_cycle'] else ''}" for s in g["signals"]),
        )
        for g in said["groups"]
    ]
    unit = "veh/h" if said["measured"] else "lanes"
    head = ("group", "n", "cycle s", f"inside {unit}", f"across {unit}", "signals")
    of = {signal: one["group"] for signal, one in said["signals"].items()}
    pairs = [
        (
            f"{c['from']} → {c['to']}",
            f"{c['distance_m']:.0f}",
            f"{c['travel_s']:.0f}",
            f"{100 * c['platoon_share']:.0f} %",
            f"{c['persistence']:.2f}",
            f"{c['cycle_compatibility']:.2f}",
            f"{c['coupling']:.2f}",
            of[c["from"]] if of[c["from"]] == of[c["to"]] else "across",
        )
        for c in sorted(said["couplings"], key=lambda c: -c["coupling"])
    ]
    couplings = ("signals", "m", "s", "platoon", "persistence", "cycles", "coupling", "group")
    share = f"{100 * said['inside_share']:.0f} % of the coupled traffic stays within groups"
    return "\n\n".join([format_table(head, rows), format_table(couplings, pairs), "\n".join([share, *said["notes"]])])
