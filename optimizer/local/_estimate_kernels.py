# mypy: allow-untyped-defs, allow-untyped-calls, allow-untyped-decorators
"""Kernels of the estimate: who is on the way to each stop line, and who waits there. They check nothing.

Vehicles are *tokens* of an approach: when each would reach the stop line, how sure it is (weight), how far away it was
when last seen (seconds), and in which lane it will be (probabilities). A = approaches, G = lanes, T = tokens of an
approach at most, M = lanes of an approach at most.
"""

from __future__ import annotations

from numba import njit

EARLY_S = 6.0
"""Somebody may reach the stop line so much before the time announced. [s]"""

STREAM_S = 3.0
"""A queue that discharges has no longer gaps. [s]"""
GAP_S, LONG_GAP_S = 3.0, 8.0
"""Nobody for so long under green: the queue has gone; longer where it reached back to the loop upstream. [s]"""
FULL_MEMORY_S = 60.0
"""So long after it was full a lane may still hold a queue that is broken up. [s]"""
MORE_VEH = 1.5
"""Where nobody sees who comes: as long as a queue has not broken off, so many are expected behind. [veh]"""


@njit(cache=True, nogil=True)
def add_token(a, eta_s, weight, source_s, lane, stick, share, lane_of, eta, w, src, prob, n_token):
    """A new token; `lane` (within the approach, -1 unknown) is kept with probability `stick`."""
    n = n_token[a]
    if n >= eta.shape[1]:
        return
    n_lane = 0
    total = 0.0
    for m in range(lane_of.shape[1]):
        if lane_of[a, m] >= 0:
            n_lane += 1
            total += share[lane_of[a, m]]
    eta[a, n], w[a, n], src[a, n] = eta_s, weight, source_s
    for m in range(lane_of.shape[1]):
        prob[a, n, m] = 0.0
        if lane_of[a, m] >= 0:
            base = share[lane_of[a, m]] / total if total > 0 else 1.0 / n_lane
            if 0 <= lane < n_lane:
                prob[a, n, m] = (1.0 - stick) * base + (stick if m == lane else 0.0)
            else:
                prob[a, n, m] = base
    n_token[a] = n + 1


@njit(cache=True, nogil=True)
def drop_token(a, n, eta, w, src, prob, n_token):
    """Take a token out; those behind it move up, so that they stay in the order of their coming."""
    last = n_token[a] - 1
    for x in range(n, last):
        eta[a, x], w[a, x], src[a, x] = eta[a, x + 1], w[a, x + 1], src[a, x + 1]
        for m in range(prob.shape[2]):
            prob[a, x, m] = prob[a, x + 1, m]
    n_token[a] = last


@njit(cache=True, nogil=True)
def supersede(a, source_s, due_s, eta, w, src, prob, n_token):
    """Who was announced from further away is seen now: weights of about one vehicle go, the nearest in time first."""
    left = 1.0
    while left > 0.01:
        best, best_gap = -1, 1e9
        for n in range(n_token[a]):
            early = due_s - eta[a, n]  # positive: it comes later than announced
            if src[a, n] > source_s + 1.0 and -6.0 <= early <= 40.0:
                gap = abs(early) if early < 8.0 else early + 4.0
                if gap < best_gap:
                    best, best_gap = n, gap
        if best < 0:
            return
        if w[a, best] <= left + 1e-6:
            left -= w[a, best]
            drop_token(a, best, eta, w, src, prob, n_token)
        else:
            w[a, best] -= left
            left = 0.0


@njit(cache=True, nogil=True)
def pass_stop_line(a, m, now_s, early_s, eta, w, src, prob, n_token):
    """A vehicle has passed in lane m: the first whole token that may be it goes, or parts of uncertain ones.

    Returns the weight that was found, at most 1.
    """
    found = 0.0
    for least in (0.4, 0.1, 0.001):
        n = 0
        while n < n_token[a] and found < 0.99:
            if eta[a, n] <= now_s + early_s and prob[a, n, m] >= least and w[a, n] * prob[a, n, m] > 1e-4:
                if w[a, n] > 0.6:
                    found = 1.0
                    drop_token(a, n, eta, w, src, prob, n_token)
                    break
                if w[a, n] <= 1.0 - found:
                    found += w[a, n]
                    drop_token(a, n, eta, w, src, prob, n_token)
                    continue
                w[a, n] -= 1.0 - found
                found = 1.0
            n += 1
        if found >= 0.99:
            break
    return min(1.0, found)


