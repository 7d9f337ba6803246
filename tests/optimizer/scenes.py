"""Arterials with demand, ready to be optimized."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from network_data.demand import DemandScenarios
from network_data.network import RoadNetwork
from network_data.settings import Settings
from optimizer.candidate import field_setting
from optimizer.flows import head_flows, mean_flows_vph
from optimizer.models import build_model
from optimizer.moves import Neighbourhood
from optimizer.optimize import realizations_of
from optimizer.search import Evaluator
from sim.simulate import Simulator
from tests.builders import Rows, demand, field_plan, two_signals

ROWS = ((27, "Gr"), (3, "yr"), (27, "rG"), (3, "ry"))


def arterial(
    rows: Rows = ROWS, *, offsets_s: tuple[float, ...] = (0.0, 30.0), through_vph: float = 500, side_vph: float = 150
) -> tuple[RoadNetwork, DemandScenarios]:
    """An arterial through some signals, with as much from each side street; half an hour in 5-minute flows."""
    network = two_signals(rows, offsets_s=offsets_s)
    main = [link for link in network.links if link.startswith("a")]
    pairs = {("", main[0]): through_vph / 12, (main[-1], ""): through_vph / 12}
    pairs |= dict.fromkeys(pairwise(main), through_vph / 12)
    for name in network.controllers:
        pairs |= {
            ("", f"s{name}"): side_vph / 12,
            (f"s{name}", f"n{name}"): side_vph / 12,
            (f"n{name}", ""): side_vph / 12,
        }
    return network, DemandScenarios(scenarios=(demand(pairs, intervals=6),), weights=(1.0,))


@dataclass(frozen=True)
class Scene:
    """An evaluator and a neighbourhood for one arterial."""

    network: RoadNetwork
    evaluator: Evaluator
    neighbourhood: Neighbourhood
    settings: Settings


def scene(
    network: RoadNetwork,
    flows: DemandScenarios,
    settings: Settings | None = None,
    *,
    workers: int = 1,
    end_s: float = 900,
) -> Scene:
    """What `climb` needs; the field is the programs in the network."""
    settings = settings or Settings()
    trips = realizations_of(flows, seed=0, warmup_s=0.0, network=network)
    simulator = Simulator(network, trips, begin_s=0.0, end_s=end_s, workers=workers)
    plan, vph = field_plan(network), mean_flows_vph(flows)
    models = [
        build_model(network, c, plan.controllers[c.id], head_flows(network, c, vph), settings)
        for c in network.controllers.values()
    ]
    return Scene(
        network=network,
        evaluator=Evaluator(simulator, models, settings.objective),
        neighbourhood=Neighbourhood(models, settings, tuple(field_setting(model) for model in models)),
        settings=settings,
    )
