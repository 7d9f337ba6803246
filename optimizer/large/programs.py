"""A simulator that lays every program out once: plans of one search differ in a few signals only."""

from __future__ import annotations

from functools import cached_property

from network_data.plans import ControllerPlan, TimingPlan
from sim import _tables as k
from sim.compile import ControllerArrays, compile_controller, join_controllers
from sim.simulate import Actuated, Simulator

KEPT_PER_CONTROLLER = 4
"""Programs that are kept, times controllers; then all are forgotten."""


class RememberingSimulator(Simulator):
    """As `Simulator`; programs are known again by identity, so whoever makes plans has to use the same objects."""

    def compile(self, plan: TimingPlan, actuated: Actuated | None = None) -> k.PlanArrays:
        """A plan as the kernel reads it."""
        if actuated or not set(self.compiled.heads_of) <= set(plan.controllers):
            return super().compile(plan, actuated)
        return join_controllers([self._laid_out(plan.controllers[c]) for c in self.compiled.heads_of])

    @cached_property
    def _programs(self) -> dict[int, tuple[ControllerPlan, ControllerArrays]]:
        return {}

    def _laid_out(self, program: ControllerPlan) -> ControllerArrays:
        kept = self._programs
        found = kept.get(id(program))
        if found is None:
            if len(kept) >= KEPT_PER_CONTROLLER * len(self.compiled.heads_of):
                kept.clear()
            begin_s = self.begin_s - self.warmup_s
            # the program itself is kept beside its arrays: as long as it lives nothing else has its identity
            found = kept[id(program)] = program, compile_controller(self.compiled, program, begin_s=begin_s)
        return found[1]
