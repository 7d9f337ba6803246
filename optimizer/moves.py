"""The moves of the search: small changes to a candidate that keep every rule."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from network_data.offsets import around_s
from network_data.settings import Settings
from optimizer.candidate import Candidate, Setting, changed, with_offset
from optimizer.models import ControllerModel
from optimizer.timings import scaled

OFFSET_STEPS_S = (1, 2, 3, 5, 8, 13, 21)
SPLIT_STEPS_S = (1, 1, 2, 3, 5, 8)
CYCLE_STEPS_S = (1, 2, 5, 10)
MULTIPLE_SHARE = 0.3
"""Of the changes to a cycle that others run, those to half of it or twice as much. [-]"""

Move = Callable[[Candidate, np.random.Generator], "Candidate | None"]


@dataclass(frozen=True, eq=False)
class Neighbourhood:
    """Which changes are allowed, and the moves that make them."""

    models: Sequence[ControllerModel]
    settings: Settings
    field: Candidate

    def open_controllers(self) -> list[int]:
        """Controllers that may change at all."""
        return [i for i, model in enumerate(self.models) if not model.fixed]

    def moves(self, rung: str) -> list[tuple[str, Move]]:
        """The moves of a rung of the ladder, all lower rungs' included, with their names."""
        frozen = self.settings.change.freeze
        table: list[tuple[str, str, Move]] = [
            ("offsets", "offset", self.shift_one),
            ("offsets", "offset", self.shift_one),
            ("offsets", "offsets", self.shift_some),
            ("splits", "split", self.move_seconds),
            ("splits", "split", self.move_seconds),
            ("splits", "split", self.move_seconds),
            ("cycle", "cycle", self.stretch_one),
            ("cycle", "cycles", self.stretch_all),
            ("stages", "stages", self.other_stages),
            ("stages", "stages", self.other_stages),
        ]
        order = ("offsets", "splits", "cycle", "stages")
        wanted = order[: order.index(rung) + 1]
        # other stages need other splits
        held = {*frozen, *(("stages",) if "splits" in frozen else ())}
        return [(name, move) for step, name, move in table if step in wanted and step not in held]

    def _frozen(self, what: str) -> bool:
        return what in self.settings.change.freeze

    def _pick(self, rng: np.random.Generator) -> int:
        controllers = self.open_controllers()
        return controllers[int(rng.integers(len(controllers)))]

    def shift_one(self, candidate: Candidate, rng: np.random.Generator) -> Candidate | None:
        """Shift one offset."""
        return self.shift_at(candidate, self._pick(rng), rng)

    def shift_at(self, candidate: Candidate, at: int, rng: np.random.Generator) -> Candidate | None:
        """Shift the offset of a controller, mostly by little."""
        step = int(rng.choice(OFFSET_STEPS_S)) * int(rng.choice((-1, 1)))
        if rng.random() < 0.2:
            step = int(rng.integers(1, candidate[at].cycle_s))
        return self.shifted(candidate, at, step)

    def shifted(self, candidate: Candidate, at: int, step_s: int) -> Candidate | None:
        """A controller's offset so much later, as far as it may; None where it may not move."""
        setting = self.held(at, with_offset(candidate[at], candidate[at].offset_s + step_s))
        return changed(candidate, at, setting) if setting.offset_s != candidate[at].offset_s else None

    def shift_some(self, candidate: Candidate, rng: np.random.Generator) -> Candidate | None:
        """Shift several offsets by the same seconds: a platoon's start moves, the waves inside the group stay."""
        controllers = self.open_controllers()
        if len(controllers) < 3:
            return None
        chosen = rng.permutation(controllers)[: int(rng.integers(2, len(controllers)))]
        step = int(rng.choice(OFFSET_STEPS_S)) * int(rng.choice((-1, 1)))
        for at in chosen:
            candidate = self.shifted(candidate, int(at), step) or candidate
        return candidate

    def move_seconds(self, candidate: Candidate, rng: np.random.Generator) -> Candidate | None:
        """Move green from one interval to another; the offset may follow so that later greens stay where they are."""
        return self.move_seconds_at(candidate, self._pick(rng), rng)

    def move_seconds_at(
        self, candidate: Candidate, at: int, rng: np.random.Generator, steps_s: Sequence[int] = SPLIT_STEPS_S
    ) -> Candidate | None:
        """Move green of a controller, see `move_seconds`."""
        setting = candidate[at]
        skeleton = self.models[at].skeletons[setting.skeleton]
        free = np.flatnonzero(skeleton.stretch)
        if len(free) < 2:
            return None
        a, b = rng.choice(free, 2, replace=False)
        durations = setting.durations_s.copy()
        step = min(int(rng.choice(steps_s)), int(durations[a]) - 1)
        durations[a] -= step
        durations[b] += step
        shift = step if rng.random() < 0.3 and not self._frozen("offsets") else 0
        offset = (setting.offset_s + (shift if a < b else -shift)) % setting.cycle_s
        return self._checked(candidate, at, Setting(setting.skeleton, durations, offset))

    def stretch_one(self, candidate: Candidate, rng: np.random.Generator) -> Candidate | None:
        """Give one controller seconds, or take them; others in the network keep theirs."""
        at = self._pick(rng)
        setting = candidate[at]
        group = self.group_of(at)
        if len(group) > 1:
            return self._group_in_cycle(candidate, at, group, rng)
        others = {s.cycle_s for i, s in enumerate(candidate) if i != at}
        step = int(rng.choice(CYCLE_STEPS_S)) * int(rng.choice((-1, 1)))
        cycle = setting.cycle_s + step
        if others and rng.random() < 0.5:
            cycle = int(rng.choice(sorted(others)))
            if rng.random() < MULTIPLE_SHARE:
                cycle = 2 * cycle if cycle % 2 or rng.random() < 0.5 else cycle // 2
        return self.in_cycle(candidate, at, cycle, rng)

    def group_of(self, at: int) -> list[int]:
        """The controllers that share a cycle with one by the settings, itself among them."""
        return self._groups.get(at, [at])

    @cached_property
    def _groups(self) -> dict[int, list[int]]:
        return {i: group for group in self.groups() for i in group}

    def groups(self) -> list[list[int]]:
        """The groups of controllers with a common cycle, as the settings name them."""
        index = {model.controller.id: i for i, model in enumerate(self.models)}
        named = self.settings.limits.common_cycle
        return [[index[c] for c in group if c in index] for group in named]

    def groups_hold(self, candidate: Candidate) -> bool:
        """Whether every group of the settings runs one cycle, or half of it."""
        for group in self._groups.values():
            cycles = {candidate[i].cycle_s for i in group}
            if not cycles <= {max(cycles), max(cycles) / 2}:
                return False
        return True

    def holds_between(self, candidate: Candidate) -> bool:
        """Whether common cycles and bounds on offsets are kept: what moves of several signals could break."""
        return self.groups_hold(candidate) and all(
            self.held(at, candidate[at]).offset_s == candidate[at].offset_s for at in self._bounded
        )

    @cached_property
    def _bounded(self) -> list[int]:
        """The controllers whose offset is bounded."""
        return [at for at, model in enumerate(self.models) if model.book.limits.offset_change_s is not None]

    def _group_in_cycle(
        self, candidate: Candidate, at: int, group: list[int], rng: np.random.Generator
    ) -> Candidate | None:
        """A whole group in a longer or shorter cycle; now and then one of them changes to half of it, or back."""
        base = max(candidate[i].cycle_s for i in group)
        wanted = {i: base if candidate[i].cycle_s == base else base / 2 for i in group}
        if rng.random() < 0.2:
            wanted[at] = base / 2 if candidate[at].cycle_s == base else base
        else:
            step = int(rng.choice(CYCLE_STEPS_S)) * int(rng.choice((-1, 1)))
            wanted = {i: cycle * (base + step) / base for i, cycle in wanted.items()}
        for i, cycle in wanted.items():
            if cycle == candidate[i].cycle_s:
                continue
            following = self.in_cycle(candidate, i, round(cycle), rng) if cycle == round(cycle) else None
            if following is None:
                return None
            candidate = following
        return candidate if self.groups_hold(candidate) else None

    def stretch_all(self, candidate: Candidate, rng: np.random.Generator) -> Candidate | None:
        """Change the cycle of all controllers that share the most common one."""
        cycles = [candidate[i].cycle_s for i in self.open_controllers()]
        common = max(sorted(set(cycles)), key=cycles.count)
        cycle = common + int(rng.choice(CYCLE_STEPS_S)) * int(rng.choice((-1, 1)))
        return self.in_common_cycle(candidate, cycle, rng, only=common)

    def in_common_cycle(
        self, candidate: Candidate, cycle_s: int, rng: np.random.Generator, only: int | None = None
    ) -> Candidate | None:
        """All (or those with cycle `only`) in one cycle; None where a controller cannot."""
        moved = False
        for at in self.open_controllers():
            if only is not None and candidate[at].cycle_s != only:
                continue
            following = self.in_cycle(candidate, at, cycle_s, rng)
            if following is None:
                continue
            candidate, moved = following, True
        return candidate if moved and self.groups_hold(candidate) else None

    def in_cycle(self, candidate: Candidate, at: int, cycle_s: int, rng: np.random.Generator) -> Candidate | None:
        """A controller in another cycle, its splits in proportion or in closed form; None where the rules forbid it."""
        setting, model = candidate[at], self.models[at]
        if not self.cycle_allowed(at, cycle_s) or cycle_s == setting.cycle_s:
            return None
        # frozen splits are the field's: roundings of one move after the other would add up
        shares = self.field[at].durations_s if self._frozen("splits") else setting.durations_s
        durations = scaled(shares, model.skeletons[setting.skeleton], cycle_s)
        if not self._frozen("splits") and (durations is None or rng.random() < 0.25):
            found = model.splits(setting.skeleton, cycle_s)
            durations = found[0] if found is not None else durations
        if durations is None:
            return None
        offset = setting.offset_s if self._frozen("offsets") else round(setting.offset_s * cycle_s / setting.cycle_s)
        offset %= cycle_s
        return self._checked(candidate, at, Setting(setting.skeleton, durations, offset))

    def cycle_allowed(self, at: int, cycle_s: int) -> bool:
        """Whether a controller may run this cycle."""
        limits, before = self.models[at].book.limits, self.models[at].field.cycle_s
        if cycle_s == self.field[at].cycle_s and (limits.cycle.today_may_stay or limits.cycle.allows(cycle_s)):
            return True
        if limits.cycle_change_s is not None and abs(cycle_s - before) > limits.cycle_change_s:
            return False
        return "cycle" not in self.settings.change.freeze and limits.cycle.allows(cycle_s)

    def held(self, at: int, setting: Setting) -> Setting:
        """The setting at the nearest offset that the rules on offsets allow."""
        model = self.models[at]
        bound_s = model.book.limits.offset_change_s
        if bound_s is None or setting.skeleton < 0:
            return setting
        row = model.reference_row(setting.skeleton)
        begins_s = setting.offset_s + int(setting.durations_s[:row].sum())
        away_s = around_s(begins_s - model.reference_s, setting.cycle_s)
        back_s = away_s - max(-bound_s, min(bound_s, away_s))
        # offsets are whole: with less than a second of room the nearest one, else one that lies inside
        step_s = round(abs(back_s)) if bound_s < 1 else math.ceil(abs(back_s) - 1e-6)
        return with_offset(setting, setting.offset_s - step_s * (1 if back_s > 0 else -1))

    def other_stages(self, candidate: Candidate, rng: np.random.Generator) -> Candidate | None:
        """Let one controller run other stages, or the same in another order, with closed-form splits."""
        at = self._pick(rng)
        model, setting = self.models[at], candidate[at]
        usable = model.usable
        if len(usable) < 2:
            return None
        chosen = usable[int(rng.integers(len(usable)))]
        cycle = setting.cycle_s
        if rng.random() < 0.3 and "cycle" not in self.settings.change.freeze and len(self.group_of(at)) == 1:
            cycle = int(rng.integers(min(int(self.settings.limits.cycle_min_s), cycle), cycle + 1))
        found = model.splits(chosen, cycle) if self.cycle_allowed(at, cycle) else None
        if chosen == setting.skeleton or found is None:
            return None
        offset = setting.offset_s % cycle
        if rng.random() < 0.5 and not self._frozen("offsets"):
            offset = int(rng.integers(cycle))
        return self._checked(candidate, at, Setting(chosen, found[0].copy(), offset))

    def keeps_rules(self, at: int, setting: Setting) -> bool:
        """Whether a controller may run this: every span holds, nobody ends above v/c 1 that was below, and approaches
        that nobody counted keep their green."""
        model = self.models[at]
        skeleton = model.skeletons[setting.skeleton]
        return (
            skeleton.allows(setting.durations_s)
            and self.held(at, setting).offset_s == setting.offset_s
            and bool((skeleton.green_s(setting.durations_s) >= model.least_share * setting.cycle_s - 1e-6).all())
            and (self.settings.rules.v_over_c == "free" or not overloads(model, setting, self.field[at]))
        )

    def _checked(self, candidate: Candidate, at: int, setting: Setting) -> Candidate | None:
        setting = self.held(at, setting)
        return changed(candidate, at, setting) if self.keeps_rules(at, setting) else None


def loads(model: ControllerModel, setting: Setting) -> NDArray[np.float64]:
    """Closed-form v/c of every link index; shape (H,). [-]"""
    if setting.skeleton < 0:
        return np.zeros(model.controller.n_heads)
    weights = model.weights(setting.skeleton)
    green_share = weights @ setting.durations_s / setting.cycle_s
    need = model.flows.needed_share()
    return np.divide(need, green_share, out=np.zeros_like(need), where=green_share > 0)


def overloads(model: ControllerModel, setting: Setting, field: Setting) -> bool:
    """Whether a link index ends above v/c 1 that was below in the field."""
    if setting.skeleton < 0:
        return False
    now, before = loads(model, setting), model.field_loads(lambda: loads(model, field))
    return bool(((now > 1.0 + 1e-9) & (before <= 1.0)).any())
