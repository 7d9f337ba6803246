"""A candidate plan as the search handles it: per controller a skeleton, its durations and an offset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from network_data.plans import ControllerPlan, TimingPlan
from optimizer.models import ControllerModel


@dataclass(frozen=True, eq=False, slots=True)
class Setting:
    """What one controller runs: skeleton -1 is the field program untouched."""

    skeleton: int
    durations_s: NDArray[np.int64]
    offset_s: int

    @property
    def cycle_s(self) -> int:
        """Cycle length. [s]"""
        return int(self.durations_s.sum())

    def key(self) -> tuple[int, bytes, int]:
        """Equal for equal settings."""
        return self.skeleton, self.durations_s.tobytes(), self.offset_s


Candidate = tuple[Setting, ...]
"""One setting per controller, in the order of the models."""


def field_setting(model: ControllerModel) -> Setting:
    """The field program of a controller."""
    if model.fixed:
        durations = np.array([round(i.duration_s) for i in model.field.intervals], np.int64)
        return Setting(-1, durations, round(model.field.offset_s))
    own = model.skeletons[0]
    if own.name != "field":  # its changes were built anew: the field's cycle, where it still fits
        found = model.splits(0, round(model.field.cycle_s))
        if found is not None:
            return Setting(0, found[0].copy(), round(model.field.offset_s) % int(found[0].sum()))
    return Setting(0, own.start_s.copy(), round(model.field.offset_s) % int(own.start_s.sum()))


def plan_of(model: ControllerModel, setting: Setting) -> ControllerPlan:
    """The timing that a setting stands for."""
    if setting.skeleton < 0:
        return model.field
    return model.skeletons[setting.skeleton].plan(setting.durations_s, setting.offset_s)


def timing_plan(models: Sequence[ControllerModel], candidate: Candidate) -> TimingPlan:
    """All controllers' timings."""
    return TimingPlan(
        controllers={m.controller.id: plan_of(m, setting) for m, setting in zip(models, candidate, strict=True)}
    )


def changed(candidate: Candidate, at: int, setting: Setting) -> Candidate:
    """The candidate with another setting for one controller."""
    return (*candidate[:at], setting, *candidate[at + 1 :])


def with_offset(setting: Setting, offset_s: int) -> Setting:
    """The same program at another offset."""
    return replace(setting, offset_s=offset_s % setting.cycle_s)
