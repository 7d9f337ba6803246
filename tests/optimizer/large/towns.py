"""A small town as a grid, made in code: one-way streets, a signal at every crossing, traffic straight on."""

from __future__ import annotations

from dataclasses import dataclass

from network_data.demand import DemandScenarios
from network_data.network import RoadNetwork
from network_data.settings import Settings
from network_data.trips import Trips
from optimizer.candidate import Candidate
from optimizer.flows import mean_flows_vph
from optimizer.large.climb import climb_large
from optimizer.large.places import Places, groups_of, places_of
from optimizer.optimize import realizations_of
from optimizer.search import Search
from tests.builders import NetworkBuilder, Rows, demand
from tests.optimizer.scenes import Scene, scene

ROWS: Rows = ((27, "Gr"), (3, "yr"), (27, "rG"), (3, "ry"))
BLOCK_M = 180.0


@dataclass(frozen=True)
class Town:
    """A scene on a grid, with what the climb of large networks needs beside it."""

    scene: Scene
    places: Places
    trips: list[Trips]
    flows: DemandScenarios

    def climbed(self, iterations: int, seed: int = 0, known: Candidate | None = None) -> Search:
        """A climb in groups of all signals, begun at a plan found before where one is given."""
        hood = self.scene.neighbourhood
        cycles_s = {model.controller.id: 60.0 for model in hood.models}
        return climb_large(
            self.scene.evaluator,
            hood,
            self.scene.settings,
            seed=seed,
            places=self.places,
            groups=groups_of(self.scene.network, cycles_s, mean_flows_vph(self.flows), hood),
            trips=self.trips,
            demand=self.flows,
            known=None if known is None else (lambda _: known),
            iterations=iterations,
        )


def grid(columns: int, rows: int) -> RoadNetwork:
    """Streets to the east and to the north; link `e0.1` enters the crossing (0, 1) from the west."""
    builder = NetworkBuilder()
    for j in range(rows):
        for i in range(columns + 1):
            builder.link(f"e{i}.{j}", f"{i - 1}.{j} {i}.{j}", length_m=BLOCK_M)
    for i in range(columns):
        for j in range(rows + 1):
            builder.link(f"n{i}.{j}", f"{i}.{j - 1} {i}.{j}", length_m=BLOCK_M)
    for i in range(columns):
        for j in range(rows):
            east = builder.turn(f"e{i}.{j} e{i + 1}.{j}", head=(f"{i}.{j}", 0))
            north = builder.turn(f"n{i}.{j} n{i}.{j + 1}", head=(f"{i}.{j}", 1))
            builder.yielding(east, [north])
            builder.yielding(north, [east])
            builder.program(f"{i}.{j}", ROWS, offset_s=float((17 * i + 29 * j) % 60), conflicts=[(0, 1)])
    return builder.build()


def town(
    columns: int = 4, rows: int = 3, *, vph: float = 500.0, settings: Settings | None = None, workers: int = 1
) -> Town:
    """A grid with the same flow on every street."""
    network = grid(columns, rows)
    streets = [[f"e{i}.{j}" for i in range(columns + 1)] for j in range(rows)]
    streets += [[f"n{i}.{j}" for j in range(rows + 1)] for i in range(columns)]
    pairs = {}
    for links in streets:
        for pair in zip(["", *links], [*links, ""], strict=True):
            pairs[pair] = vph / 12
    flows = DemandScenarios(scenarios=(demand(pairs, intervals=3),), weights=(1.0,))
    trips = realizations_of(flows, seed=0, warmup_s=0.0, network=network)
    return Town(
        scene(network, flows, settings, workers=workers), places_of(network, mean_flows_vph(flows)), trips, flows
    )