@njit(cache=True, nogil=True)
def nobody_waits(a, m, now_s, lane_of, may_wait, eta, w, src, prob, n_token):
    """Nobody stands in lane m: who should, is in another lane where somebody may stand, or still on its way."""
    n = 0
    while n < n_token[a]:
        if eta[a, n] < now_s - 1.0 and prob[a, n, m] > 0:
            rest = 0.0
            for x in range(prob.shape[2]):
                if x != m and lane_of[a, x] >= 0 and may_wait[lane_of[a, x]]:
                    rest += prob[a, n, x]
            if rest > 0.05:
                for x in range(prob.shape[2]):
                    keeps = x != m and lane_of[a, x] >= 0 and may_wait[lane_of[a, x]]
                    prob[a, n, x] = prob[a, n, x] / rest if keeps else 0.0
            elif eta[a, n] < now_s - 12.0:
                drop_token(a, n, eta, w, src, prob, n_token)
                continue
        n += 1


@njit(cache=True, nogil=True)
def expire(a, now_s, seen_s, overdue_s, eta, w, src, prob, n_token):
    """Tokens announced from afar that nearer loops never saw go, and what is far overdue fades."""
    n = 0
    while n < n_token[a]:
        never_seen = src[a, n] > seen_s[a] + 1.0 and now_s > eta[a, n] - seen_s[a] + overdue_s and seen_s[a] > 0
        if never_seen or w[a, n] < 0.01:
            drop_token(a, n, eta, w, src, prob, n_token)
            continue
        n += 1


@njit(cache=True, nogil=True)
def second(
    now_s, count, covered, told, is_open, smooth,
    stopbar, approach_of, place_of, lane_of, seen_s, stick,
    announcer, announcer_lane, announcer_from, feed_a, feed_p, feed_s, lane_from, lane_feed_a, lane_feed_p, lane_feed_s,
    eta, w, src, prob, n_token, background, since_front_s, open_s, closed_s, rate, inflow, may_wait, standing,
    told_rate, belief, flowing, headway_vps, credit,
    announcer_rate, announcer_due, full_veh, since_full_s, unseen,
):  # fmt: skip
    """One second: loops (count, covered, told: it answers and is trusted) and lanes that are open, into the state.

    `full_veh` (G,) are those who stand in a lane at least, because a loop at its upstream end is covered; else 0.

    Who passes a stop line is announced to the approaches beyond, with the weight that this has proved worth (`belief`).
    """
    n_lanes = stopbar.shape[0]
    for a in range(lane_of.shape[0]):
        told_rate[a] -= smooth * told_rate[a]
    for g in range(n_lanes):
        if is_open[g]:
            open_s[g] += 1.0
            closed_s[g] = 0.0
        else:
            closed_s[g] += 1.0
            open_s[g] = 0.0
        d = stopbar[g]
        fronts = count[d] if d >= 0 and told[d] else 0.0
        since_front_s[g] = 0.0 if fronts > 0 else since_front_s[g] + 1.0
        if d >= 0 and told[d]:
            rate[g] += smooth * (fronts - rate[g])
        standing[g] = 1.0 if d >= 0 and told[d] and covered[d] > 0.9 else 0.0
        background[g] += inflow[g]
    for x in range(announcer.shape[0]):
        d = announcer[x]
        if told[d]:
            announcer_rate[x] += smooth * (count[d] - announcer_rate[x])
        else:
            # a lost loop: its history comes instead, in parts of vehicles
            announcer_due[x] += announcer_rate[x]
            if announcer_due[x] >= 0.5:
                for f in range(announcer_from[x], announcer_from[x + 1]):
                    add_token(
                        feed_a[f], now_s + feed_s[f], announcer_due[x] * feed_p[f], feed_s[f], announcer_lane[x], stick,
                        rate, lane_of, eta, w, src, prob, n_token,
                    )  # fmt: skip
                announcer_due[x] = 0.0
            continue
        for _ in range(int(count[d] + 0.5)):
            for f in range(announcer_from[x], announcer_from[x + 1]):
                a = feed_a[f]
                supersede(a, feed_s[f], now_s + feed_s[f], eta, w, src, prob, n_token)
                add_token(
                    a, now_s + feed_s[f], feed_p[f], feed_s[f], announcer_lane[x], stick, rate,
                    lane_of, eta, w, src, prob, n_token,
                )  # fmt: skip
    for g in range(n_lanes):
        d = stopbar[g]
        a, m = approach_of[g], place_of[g]
        if d >= 0 and told[d]:
            passed, early_s = int(count[d] + 0.5), EARLY_S
        else:
            # nobody counts here: a green discharges as a queue does
            credit[g] = credit[g] + headway_vps[g] if is_open[g] else 0.0
            passed, early_s = int(credit[g]), 0.0
            credit[g] -= passed
        for _ in range(passed):
            found = pass_stop_line(a, m, now_s, early_s, eta, w, src, prob, n_token)
            if not (d >= 0 and told[d]) and found + background[g] < 0.5:
                background[g] = 0.0
                break
            background[g] = max(0.0, background[g] - (1.0 - found))
            for f in range(lane_from[g], lane_from[g + 1]):
                to = lane_feed_a[f]
                told_rate[to] += smooth * lane_feed_p[f]
                add_token(
                    to, now_s + lane_feed_s[f], belief[to] * lane_feed_p[f], lane_feed_s[f], -1, 0.0, rate,
                    lane_of, eta, w, src, prob, n_token,
                )  # fmt: skip
    for g in range(n_lanes):
        d = stopbar[g]
        may_wait[g] = True
        since_full_s[g] = 0.0 if full_veh[g] > 0.0 else since_full_s[g] + 1.0
        # a queue that reached back so far breaks up where lanes are changed, and is not gone with the first gap
        gap_s = LONG_GAP_S if since_full_s[g] < FULL_MEMORY_S else GAP_S
        if d >= 0 and told[d] and covered[d] < 0.02 and full_veh[g] <= 0.0:
            may_wait[g] = not (closed_s[g] > 1.0 or (open_s[g] > 4.0 and since_front_s[g] > gap_s))
    for g in range(n_lanes):
        if not may_wait[g]:
            background[g] = 0.0
            nobody_waits(approach_of[g], place_of[g], now_s, lane_of, may_wait, eta, w, src, prob, n_token)
    for g in range(n_lanes):
        if full_veh[g] > 0.0:
            there = background[g]
            a, m = approach_of[g], place_of[g]
            for n in range(n_token[a]):
                if eta[a, n] <= now_s + seen_s[a]:
                    there += w[a, n] * prob[a, n, m]
            background[g] += max(0.0, full_veh[g] - there)
    for g in range(n_lanes):
        d = stopbar[g]
        if d < 0 or not told[d]:
            flowing[g] = False
        elif not is_open[g]:
            flowing[g] = standing[g] > 0
        elif since_front_s[g] > STREAM_S and covered[d] < 0.02:
            flowing[g] = False
        if flowing[g] and is_open[g]:
            background[g] = max(background[g], MORE_VEH * unseen[g])
    for a in range(lane_of.shape[0]):
        expire(a, now_s, seen_s, 8.0, eta, w, src, prob, n_token)


