"""A simulator that remembers programs: the same results, each program laid out once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from network_data.errors import PlanError
from network_data.plans import ControllerPlan, TimingPlan
from optimizer.large import programs
from optimizer.large.programs import KEPT_PER_CONTROLLER, RememberingSimulator
from sim.compile import CompiledNetwork, ControllerArrays, compile_controller
from sim.simulate import Simulator
from tests.builders import field_plan
from tests.optimizer.large.towns import town


def test_programs_are_laid_out_once_and_give_the_same_totals(monkeypatch: pytest.MonkeyPatch) -> None:
    """Equal to the plain simulator, also after more programs than it keeps; known ones cost nothing."""
    at = town(2, 2)
    network = at.scene.network
    made: list[str] = []

    def counted(compiled: CompiledNetwork, program: ControllerPlan, *, begin_s: float = 0.0) -> ControllerArrays:
        made.append(program.controller_id)
        return compile_controller(compiled, program, begin_s=begin_s)

    monkeypatch.setattr(programs, "compile_controller", counted)
    ours, plain = (kind(network, at.trips, begin_s=0.0, end_s=900.0) for kind in (RememberingSimulator, Simulator))
    field = field_plan(network)
    for shift_s in range(KEPT_PER_CONTROLLER + 2):
        plan = TimingPlan(
            controllers={c: replace(p, offset_s=(p.offset_s + shift_s) % 60) for c, p in field.controllers.items()}
        )
        assert ours.run([plan]) == plain.run([plan])
        n = len(made)
        assert ours.run([plan]) == plain.run([plan])
        assert len(made) == n
    assert len(made) == 4 * (KEPT_PER_CONTROLLER + 2)


def test_missing_programs_are_named() -> None:
    """A plan without a signal is refused as by the plain simulator."""
    at = town(2, 2)
    simulator = RememberingSimulator(at.scene.network, at.trips, begin_s=0.0, end_s=900.0)
    with pytest.raises(PlanError, match="has no program"):
        simulator.run([TimingPlan(controllers={})])
