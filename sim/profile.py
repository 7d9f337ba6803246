"""The cyclic-flow-profile filter: platoons, queues and delay around the cycle, for many plans at once (TRANSYT-like).

Every movement has a profile of arrivals over its cycle. A queue polygon turns it into departures, these feed the next
link, and Robertson's recursion spreads the platoon on its way. Networks with loops are swept until nothing moves. The
demand is taken period by period; what a period could not serve is left to the next.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from network_data.demand import Demand
from network_data.network import RoadNetwork
from network_data.plans import TimingPlan
from network_data.trips import Trips
from sim import _profile_kernels as c
from sim._rows import WIDTH, row_zeros
from sim.filter_flows import inputs_of, movement_flows_vps
from sim.filter_inputs import FLOAT
from sim.filter_levels import Levels, level_tables
from sim.filter_order import INT
from sim.parameters import STREET, SimParameters
from sim.platoons import Dispersion
from sim.profile_layout import profile_layout
from sim.trips import MINUTE_SHARE

MAX_SWEEPS = 6
SETTLED = 1e-3
"""Sweeps of a period end when no plan's total queue changes by more than this share. [-]"""
TABLE_SWEEPS = 25
"""Where profiles are kept (link cost tables, starts of other sweeps), they may take so many."""
PERIOD_S = 900.0


def random_delay_s(flow_vps: FLOAT, capacity_vps: FLOAT, period_s: float, clumping: float = 1.0) -> FLOAT:
    """Mean delay because arrivals are random, over a period; any shape. [s/veh]

    Parameters
    ----------
    clumping : float
        Variance over mean of arrivals per cycle. [-]

    Notes
    -----
    The incremental delay of HCM 2000, d2 = 900 T [(X − 1) + √((X − 1)² + 8 k I X / (c T))] with k = 0.5 and I the
    clumping, less what it holds of oversaturation itself, 1800 T (X − 1) above X = 1: that queue is followed from
    period to period here.
    """
    hours, vph = period_s / 3600, 3600 * np.maximum(capacity_vps, 1e-6)
    excess = 3600 * flow_vps / vph - 1
    spread = np.sqrt(excess**2 + 4 * clumping * (excess + 1) / (vph * hours))
    return np.asarray(900 * hours * (spread - np.abs(excess)))


def overflow_s(left_veh: FLOAT, flow_vps: FLOAT, capacity_vps: FLOAT, period_s: float) -> tuple[FLOAT, FLOAT]:
    """Vehicles that a period leaves over, and what they and those left from before wait in it; any shape.

    Parameters
    ----------
    left_veh : ndarray
        Left over from before. [veh]

    Returns
    -------
    left_veh, delay_s : ndarray
        At the end of the period [veh]; in the period [veh·s]
    """
    after = left_veh + (flow_vps - capacity_vps) * period_s
    clears_s = np.divide(left_veh, capacity_vps - flow_vps, out=np.zeros_like(after), where=capacity_vps > flow_vps)
    grown, cleared = (left_veh + after) / 2 * period_s, left_veh * np.minimum(clears_s, period_s) / 2
    return np.maximum(after, 0.0), np.where(after > 0, grown, cleared)


@dataclass(frozen=True, eq=False)
class ProfileResult:
    """Delay of each plan over all periods; P plans, K links, M movements."""

    links: tuple[str, ...]
    delay_s: FLOAT  # (P,) all vehicles [veh·s]
    link_delay_s: FLOAT  # (P, K) at the end of each link [veh·s]
    saturation: FLOAT  # (P, M) highest v/c of any period, movements as in the FilterNetwork [-]
    veh: float
    sweeps: int

    @property
    def delay_s_per_veh(self) -> FLOAT:
        """Mean delay; shape (P,). [s/veh]"""
        return self.delay_s / max(1.0, self.veh)


@dataclass(frozen=True, eq=False)
class Settled:
    """Profiles of one plan that nothing moves any more, by period: where the sweeps of plans near it may start."""

    inflow: tuple[NDArray[np.float32], ...]  # (K × slots,)
    passed: tuple[NDArray[np.float32], ...]
    cycle_s: INT  # (clocks,)

    def fits(self, levels: Levels) -> bool:
        """Whether these plans have the same cycles."""
        return bool((levels.cycle_s == self.cycle_s[:, None]).all())