@njit(cache=True, nogil=True)
def outlook(
    now_s, horizon, lane_of, n_token, eta, w, prob, background, standing, is_open, known_s, rest, queue, arrival,
):  # fmt: skip
    """Per lane who waits now, and who comes in each second ahead. Fills queue (G,) and arrival (horizon, G)."""
    arrival[:, :] = 0.0
    for g in range(queue.shape[0]):
        queue[g] = background[g] + (standing[g] if not is_open[g] else 0.0)
    for a in range(lane_of.shape[0]):
        for n in range(n_token[a]):
            ahead = int(eta[a, n] - now_s)
            for m in range(lane_of.shape[1]):
                g = lane_of[a, m]
                if g < 0 or prob[a, n, m] <= 0.0:
                    continue
                if eta[a, n] <= now_s:
                    queue[g] += w[a, n] * prob[a, n, m]
                elif ahead < horizon:
                    arrival[ahead, g] += w[a, n] * prob[a, n, m]
        for m in range(lane_of.shape[1]):
            g = lane_of[a, m]
            if g < 0:
                continue
            for t in range(int(known_s[a]), horizon):
                arrival[t, g] += rest[g]


@njit(cache=True, nogil=True)
def announce_releases(release, lane_from, feed_a, feed_p, feed_s, belief, lane_of, rate, arrival):
    """Add to arrival (T, G) those whom signals upstream will release (T, G) in the seconds to come."""
    horizon = arrival.shape[0]
    for g in range(release.shape[1]):
        for f in range(lane_from[g], lane_from[g + 1]):
            a, later = feed_a[f], int(feed_s[f])
            weight = feed_p[f] * belief[a]
            if later >= horizon or weight < 1e-3:
                continue
            total = 0.0
            for m in range(lane_of.shape[1]):
                if lane_of[a, m] >= 0:
                    total += rate[lane_of[a, m]]
            for m in range(lane_of.shape[1]):
                to = lane_of[a, m]
                if to < 0 or total <= 0.0:
                    continue
                part = weight * rate[to] / total
                for t in range(horizon - later):
                    arrival[t + later, to] += part * release[t, g]
