# mypy: allow-untyped-defs, allow-untyped-calls, allow-untyped-decorators
"""Kernels of the look-ahead: the best stages and their durations over a horizon, second by second. They check nothing.

S stages, L lanes, H seconds, D links further on, K states kept per second and stage. A state holds the queues
and the room on those links; of those that reach the same stage at the same second the K cheapest go on.
"""

from __future__ import annotations

import numpy as np
from numba import njit

SOON_S = 4
"""Beyond its least stay, a stage counts as of use for who comes so soon. [s]"""
FEW_VEH = 0.2
"""Fewer vehicles than this are nobody. [veh]"""


@njit(cache=True, nogil=True)
def serve(
    t, opened, base, perm, foe, lag, queue, room, arrival, opening, way, weight, headway_vps, stop_cost, gap_s, out
):  # fmt: skip
    """One second of all lanes: arrivals, discharge, cost. Changes queue, lag and room; out (L,) are those who left.

    `opened` (L,) tells how much of the second a lane may be used, `base` and `perm` (L,) which share of its vehicles
    goes without yielding, and by gaps in the lanes `foe` (L, L). `way` (L, D) are the shares that go on to links with
    `room` (D,) for so many, `opening` (T, D) what room comes in each second. `weight` (L,) is what a second costs.
    """
    n_lane = queue.shape[0]
    horizon = arrival.shape[0]
    cost = 0.0
    if t < horizon:
        for d in range(room.shape[0]):
            room[d] += opening[t, d]
    for x in range(n_lane):
        coming = arrival[t, x] if t < horizon else 0.0
        out[x] = 0.0
        if opened[x] <= 0.0:
            queue[x] += coming
            cost += weight[x] * queue[x] + coming * stop_cost
            continue
        share = base[x]
        if perm[x] > 0.0:
            clear = 1.0
            for f in range(n_lane):
                if foe[x, f] and opened[f] > 0.0:
                    if queue[f] > 0.3:
                        clear = 0.0
                        break
                    soon = 0.0
                    for ahead in range(gap_s):
                        if t + ahead < horizon:
                            soon += arrival[t + ahead, f]
                    clear *= np.exp(-soon)
            share += perm[x] * clear
        held = 0.0
        for d in range(room.shape[0]):
            if way[x, d] > 0.0 and room[d] < 1.0:
                held += way[x, d]
        share *= max(0.0, 1.0 - held)
        if share < 0.99:
            share *= share  # who may not go holds up those behind
        can = headway_vps[x] * opened[x] * share
        if lag[x] > 0.0:
            used = min(1.0, lag[x])
            can *= 1.0 - used
            lag[x] -= used
        before = queue[x]
        queue[x] += coming
        # who meets no queue passes without stopping, however close behind the one ahead
        most = can if before > 0.3 else max(can, min(coming, 1.0) * share * opened[x])
        out[x] = min(queue[x], most)
        queue[x] -= out[x]
        for d in range(room.shape[0]):
            room[d] -= out[x] * way[x, d]
        cost += weight[x] * queue[x]
        if before > 0.3:
            cost += coming * stop_cost
    return cost


@njit(cache=True, nogil=True)
def to_go(queue, opened, headway_vps, weight, wait_s):
    """What those who still queue will cost beyond the horizon."""
    total = 0.0
    for x in range(queue.shape[0]):
        own = queue[x] / (2.0 * headway_vps[x])
        total += weight[x] * queue[x] * (own if opened[x] > 0 else own + wait_s)
    return total


@njit(cache=True, nogil=True)
def change(
    t, s, s2, length, change_open, stage_open, base, perm, foe, stay_s, start_lag_s,
    queue, lag, room, arrival, opening, way, weight, headway_vps, stop_cost, gap_s, out, trace, keep_trace,
):  # fmt: skip
    """Go from stage s to s2 and stay there for `stay_s`: cost and the second reached. Changes queue, lag and room."""
    horizon = arrival.shape[0]
    cost = 0.0
    end = t + length + stay_s
    for x in range(queue.shape[0]):
        lag[x] = 0.0
    started = False
    for now in range(t, min(end, horizon)):
        k = now - t
        if k < length:
            row = change_open[s, s2, k]
            for x in range(queue.shape[0]):
                if row[x] > 0 and stage_open[s, x] <= 0.0 and lag[x] == 0.0:
                    lag[x] = start_lag_s + 1e-9
            # in a change those who stay green go on as under the stage before
            cost += serve(
                now, row, base[s], perm[s], foe[s], lag, queue, room, arrival, opening, way, weight, headway_vps,
                stop_cost, gap_s, out,
            )  # fmt: skip
        else:
            if not started:
                started = True
                for x in range(queue.shape[0]):
                    was_open = change_open[s, s2, length - 1, x] > 0 if length > 0 else stage_open[s, x] > 0.0
                    if stage_open[s2, x] > 0 and not was_open:
                        lag[x] = start_lag_s
            cost += serve(
                now, stage_open[s2], base[s2], perm[s2], foe[s2], lag, queue, room, arrival, opening, way, weight,
                headway_vps, stop_cost, gap_s, out,
            )  # fmt: skip
        if keep_trace:
            for x in range(queue.shape[0]):
                trace[now, x] = out[x]
    return cost, min(end, horizon)


