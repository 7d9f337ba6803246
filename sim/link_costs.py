"""Delay at the end of each link between two signals, as a function of the offset difference across it.

The tables that an optimizer of offsets works on: cycle and splits are those of a plan, the platoons those that its
signals let go; only when they arrive is varied.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from network_data.errors import PlanError
from network_data.plans import TimingPlan
from sim import _profile_kernels as c
from sim._rows import row_zeros
from sim.filter_inputs import FLOAT
from sim.filter_levels import Levels
from sim.profile import TABLE_SWEEPS, Profile


@dataclass(frozen=True, eq=False)
class LinkCosts:
    """Tables of L links in a cycle of C whole seconds.

    `delay_s[l, d]`: delay at the end of link l in the period if its signal's offset is d seconds later than that of the
    signal it comes from, modulo the cycle. What offsets cannot change (random arrivals, oversaturation) is left out.
    [veh·s]
    """

    cycle_s: int
    links: tuple[str, ...]
    from_controller: tuple[str, ...]
    to_controller: tuple[str, ...]
    delay_s: FLOAT  # (L, C)


def link_costs(profile: Profile, plan: TimingPlan, *, cycle_s: int | None = None) -> LinkCosts:
    """Tables of all links between two different controllers of a plan.

    Controllers that no other signal's platoons reach have no tables. Between two controllers unsignalized junctions may
    lie; the table is that of the last link, before the second signal.

    Parameters
    ----------
    profile : Profile
        Network and flows.
    plan : TimingPlan
        All controllers in one cycle of whole seconds, unless `cycle_s` is given.
    cycle_s : int, optional
        Only links between two controllers that run this cycle; what others send comes evenly. [s]

    Raises
    ------
    PlanError
        Controllers in different cycles, all named.
    """
    net, layout = profile.net, profile.layout
    levels = profile.levels.batch([plan])
    runs = levels.cycle_s[:-1, 0]
    n = int(runs.max(initial=1)) if cycle_s is None else cycle_s
    other = [name for name, cycle in zip(net.controllers, runs, strict=True) if cycle != n]
    if other and cycle_s is None:
        odd = [f"controller {k!r} runs {plan.controllers[k].cycle_s:g} s, others {n} s; give all one" for k in other]
        raise PlanError("link_costs", odd)
    clock = layout.periods[0].clock
    n_controller = len(net.controllers)
    own = layout.order.clock
    chosen = np.flatnonzero((own < n_controller) & (clock[:, 1] < n_controller) & (clock[:, 0] != clock[:, 1]))
    chosen = chosen[(runs[clock[chosen, 0]] == n) & (runs[clock[chosen, 1]] == n)]
    tables = np.zeros((len(chosen), n))
    settled = profile.periods(levels, max_sweeps=TABLE_SWEEPS)
    for arrays, seconds, period in zip(layout.periods, layout.seconds, settled, strict=True):
        tables += seconds * _tables(arrays, levels, period.state, chosen)[:, :n]
    offset = np.array([round(plan.controllers[name].offset_s) for name in net.controllers], np.int64)
    ends, starts = clock[chosen, 0], clock[chosen, 1]
    # entry s of a table: arrivals s seconds earlier than in this plan, as if the signal here were s seconds later
    now = offset[ends] - offset[starts] if len(chosen) else np.zeros(0, np.int64)
    shift = (np.arange(n)[None, :] - now[:, None]) % n
    order = np.argsort(layout.order.link[chosen], kind="stable")
    return LinkCosts(
        cycle_s=n,
        links=tuple(net.links[k] for k in layout.order.link[chosen][order]),
        from_controller=tuple(net.controllers[i] for i in starts[order]),
        to_controller=tuple(net.controllers[i] for i in ends[order]),
        delay_s=np.take_along_axis(tables, shift, axis=1)[order],
    )


def _tables(arrays: c.Layout, levels: Levels, state: c.State, chosen: NDArray[np.int64]) -> FLOAT:
    """Mean queues (L, C), entry s for arrivals s seconds earlier. [veh]"""
    n = levels.n_slot
    move = arrays.move.reshape(-1, int(c.MV)).copy()
    # departures are not passed on: they go to a link behind the last, and to no stream that others give way to
    move[:, int(c.TARGET)], move[:, int(c.WATCHED)], move[:, int(c.FIRST)] = len(arrays.lag_s), c.NONE, 1
    inflow = row_zeros(len(state.inflow) + n)
    inflow[: len(state.inflow)] = state.inflow
    tables = np.zeros((len(chosen), n), np.float32)
    work = (row_zeros(n), row_zeros(n), row_zeros(n), row_zeros(1), row_zeros(1), row_zeros(n), move.ravel())
    c.link_tables(arrays, state._replace(inflow=inflow), levels, np.uint64(n), chosen, work, tables)
    return tables.astype(np.float64)
