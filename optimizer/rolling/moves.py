"""Changes of one signal within the rules, and within what one decision may change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from network_data.offsets import around_s
from optimizer.candidate import Setting, with_offset
from optimizer.models import ControllerModel
from optimizer.moves import Neighbourhood
from optimizer.rolling.options import RollingOptions

OFFSET_STEPS_S = (1, 2, 3, 4, 6, 8, 12)
SPLIT_STEPS_S = (1, 1, 2, 3, 4, 6)
STAGES_SHARE = 0.1
"""Of the trials at signals that may run other stages, how many try them. [-]"""
ATTEMPTS = 4
"""Moves drawn for a signal until one keeps the rules."""


@dataclass(eq=False)
class Moves:
    """Changes of one signal within the bounds of a decision; `running` is what each signal shows now."""

    models: Sequence[ControllerModel]
    hood: Neighbourhood
    options: RollingOptions
    running: list[Setting]

    def allowed(self, at: int, setting: Setting) -> bool:
        """Whether rules and bounds on one decision's change are kept."""
        model, now = self.models[at], self.running[at]
        if not model.skeletons[setting.skeleton].allows(setting.durations_s):
            return False
        if self.hood.held(at, setting).offset_s != setting.offset_s:
            return False
        if setting.skeleton != now.skeleton or setting.cycle_s != now.cycle_s:
            return True
        moved = np.abs(setting.durations_s - now.durations_s).max(initial=0)
        away = abs(around_s(setting.offset_s - now.offset_s, now.cycle_s))
        return bool(moved <= self.options.max_green_step_s) and away <= self.options.max_offset_step_s

    def draw(self, at: int, setting: Setting, rng: np.random.Generator) -> Setting | None:
        """A change of one signal, or None where none was found that keeps the rules."""
        model = self.models[at]
        if model.fixed or setting.skeleton < 0:
            return None
        freeze = self.hood.settings.change.freeze
        for _ in range(ATTEMPTS):
            u = rng.random()
            if len(model.usable) > 1 and u < STAGES_SHARE and not {"stages", "splits"} & set(freeze):
                moved = self.other_stages(at, setting, rng)
            elif "splits" in freeze or (u < 0.5 and "offsets" not in freeze):
                moved = self._other_offset(setting, rng) if "offsets" not in freeze else None
            else:
                moved = self._other_splits(at, setting, rng, keep_offset="offsets" in freeze)
            if moved is not None and moved.key() != setting.key() and self.allowed(at, moved):
                return moved
        return None

    def _other_offset(self, setting: Setting, rng: np.random.Generator) -> Setting:
        step = OFFSET_STEPS_S[int(rng.integers(len(OFFSET_STEPS_S)))]
        return with_offset(setting, setting.offset_s + (step if rng.random() < 0.5 else -step))

    def _other_splits(
        self, at: int, setting: Setting, rng: np.random.Generator, *, keep_offset: bool
    ) -> Setting | None:
        free = np.flatnonzero(self.models[at].skeletons[setting.skeleton].stretch)
        if len(free) < 2:
            return None
        i = int(rng.integers(len(free)))
        a, b = int(free[i]), int(free[(i + 1 + int(rng.integers(len(free) - 1))) % len(free)])
        step = SPLIT_STEPS_S[int(rng.integers(len(SPLIT_STEPS_S)))]
        durations = setting.durations_s.copy()
        durations[a] -= step
        durations[b] += step
        # half of the time the interval between keeps its place in the clock, else what follows does
        shift = 0 if keep_offset or rng.random() < 0.5 else (step if a < b else -step)
        return Setting(setting.skeleton, durations, (setting.offset_s + shift) % setting.cycle_s)

    def other_stages(self, at: int, setting: Setting, rng: np.random.Generator) -> Setting | None:
        """Other stages with closed-form splits, or None."""
        model = self.models[at]
        chosen = model.usable[int(rng.integers(len(model.usable)))]
        found = model.splits(chosen, setting.cycle_s) if chosen != setting.skeleton else None
        if found is None:
            return None
        keep_offset = "offsets" in self.hood.settings.change.freeze
        offset_s = setting.offset_s if keep_offset or rng.random() < 0.5 else int(rng.integers(setting.cycle_s))
        return Setting(chosen, found[0].copy(), offset_s)
