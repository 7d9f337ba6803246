"""Whom the closed loop is held against: max-pressure that sees every vehicle, under the same clearances and limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from its.adapt.job import AdaptRun
from its.adapt.judge import findings_of, read_recorded
from its.adapt.sumo_field import Records, SumoField
from its.referee_runs import read_run
from its.sumo import Scenario
from network_data.network import RoadNetwork
from network_data.plans import GREEN, TimingPlan
from network_data.settings import Settings
from optimizer.local.runner import Runner
from optimizer.local.stage_pool import StagePool, stage_pool

Pressure = Literal["queue", "number"]


class SeeingField(SumoField):
    """A simulation that tells how many vehicles are on lanes, all or those that stand: no engine of ours sees this."""

    def watch(self, lanes: Sequence[str]) -> None:
        """Subscribe to lanes."""
        from traci import constants

        self._keys = {"queue": constants.LAST_STEP_VEHICLE_HALTING_NUMBER, "number": constants.LAST_STEP_VEHICLE_NUMBER}
        for lane in lanes:
            self._sumo.lane.subscribe(lane, list(self._keys.values()))

    def vehicles(self, what: Pressure) -> dict[str, int]:
        """Vehicles by lane."""
        return {lane: told[self._keys[what]] for lane, told in self._sumo.lane.getAllSubscriptionResults().items()}


class MaxPressure:
    """One signal: the stage with the most vehicles before its stop lines less those behind, every `every_s` seconds."""

    def __init__(self, network: RoadNetwork, pool: StagePool, state: str, every_s: int) -> None:
        self.runner, self.every_s = Runner(pool, pool.nearest(state)), every_s
        self._pairs: list[tuple[set[str], set[str]]] = []
        self._n_green = [sum(letter in GREEN for letter in stage) for stage in pool.stages]
        for stage in pool.stages:
            before, behind = set(), set()
            for head in pool.controller.heads[: len(stage)]:
                if stage[head.index] in GREEN:
                    for i in head.connections:
                        c = network.connections[i]
                        before.add(f"{c.from_link}_{c.from_lane}")
                        behind.add(f"{c.to_link}_{c.to_lane}")
            self._pairs.append((before, behind))

    @property
    def lanes(self) -> set[str]:
        """All lanes it wants to see."""
        return {lane for before, behind in self._pairs for lane in before | behind}

    def decide(self, vehicles: Mapping[str, int]) -> None:
        """Choose a stage where it is time to."""
        runner = self.runner
        if not runner.free or runner.stay_s % self.every_s:
            return
        allowed = runner.allowed()
        pressure = [
            sum(vehicles.get(x, 0) for x in before) - sum(vehicles.get(x, 0) for x in behind)
            for before, behind in self._pairs
        ]
        stages = [s for s in range(len(pressure)) if allowed[s]]
        # of stages that open the same lanes, the one for more of their vehicles
        runner.go(max(stages, key=lambda s: (pressure[s], self._n_green[s], s == runner.stage)))


def max_pressure_run(
    scenario: Scenario,
    network: RoadNetwork,
    field_plan: TimingPlan,
    what: Pressure,
    every_s: int,
    seed: int,
    folder: Path,
) -> AdaptRun:
    """One seed of max-pressure, measured and judged as ours; it may choose among all shipped stages."""
    settings = Settings.model_validate({"rules": {"left_turns": "free"}})
    records = Records.in_folder(folder)
    field = SeeingField(scenario, [], list(field_plan.controllers), records, seed=seed)
    shown = field.programs()
    signals = {
        x: MaxPressure(network, stage_pool(network, network.controllers[x], plan, settings), shown[x], every_s)
        for x, plan in field_plan.controllers.items()
    }
    field.watch(sorted({lane for signal in signals.values() for lane in signal.lanes}))
    while True:
        field.show({x: signal.runner.next_state for x, signal in signals.items()})
        for signal in signals.values():
            signal.runner.commit()
        if field.observe() is None:
            break
        vehicles = field.vehicles(what)
        for signal in signals.values():
            signal.decide(vehicles)
    field.close()
    measured = read_run(
        scenario, seed, network.approaches, trips=records.trips, totals=records.totals, edges=records.edges
    )
    findings = findings_of(network, field_plan, settings, read_recorded(records.signals))
    return AdaptRun(sumo=measured, findings=tuple(findings), engine={})
