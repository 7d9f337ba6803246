"""Changes of one signal within the rules, and within what one decision may change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from network_data.offsets import around_s
from optimizer.candidate import Setting
from optimizer.models import ControllerModel
from optimizer.moves import Neighbourhood
from optimizer.rolling.options import RollingOptions


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
