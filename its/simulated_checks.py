"""Rules that need the simulation: who came above capacity, and what queues take of the links that are named."""

from __future__ import annotations

from typing import Any

from network_data.directions import Places
from network_data.network import RoadNetwork
from network_data.settings import Settings
from optimizer.storage import used_by
from sim.measures import Measures

LEAST_VPH = 1.0
"""Movements with less are nobody's capacity. [veh/h]"""


def simulated_checks(
    network: RoadNetwork, before: Measures, after: Measures, settings: Settings
) -> list[dict[str, Any]]:
    """Records like those of `passed_checks` for `v-over-c` and, where links are named, `storage`.

    The search holds v/c in the closed form; a movement that the simulation nevertheless shows above 1, and did not
    under the field plan, is a warning.
    """
    places = Places(network)
    warnings = [
        f"{one.controller_id}: {places.movement(name)} has v/c {one.v_over_c:.2f} in the simulation, under the field "
        f"plan {old.v_over_c:.2f}"
        for name, one in after.movements.items()
        if (old := before.movements.get(name)) is not None
        and one.v_over_c is not None
        and old.v_over_c is not None
        and one.demand_vph >= LEAST_VPH
        and one.v_over_c > 1.0 >= old.v_over_c
    ]
    out: list[dict[str, Any]] = [{"rule": "v-over-c", "passed": True, "warnings": warnings}]
    limits = settings.limits.storage
    if limits:
        used = used_by(after, limits)
        over = [link for link in limits if used[link] > limits[link] + 1e-9]
        told = [f"link {link!r}: its queue takes up to {100 * used[link]:.0f} % of its room" for link in limits]
        out.append({"rule": "storage", "passed": not over, "warnings": told})
    return out
