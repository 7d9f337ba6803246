"""All offsets at once: tables by queue polygons, the best offsets for all of them together.

Polygons that move one signal after the other end where no single one gains: waves that run another way through the
network are out of their reach. But what a lane loses depends on when its vehicles come, and most lanes get theirs from
one signal: that makes a table over the difference of two offsets, and all of them the offset problem of
`optimizer.offsets`, which looks for the best answer far and wide in some milliseconds.
"""

from __future__ import annotations

from collections import Counter

from optimizer.candidate import Candidate, with_offset
from optimizer.coordination import in_step, offsets_allowed
from optimizer.large.changes import replaced
from optimizer.moves import Neighbourhood
from optimizer.offsets.descent import coordinate_descent
from optimizer.offsets.local_search import LocalSearch
from optimizer.offsets.tables import OffsetProblem, offset_problem
from optimizer.offsets.tree import spanning_tree_start
from optimizer.rolling.polygons import Polygons

FORESTS = 10
"""Steps on forests for each start."""
LEAST_KICKS, KICKS_PER_SIGNAL, MOST_KICKS = 1_000, 8, 20_000
"""Kicks of the annealing: with these 100 signals take 30 ms."""


def in_waves(polygons: Polygons, candidate: Candidate, hood: Neighbourhood, *, seed: int) -> Candidate:
    """The candidate with the best offsets that the polygons' tables know; cycle by cycle.

    Parameters
    ----------
    polygons : Polygons
        Prepared for the candidate, with what a run said of arrivals and delays.
    seed : int
        Of the annealing.
    """
    out = candidate
    for cycle_s, n in Counter(setting.cycle_s for setting in candidate).items():
        problem = _problem(polygons, candidate, hood, cycle_s) if n > 1 else None
        if problem is None:
            continue
        index = {hood.models[at].controller.id: at for at in hood.open_controllers()}
        now = {name: candidate[index[name]].offset_s for name in problem.signals if name in index}
        found = _solved(problem, [now.get(name, 0) for name in problem.signals], seed)
        turned = in_step(problem, found, now) if len(now) == len(found) else found
        out = replaced(
            out,
            {
                index[name]: hood.held(index[name], with_offset(candidate[index[name]], offset_s))
                for name, offset_s in turned.items()
                if name in index
            },
        )
    return out


def _problem(polygons: Polygons, candidate: Candidate, hood: Neighbourhood, cycle_s: int) -> OffsetProblem | None:
    """Tables over the differences of offsets; None where no two signals of this cycle exchange platoons."""
    sender, signal, later = polygons.shift_tables(cycle_s)
    if not len(sender):
        return None
    names = [model.controller.id for model in hood.models]
    offset_s = [setting.offset_s for setting in candidate]
    tables = later.copy()
    links = []
    for row, (a, b) in enumerate(zip(sender.tolist(), signal.tolist(), strict=True)):
        # with b's offset d seconds behind a's, vehicles come so much earlier in b's cycle than they do now
        apart_s = (offset_s[b] - offset_s[a]) % cycle_s
        tables[row] = later[row][[(apart_s - d) % cycle_s for d in range(cycle_s)]]
        links.append((names[a], names[b]))
    signals = sorted({name for link in links for name in link})
    allowed = {n: mask for n, mask in offsets_allowed(hood, candidate, cycle_s).items() if n in signals}
    return offset_problem(cycle_s, signals, links, tables, allowed=allowed)


def _solved(problem: OffsetProblem, now_s: list[int], seed: int) -> dict[str, int]:
    """Offsets of least cost, or nearly: from those that are there and from the best tree of links."""
    search = LocalSearch(problem, seed=seed)
    starts = [problem.start(now_s), spanning_tree_start(problem)]
    starts = [search.polish(coordinate_descent(problem, start), FORESTS) for start in starts]
    kicks = min(max(LEAST_KICKS, KICKS_PER_SIGNAL * problem.n_free), MOST_KICKS)
    best = search.anneal(min(starts, key=problem.value), kicks=kicks)
    return {name: int(x) for name, x in zip(problem.signals, best, strict=False)}