@njit(cache=True, nogil=True)
def _offer(
    costs, queues, origins, lags, rooms, parents, t, s, cost, bound, queue, lag, room, origin, parent_t, parent_s,
    parent_k, bounds,
):  # fmt: skip
    """Keep a state if it is among the best of its second and stage."""
    worst, worst_bound = 0, -1.0
    for k in range(costs.shape[2]):
        if bounds[t, s, k] > worst_bound:
            worst, worst_bound = k, bounds[t, s, k]
    if bound >= worst_bound:
        return
    costs[t, s, worst], bounds[t, s, worst], origins[t, s, worst] = cost, bound, origin
    for x in range(queue.shape[0]):
        queues[t, s, worst, x] = queue[x]
        lags[t, s, worst, x] = lag[x]
    for d in range(room.shape[0]):
        rooms[t, s, worst, d] = room[d]
    parents[t, s, worst, 0], parents[t, s, worst, 1], parents[t, s, worst, 2] = parent_t, parent_s, parent_k


@njit(cache=True, nogil=True)
def pointless(t, s, s2, queue, base, perm, arrival, hold_s):
    """Whether a stage would serve nobody better than the standing one does."""
    last = min(arrival.shape[0], t + hold_s[s, s2] + SOON_S)
    for x in range(queue.shape[0]):
        more = base[s2, x] > base[s, x] + 0.02 or base[s2, x] + perm[s2, x] > base[s, x] + perm[s, x] + 0.02
        if more:
            there = queue[x]
            for now in range(t, last):
                there += arrival[now, x]
            if there > FEW_VEH:
                return False
    return True


