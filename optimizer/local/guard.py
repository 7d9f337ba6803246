"""The last gate before a signal: every second is held against the rules before it is shown. Plain Python.

It knows the clearance matrix, conflicts and least greens, and what it has let through; nothing of stages, models or
plans. What it refuses is not shown: the signal keeps what it shows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from network_data.clearance import EPSILON_S, ClearanceMatrix, conflict_pairs, crossing_need_s, foes_of
from network_data.controllers import Controller
from network_data.network import RoadNetwork
from network_data.plans import GREEN, OPEN, YELLOW, ControllerPlan
from network_data.program_table import ProgramTable
from network_data.rules_walk import walk_times_s
from network_data.settings import Settings
from network_data.signal_limits import plan_matrix

LONG_AGO_S = -1e9
FREE_END = GREEN + YELLOW + "oO"
"""Letters a green may change to without a yellow."""


@dataclass
class Guard:
    """One signal. `faults` judges, `accept` remembers."""

    controller: Controller
    matrix: ClearanceMatrix
    foes: dict[int, tuple[int, ...]]
    shown_states: tuple[str, ...]
    walk_s: dict[int, float]
    state: str
    changed_s: list[float] = field(default_factory=list)
    green_from_s: list[float] = field(default_factory=list)
    green_to_s: list[float] = field(default_factory=list)
    open_to_s: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        n = len(self.state)
        self.changed_s, self.green_from_s = [LONG_AGO_S] * n, [LONG_AGO_S] * n
        self.green_to_s, self.open_to_s = [LONG_AGO_S] * n, [LONG_AGO_S] * n
        self._known: set[str] = set(self.shown_states)

    def faults(self, time_s: float, state: str) -> list[str]:
        """Why a state may not be shown from a second on; empty where it may."""
        if len(state) != len(self.state):
            return [f"has {len(state)} letters, the signal needs {len(self.state)}"]
        if state == self.state:
            return []
        return [*self._together(state), *self._ends(time_s, state), *self._starts(time_s, state)]

    def accept(self, time_s: float, state: str) -> None:
        """The state is shown from this second on."""
        for k, (old, new) in enumerate(zip(self.state, state, strict=True)):
            if old == new:
                continue
            if old in GREEN and new not in GREEN:
                self.green_to_s[k] = time_s
            if new in GREEN and old not in GREEN:
                self.green_from_s[k] = time_s
            if old in OPEN and new not in OPEN:
                self.open_to_s[k] = time_s
            if not (old in GREEN and new in GREEN):
                self.changed_s[k] = time_s
        self.state = state

    def red_s(self, time_s: float, index: int) -> float:
        """How long a link index has been closed. [s]"""
        return 0.0 if self.state[index] in OPEN else time_s - self.open_to_s[index]

    def _together(self, state: str) -> Iterator[str]:
        if state in self._known:
            return
        found = False
        for i, foes in self.foes.items():
            for j in foes:
                if i < j and state[i] in GREEN and state[j] in GREEN and not self._may_run(state, i, j):
                    found = True
                    yield f"{i} ({state[i]}) and {j} ({state[j]}) conflict and would be green together"
                if state[i] == "G" and state[j] in YELLOW and not self._may_start(i, j):
                    found = True
                    yield f"{i} would have G while {j}, which it conflicts with, is yellow"
        if not found:
            self._known.add(state)

    def _may_run(self, state: str, i: int, j: int) -> bool:
        stronger = {"g": GREEN, "G": "G"}
        if any(s[i] in stronger[state[i]] and s[j] in stronger[state[j]] for s in self.shown_states):
            return True
        yields = self.controller.yields
        return (state[i] == "g" and (i, j) in yields) or (state[j] == "g" and (j, i) in yields)

    def _may_start(self, green: int, yellow: int) -> bool:
        """Whether the field shows a protected green beside the green or yellow of a foe."""
        return any(s[green] == "G" and s[yellow] in GREEN + YELLOW for s in self.shown_states)

    def _ends(self, time_s: float, state: str) -> Iterator[str]:
        for k, (old, new) in enumerate(zip(self.state, state, strict=True)):
            kind = self.controller.heads[k].kind
            if kind == "dead" or old == new:
                continue
            if old in GREEN and new not in GREEN:
                least_s = float(self.matrix.min_green_s[k])
                if time_s - self.green_from_s[k] < least_s - EPSILON_S:
                    yield f"{k} would be green for {time_s - self.green_from_s[k]:g} s, needs {least_s:g} s"
                if new not in FREE_END and kind != "crossing":
                    yield f"{k} would lose its green without yellow"
            elif old in YELLOW and new not in YELLOW and kind != "crossing":
                least_s = float(self.matrix.yellow_s[k])
                if time_s - self.changed_s[k] < least_s - EPSILON_S:
                    yield f"{k} would have {time_s - self.changed_s[k]:g} s of yellow, needs {least_s:g} s"

    def _starts(self, time_s: float, state: str) -> Iterator[str]:
        for k, (old, new) in enumerate(zip(self.state, state, strict=True)):
            if new not in GREEN or old in GREEN:
                continue
            for i in self.foes.get(k, ()):
                if state[i] in GREEN:
                    continue
                ended_s = time_s if self.state[i] in GREEN else self.green_to_s[i]
                if time_s - ended_s < self.matrix[i, k] - EPSILON_S:
                    yield f"{k} would be green {time_s - ended_s:g} s after {i}, needs {self.matrix[i, k]:g} s"
                if i in self.walk_s and time_s - self.green_from_s[i] < self.walk_s[i] - EPSILON_S:
                    yield f"crossing {i} would have {time_s - self.green_from_s[i]:g} s, needs {self.walk_s[i]:g} s"


def guard_of(
    network: RoadNetwork, controller: Controller, program: ControllerPlan, settings: Settings, state: str
) -> Guard:
    """The guard of a signal that shows `state` now and has done so for long.

    Parameters
    ----------
    program : ControllerPlan
        The program in force: the yardstick of clearances.
    """
    foes = foes_of(conflict_pairs(controller, program))
    table = ProgramTable(program)
    walk_s = {}
    for head in controller.heads[: table.n_heads]:
        if head.kind == "crossing":
            need_s = crossing_need_s(network, head)
            walk_s[head.index] = min([need_s, *walk_times_s(table, head.index, foes.get(head.index, ()))])
    programs = (*controller.programs, program)
    return Guard(
        controller=controller,
        matrix=plan_matrix(network, controller, program, settings),
        foes=foes,
        shown_states=tuple(dict.fromkeys(i.state for p in programs for i in p.intervals)),
        walk_s=walk_s,
        state=state,
    )