class Profile:
    """A network with its flows, ready for any number of plans.

    Parameters
    ----------
    network : RoadNetwork
    demand : Demand or Trips
        Turning flows, or given vehicles.
    begin_s, end_s : float, optional
        Local seconds after midnight; needed with Trips, default the demand's own. [s]
    period_s : float
        Flows are means over periods of this length, or of the demand's intervals if they are longer. [s]
    dispersion : Dispersion
        How platoons spread; default by drivers' speeds, as in the queue simulation.
    """

    def __init__(
        self,
        network: RoadNetwork,
        demand: Demand | Trips,
        *,
        begin_s: float | None = None,
        end_s: float | None = None,
        period_s: float = PERIOD_S,
        parameters: SimParameters = STREET,
        dispersion: Dispersion | None = None,
    ) -> None:
        self.net, self.flows = inputs_of(network, demand, begin_s=begin_s, end_s=end_s, parameters=parameters)
        flow_vps = movement_flows_vps(self.net, self.flows)
        self.levels = level_tables(self.net, flow_vps)
        spread = Dispersion(speed_spread=parameters.speed_spread) if dispersion is None else dispersion
        self.layout = profile_layout(self.net, self.levels, self.flows.periods(period_s), flow_vps, spread)
        self.clumping = 1 + (self.flows.dispersion - 1) * MINUTE_SHARE

    def delays(self, plans: Sequence[TimingPlan], *, near: Settled | None = None) -> FLOAT:
        """Delay per vehicle of each plan; shape (plans,). [s/veh]"""
        return self.run(plans, near=near).delay_s_per_veh

    def run(
        self, plans: Sequence[TimingPlan], *, near: Settled | None = None, max_sweeps: int = MAX_SWEEPS
    ) -> ProfileResult:
        """Delay of each plan, by link.

        Parameters
        ----------
        near : Settled, optional
            Profiles of a plan like these: fewer sweeps are needed.
        max_sweeps : int
            Sweeps of a period end earlier when queues have settled.
        """
        n_link, n_movement = len(self.net.links), len(self.net.movements)
        link, load, sweeps = np.zeros((len(plans), n_link)), np.zeros((len(plans), n_movement)), 0
        for first in range(0, len(plans), WIDTH):
            some = plans[first : first + WIDTH]
            rows = slice(first, first + len(some))
            for settled in self.periods(self.levels.batch(some), near=near, max_sweeps=max_sweeps):
                link[rows] += settled.link_delay_s[:, : len(some)].T
                load[rows] = np.maximum(load[rows], settled.saturation[:, : len(some)].T)
                sweeps = max(sweeps, settled.sweeps)
        return ProfileResult(
            links=self.net.links,
            delay_s=link.sum(axis=1),
            link_delay_s=link,
            saturation=load,
            veh=self.flows.veh,
            sweeps=sweeps,
        )

    def settled(self, plan: TimingPlan) -> Settled:
        """Profiles of one plan, to start the sweeps of plans near it from."""
        levels = self.levels.batch([plan])
        states = [period.state for period in self.periods(levels, max_sweeps=TABLE_SWEEPS)]
        return Settled(
            inflow=tuple(state.inflow[:, 0].copy() for state in states),
            passed=tuple(state.passed[:, 0].copy() for state in states),
            cycle_s=levels.cycle_s[:, 0].copy(),
        )

    def periods(
        self, levels: Levels, *, near: Settled | None = None, max_sweeps: int = MAX_SWEEPS
    ) -> list[SettledPeriod]:
        """All periods of a batch, one after the other."""
        layout, n = self.layout, levels.n_slot
        state = c.State(
            inflow=row_zeros(len(layout.start_vps) * n),
            passed=row_zeros(layout.n_watched * n + 1),
            result=row_zeros(len(layout.order.movement) * int(c.RESULT)),
            held=row_zeros(len(layout.order.movement)),
        )
        state.inflow[:] = np.repeat(layout.start_vps, n)[:, None]
        left = np.zeros((int(layout.group.max(initial=-1)) + 1, WIDTH))
        out = []
        for i, (arrays, seconds) in enumerate(zip(layout.periods, layout.seconds, strict=True)):
            if near is not None and near.fits(levels):
                state.inflow[:], state.passed[:] = near.inflow[i][:, None], near.passed[i][:, None]
            sweeps = _settle(arrays, state, levels, max_sweeps)
            kept = c.State(state.inflow.copy(), state.passed.copy(), state.result.copy(), state.held.copy())
            period, left = self._measured(kept, left, float(seconds), sweeps)
            out.append(period)
            state.held[:] = period.held_vps
        return out

    def _measured(self, state: c.State, left_veh: FLOAT, seconds: float, sweeps: int) -> tuple[SettledPeriod, FLOAT]:
        """Delays and loads of a period that has settled, and what each lane group leaves over. [veh]"""
        layout, net = self.layout, self.net
        order, group = layout.order, layout.group
        queue, capacity, asked = (
            state.result[int(row) :: int(c.RESULT)].astype(np.float64) for row in (c.QUEUE, c.CAPACITY, c.ARRIVALS)
        )
        came = asked - state.held
        flow, most = np.zeros_like(left_veh), np.zeros_like(left_veh)
        np.add.at(flow, group, came)
        np.add.at(most, group, capacity)
        random_s = random_delay_s(flow + left_veh / seconds, most, seconds, self.clumping)
        after_veh, waited_s = overflow_s(left_veh, flow, most, seconds)
        # a group's waits are spread over its movements by what comes
        share = came / np.maximum(flow, 1e-12)[group]
        delay = queue * seconds + random_s[group] * came * seconds + waited_s[group] * share
        link, load = np.zeros((len(order.link), WIDTH)), np.zeros((len(order.movement), WIDTH))
        np.add.at(link, net.mv_link[order.movement], delay)
        load[order.movement] = asked / np.maximum(capacity, 1e-9)
        return SettledPeriod(state, link, load, after_veh[group] * share / seconds, sweeps), after_veh


@dataclass(frozen=True, eq=False)
class SettledPeriod:
    """A period of a batch when nothing moves any more; columns are plans."""

    state: c.State
    link_delay_s: FLOAT  # (K, P) [veh·s]
    saturation: FLOAT  # (M, P) [-]
    held_vps: FLOAT  # (M, P) left over for the next period, in walking order [veh/s of a period as long]
    sweeps: int


def _settle(arrays: c.Layout, state: c.State, levels: Levels, max_sweeps: int) -> int:
    """Sweep until nothing moves; returns the number of sweeps."""
    n = levels.n_slot
    work = (row_zeros(n), row_zeros(n), row_zeros(n), row_zeros(1), row_zeros(1))
    before = np.zeros(WIDTH)
    done = 0
    for done in range(1, max_sweeps + 1):
        c.sweep(arrays, state, levels, np.uint64(n), levels.alike, work)
        total = state.result[int(c.QUEUE) :: int(c.RESULT)].sum(axis=0, dtype=np.float64)
        if done > 1 and (np.abs(total - before) <= SETTLED * np.maximum(total, 1e-9)).all():
            break
        before = total
    return done