@njit(cache=True, nogil=True)
def search(
    stage, from_s, queue, arrival, room, opening, way, weight,
    headway_vps, change_open, change_s, stage_open, base, perm, foe, hold_s,
    start_lag_s, stop_cost, gap_s, wait_s, dense_s, stride_s, keep, slack,
    costs, bounds, queues, lags, rooms, origins, parents, plan, trace, best_of,
):  # fmt: skip
    """The cheapest way from `stage`. Returns changes on the way and its cost.

    `from_s` (S,) limits the first change: seconds until each stage may come, the horizon and more for never, at `stage`
    0 if it may stay. `plan` (H, 2) gets (second at which the stage before is left, stage), and
    `trace` (H, L) the vehicles that leave each lane. `best_of` (S,) gets the least cost of ways that go to each stage
    at once, at `stage` of those that stay a while. States dearer than the cheapest of their second by more than the
    share `slack` go no further.
    """
    horizon, n_lane = arrival.shape
    n_stage = hold_s.shape[0]
    stays = from_s[stage] < horizon
    bounds[: horizon + 1] = 1e30
    now_queue, now_lag, out = np.empty(n_lane), np.zeros(n_lane), np.empty(n_lane)
    now_queue[:] = queue
    now_room = room.copy()
    _offer(
        costs, queues, origins, lags, rooms, parents, 0, stage, 0.0, 0.0, now_queue, now_lag, now_room, -1, -1, -1, -1,
        bounds,
    )  # fmt: skip
    for t in range(horizon):
        cheapest = 1e30
        for s in range(n_stage):
            for k in range(keep):
                cheapest = min(cheapest, bounds[t, s, k])
        limit = min(1e29, cheapest + slack * (10.0 + cheapest))
        for s in range(n_stage):
            for k in range(keep):
                if bounds[t, s, k] >= limit:
                    continue
                root = parents[t, s, k, 0] < 0
                stands = origins[t, s, k] < 0
                if not root or stays:
                    now_queue[:] = queues[t, s, k]
                    now_lag[:] = lags[t, s, k]
                    now_room[:] = rooms[t, s, k]
                    cost = costs[t, s, k] + serve(
                        t, stage_open[s], base[s], perm[s], foe[s], now_lag, now_queue, now_room, arrival, opening,
                        way, weight, headway_vps, stop_cost, gap_s, out,
                    )  # fmt: skip
                    bound = cost + to_go(now_queue, stage_open[s], headway_vps, weight, wait_s)
                    origin = stage if root else origins[t, s, k]
                    _offer(
                        costs, queues, origins, lags, rooms, parents, t + 1, s, cost, bound, now_queue, now_lag,
                        now_room, origin, t, s, k, bounds,
                    )  # fmt: skip
                if t >= dense_s and t % stride_s != 0:
                    continue
                for s2 in range(n_stage):
                    if s2 == s or ((root or origins[t, s, k] == stage) and s == stage and t < from_s[s2]):
                        continue
                    if stays and pointless(t, s, s2, queues[t, s, k], base, perm, arrival, hold_s):
                        continue
                    now_queue[:] = queues[t, s, k]
                    now_room[:] = rooms[t, s, k]
                    more, end = change(
                        t, s, s2, change_s[s, s2], change_open, stage_open, base, perm, foe, hold_s[s, s2], start_lag_s,
                        now_queue, now_lag, now_room, arrival, opening, way, weight, headway_vps, stop_cost, gap_s,
                        out, trace, False,
                    )  # fmt: skip
                    cost = costs[t, s, k] + more
                    bound = cost + to_go(now_queue, stage_open[s2], headway_vps, weight, wait_s)
                    origin = s2 if stands else origins[t, s, k]
                    _offer(
                        costs, queues, origins, lags, rooms, parents, end, s2, cost, bound, now_queue, now_lag,
                        now_room, origin, t, s, k, bounds,
                    )  # fmt: skip
    best_of[:] = 1e30
    best_s, best_k, best = -1, -1, 1e30
    for s in range(n_stage):
        for k in range(keep):
            if bounds[horizon, s, k] >= 1e29:
                continue
            origin = origins[horizon, s, k] if origins[horizon, s, k] >= 0 else stage
            best_of[origin] = min(best_of[origin], bounds[horizon, s, k])
            if bounds[horizon, s, k] < best:
                best_s, best_k, best = s, k, bounds[horizon, s, k]
    if best_s < 0:
        return 0, best
    n = _read_back(horizon, best_s, best_k, parents, plan)
    now_room[:] = room
    _replay(
        stage, plan, n, queue, now_room, arrival, opening, way, weight,
        headway_vps, change_open, change_s, stage_open, base, perm, foe, hold_s,
        start_lag_s, stop_cost, gap_s, now_queue, now_lag, out, trace,
    )  # fmt: skip
    return n, best


@njit(cache=True, nogil=True)
def _read_back(t, s, k, parents, plan):
    """The changes of a way, first to last. Returns how many."""
    n = 0
    while parents[t, s, k, 0] >= 0:
        t2, s2, k2 = parents[t, s, k, 0], parents[t, s, k, 1], parents[t, s, k, 2]
        if s2 != s:
            plan[n, 0], plan[n, 1] = t2, s
            n += 1
        t, s, k = t2, s2, k2
    for x in range(n // 2):
        a, b = plan[x, 0], plan[x, 1]
        plan[x, 0], plan[x, 1] = plan[n - 1 - x, 0], plan[n - 1 - x, 1]
        plan[n - 1 - x, 0], plan[n - 1 - x, 1] = a, b
    return n


@njit(cache=True, nogil=True)
def _replay(
    stage, plan, n, queue, room, arrival, opening, way, weight,
    headway_vps, change_open, change_s, stage_open, base, perm, foe, hold_s,
    start_lag_s, stop_cost, gap_s, now_queue, now_lag, out, trace,
):  # fmt: skip
    """Who leaves when under a plan."""
    horizon = arrival.shape[0]
    now_queue[:] = queue
    now_lag[:] = 0.0
    t, s, x = 0, stage, 0
    while t < horizon:
        if x < n and t >= plan[x, 0]:
            s2 = plan[x, 1]
            _, t = change(
                t, s, s2, change_s[s, s2], change_open, stage_open, base, perm, foe, hold_s[s, s2], start_lag_s,
                now_queue, now_lag, room, arrival, opening, way, weight, headway_vps, stop_cost, gap_s, out, trace,
                True,
            )  # fmt: skip
            s = s2
            x += 1
            continue
        serve(
            t, stage_open[s], base[s], perm[s], foe[s], now_lag, now_queue, room, arrival, opening, way, weight,
            headway_vps, stop_cost, gap_s, out,
        )  # fmt: skip
        for lane in range(now_queue.shape[0]):
            trace[t, lane] = out[lane]
        t += 1
