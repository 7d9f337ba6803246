"""What is tried in one step: better seconds by the polygons, then another cycle or other stages where it is time to."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from optimizer.candidate import Setting
from optimizer.models import ControllerModel
from optimizer.moves import Neighbourhood
from optimizer.rolling import costs
from optimizer.rolling.estimate import Estimate
from optimizer.rolling.layout import StreetLayout
from optimizer.rolling.options import RollingOptions
from optimizer.rolling.polygons import Collected, Polygons
from optimizer.rolling.search import Search
from optimizer.timings import scaled

SHRINK, GROW, LEAST_SHARE = 0.5, 1.5, 0.05
"""How the share of signals that a proposal moves follows refusal and success, and its least. [-]"""
TRIES = 4
"""Proposals of seconds in one step at most."""
CYCLE_GAIN, STAGES_GAIN = 0.01, 0.002
"""Of the delay ahead, what another cycle or other stages must save: every signal comes out of step once. [-]"""


@dataclass(eq=False)
class Proposals:
    """Proposals of one network; `fresh` are runs of this step that the polygons have not seen yet."""

    layout: StreetLayout
    models: Sequence[ControllerModel]
    hood: Neighbourhood
    polygons: Polygons
    options: RollingOptions
    fresh: list[Collected] = field(default_factory=list)
    share: float = 1.0
    cycle_tried_s: float = -np.inf
    longer: bool = False
    n_steps: int = 0
    prepared: bool = False
    tried: dict[int, int] = field(default_factory=dict)
    """Step in which a signal was last proposed other seconds."""

    def decide(
        self,
        search: Search,
        estimate: Estimate,
        open_signals: NDArray[np.bool_],
        time_s: float,
        most_changed: int,
        rng: np.random.Generator,
    ) -> None:
        """Try what the budget allows; the search keeps what is better."""
        before = list(search.current)
        self.n_steps += 1
        self.prepared = False
        if not self.polygons.knows:
            half = (len(self.fresh) + 1) // 2
            self.polygons.remember(self.fresh[:half], time_s)
            del self.fresh[:half]
        units = costs.PREPARE_NS * self.layout.n_signal
        if search.work.affords(units):
            search.work.spend(units)
            self.polygons.prepare(search.current, estimate.choice_vps, time_s)
            self.prepared = True
            self._seconds(search, open_signals, most_changed, rng)
            self.polygons.remember(self.fresh, time_s)
        self.fresh.clear()
        same = all(now is then for now, then in zip(search.current, before, strict=True))
        if same and not self._cycle(search, open_signals, time_s, most_changed):
            self._stages(search, open_signals, rng)

    def adopt(self, taken: Collection[int]) -> None:
        """These signals do change: what they send later comes later from the next step on."""
        if not self.prepared:
            return
        self.polygons.take_back([at for at in np.flatnonzero(self.polygons.moved).tolist() if at not in taken])
        self.polygons.adopt()

    def _seconds(
        self, search: Search, open_signals: NDArray[np.bool_], most_changed: int, rng: np.random.Generator
    ) -> None:
        """Splits and offsets of some signals, more often those where much is lost."""
        freeze, options = self.hood.settings.change.freeze, self.options
        free = open_signals.copy()
        left = most_changed
        for _ in range(TRIES):
            n = min(left, max(1, round(self.share * int(free.sum()))))
            units = costs.PROPOSE_NS * n + search.judge_units
            if n < 1 or not free.any() or not search.work.affords(units):
                return
            search.work.spend(costs.PROPOSE_NS * n)
            order = self._order(search, free, rng)[:n]
            self.tried |= dict.fromkeys(order.tolist(), self.n_steps)
            self.polygons.improve(
                order,
                offsets="offsets" not in freeze,
                splits="splits" not in freeze,
                most_offset_s=int(options.max_offset_step_s),
                most_green_s=int(options.max_green_step_s),
            )
            proposed = {at: s for at, s in self.polygons.proposed(search.moves.running).items() if free[at]}
            if not proposed:
                return
            kept = search.judge(proposed)
            self.polygons.take_back(proposed.keys() - kept.keys())
            self.share = min(1.0, GROW * self.share) if kept else max(LEAST_SHARE, SHRINK * self.share)
            free[list(kept)] = False
            left -= len(kept)

    def _order(self, search: Search, free: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.int64]:
        """Open signals in random order, those with much delay and not tried for long sooner.

        Without replacement, in proportion to delay times the square of the steps since (Efraimidis and Spirakis).
        """
        cost = np.mean([outcome.by_signal[:-1] for outcome in search.base], axis=0)
        since = self.n_steps - np.array([self.tried.get(at, -1) for at in range(len(cost))])
        keys = np.log(rng.random(len(cost))) / np.maximum(cost * np.maximum(since, 0.1) ** 2, 1e-9)
        return np.argsort(-np.where(free, keys, -np.inf), kind="stable")[: int(free.sum())]

    def _cycle(self, search: Search, open_signals: NDArray[np.bool_], time_s: float, most_changed: int) -> bool:
        """Another cycle for all signals that share the most common one; whether it was tried."""
        cycles = np.array([s.cycle_s for s in search.current])
        common = int(np.bincount(cycles).argmax())
        mine = np.flatnonzero(cycles == common)
        if (
            "cycle" in self.hood.settings.change.freeze
            or time_s - self.cycle_tried_s < self.options.cycle_every_s
            or not open_signals[mine].all()
            or len(mine) > most_changed
            or not search.work.affords(2 * search.judge_units)
        ):
            return False
        self.cycle_tried_s, self.longer = time_s, not self.longer
        step = int(self.options.max_cycle_step_s) * (1 if self.longer else -1)
        proposed = {}
        for at in mine.tolist():
            now = search.current[at]
            found = scaled(now.durations_s, self.models[at].skeletons[now.skeleton], common + step)
            if found is None or not self.hood.cycle_allowed(at, common + step):
                return True
            proposed[at] = Setting(
                now.skeleton, found, round(now.offset_s * (common + step) / common) % (common + step)
            )
        if search.judge(proposed, least=CYCLE_GAIN, whole=True):
            self.longer = not self.longer  # once more the same way next time
        return True

    def _stages(self, search: Search, open_signals: NDArray[np.bool_], rng: np.random.Generator) -> None:
        """Other stages at one signal."""
        if {"stages", "splits"} & set(self.hood.settings.change.freeze):
            return
        several = open_signals & np.array([len(model.usable) > 1 for model in self.models])
        while several.any() and search.work.affords(2 * search.judge_units):
            at = int(self._order(search, several, rng)[0])
            other = search.moves.other_stages(at, search.current[at], rng)
            if other is None or search.judge({at: other}, least=STAGES_GAIN, whole=True):
                return
            several[at] = False
