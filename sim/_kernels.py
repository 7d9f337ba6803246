"""The queue simulation's kernel: single vehicles in lane queues, driven by events in integer time.

A lane has at most one pending event: the time at which its head next tries to leave. Events stand in a calendar (one
list of lanes per tick), so each costs the same whatever the size of the network. Behind the real lanes stand *waiting
places* (one per connection that leads through one inside a junction): a turning vehicle leaves its lane, waits there
for a gap and goes on; they are lanes like the others, without a signal. Behind those stand the *gates*, where
vehicles wait to enter the network: a queue per link and set of lanes from which their way goes on.

The parts of `run` are inlined by the compiler's back end (`forceinline`): a call would hand over every array anew. To
have numba inline them gave the same speed and took three times as long to compile.
"""

from __future__ import annotations

from numba import njit

from sim import _tables as c
from sim._actuated import decide, start
from sim._prefetch import prefetch

# `_nrt` off: numba would count references to every array at every inlined call, with atomic instructions that took
# nine tenths of the time (350 against 80 ns per vehicle and link). The kernel allocates nothing: none are needed.
FAST = {"cache": True, "nogil": True, "_nrt": False}


@njit(forceinline=True, **FAST)
def _row(number):
    """The number of a row, which is never negative: told so, the compiler leaves out counting rows from the end."""
    return number & c.ROWS


@njit(forceinline=True, **FAST)
def _driver(s, veh):
    """Desired travel time over the limit's. [1/1024]"""
    return s.veh[veh, c.MY_TRAITS] & 2047


@njit(forceinline=True, **FAST)
def _slots(s, veh):
    """Places it takes in a queue."""
    return s.veh[veh, c.MY_TRAITS] >> 11 & 31


@njit(forceinline=True, **FAST)
def _length(s, veh):
    """Length and gap. [dm]"""
    return s.veh[veh, c.MY_TRAITS] >> 16 & 1023


@njit(forceinline=True, **FAST)
def _is_bus(s, veh):
    return s.veh[veh, c.MY_TRAITS] >> 26 & 1


@njit(forceinline=True, **FAST)
def _counts(s, veh):
    """Whether what it loses counts (it is not of the warm-up)."""
    return s.veh[veh, c.MY_TRAITS] >> 27 & 1


@njit(forceinline=True, **FAST)
def _stands(s, veh):
    """Whether it stands in its first link's queue from the begin."""
    return s.veh[veh, c.MY_TRAITS] >> 28 & 1


@njit(forceinline=True, **FAST)
def _place(s, lane, slot):
    """Where in the rings it is kept when a place of a lane was left."""
    ring = s.lane[lane, c.RING]
    return (_row(ring) >> c.RING_BITS) + (slot & ((1 << (ring & c.RING_MASK)) - 1))


@njit(forceinline=True, **FAST)
def _push(s, lane, t):
    """Give a lane its event; beyond the end it is only noted."""
    s.lane[lane, c.EVENT] = t
    if t < s.bucket.shape[0]:
        s.following[lane] = s.bucket[t]
        s.bucket[t] = lane


@njit(forceinline=True, **FAST)
def _next_window(s, signal, w, base):
    """The window of a signal that follows another one, and the begin of its cycle."""
    w += 1
    if w == s.signal[signal, c.LAST]:
        return _row(s.signal[signal, c.FIRST]), base + s.signal[signal, c.LAP]
    return w, base


@njit(forceinline=True, **FAST)
def _show_window(plan, s, signal, w, base):
    """Put a window of a signal, in the cycle that begins at `base`, and the one after it into the signal's row."""
    s.signal[signal, c.AT_WINDOW] = w
    s.signal[signal, c.AT_BASE] = base
    s.signal[signal, c.FROM] = base + plan.window[w, c.GREEN0]
    s.signal[signal, c.UNTIL] = base + plan.window[w, c.GREEN1]
    s.signal[signal, c.AFTER] = plan.window[w, c.YELLOW]
    s.signal[signal, c.SHOWS] = plan.window[w, c.MODE] | plan.window[w, c.FRESH] << 4
    w, base = _next_window(s, signal, w, base)
    s.signal[signal, c.NEXT_FROM] = base + plan.window[w, c.GREEN0]
    s.signal[signal, c.NEXT_UNTIL] = base + plan.window[w, c.GREEN1]
    s.signal[signal, c.NEXT_AFTER] = plan.window[w, c.YELLOW]
    s.signal[signal, c.NEXT_SHOWS] = plan.window[w, c.MODE] | plan.window[w, c.FRESH] << 4


@njit(forceinline=True, **FAST)
def _keep_up(plan, s, signal, now):
    """Bring a signal's row up to the window that is open or comes next."""
    while s.signal[signal, c.UNTIL] + s.signal[signal, c.AFTER] < now:
        w, base = _next_window(s, signal, _row(s.signal[signal, c.AT_WINDOW]), s.signal[signal, c.AT_BASE])
        _show_window(plan, s, signal, w, base)


@njit(**FAST)
def _live_time(net, const, s, lane, conn, first, t, arrival):
    """As `_signal_time`, where an actuated controller decides: it has told of two greens at most."""
    for w in range(first, first + 2):
        green, until = s.live[w, c.GREEN0], s.live[w, c.GREEN1]
        go = max(t, green)
        if s.live[w, c.FRESH] and arrival < green + net.conn[conn, c.START_UP]:
            go = max(go, green + net.conn[conn, c.START_UP])
        k = s.lane[lane, c.N_GREEN] if s.lane[lane, c.GREEN_FROM] == green else 0
        use = net.conn[conn, c.USE]
        if go > arrival + 5 and k < c.N_START:
            use = min(use, const[c.USE0 + k])
        end = until if until >= c.NEVER else until + min(s.live[w, c.YELLOW], use)
        if green < c.NEVER and go <= end:
            s.lane[lane, c.WINDOW_END] = end
            s.lane[lane, c.LETTER] = s.live[w, c.MODE]
            if s.lane[lane, c.GREEN_FROM] != green:
                s.lane[lane, c.GREEN_FROM] = green
                s.lane[lane, c.N_GREEN] = 0
            return go
    s.lane[lane, c.LETTER] = ~net.conn[conn, c.SIGNAL]
    return c.NEVER


@njit(forceinline=True, **FAST)
def _signal_time(net, plan, const, s, lane, conn, signal, now, t, arrival):
    """Earliest time from t on at which a vehicle may pass the signal; notes the window in the lane's row.

    A vehicle that stood when green came needs the start-up time. It may still pass in yellow where it is too fast to
    stop: the first of a queue are not.
    """
    first, last = s.signal[signal, c.FIRST], s.signal[signal, c.LAST]
    s.lane[lane, c.WINDOW_END] = c.NEVER
    if last == c.LIVE:
        return _live_time(net, const, s, lane, conn, first, t, arrival)
    if first == last:
        return c.NEVER
    _keep_up(plan, s, signal, now)
    w, base = _row(s.signal[signal, c.AT_WINDOW]), s.signal[signal, c.AT_BASE]
    green, until = s.signal[signal, c.FROM], s.signal[signal, c.UNTIL]
    yellow, shows = s.signal[signal, c.AFTER], s.signal[signal, c.SHOWS]
    tries, beyond = 4 * (last - first), False
    while tries > 0:
        if until + yellow >= t:
            tries -= 1
            go = max(t, green)
            if shows >= 16 and arrival < green + net.conn[conn, c.START_UP]:  # it was closed before
                go = max(go, green + net.conn[conn, c.START_UP])
            k = s.lane[lane, c.N_GREEN] if s.lane[lane, c.GREEN_FROM] == green else 0
            use = net.conn[conn, c.USE]
            if go > arrival + 5 and k < c.N_START:
                use = min(use, const[c.USE0 + k])
            end = until + min(yellow, use)
            if go <= end:
                s.lane[lane, c.WINDOW_END] = end
                s.lane[lane, c.LETTER] = shows & 15
                if s.lane[lane, c.GREEN_FROM] != green:
                    s.lane[lane, c.GREEN_FROM] = green
                    s.lane[lane, c.N_GREEN] = 0
                return go
        w, base = _next_window(s, signal, w, base)
        if beyond:
            green, until = base + plan.window[w, c.GREEN0], base + plan.window[w, c.GREEN1]
            yellow, shows = plan.window[w, c.YELLOW], plan.window[w, c.MODE] | plan.window[w, c.FRESH] << 4
        else:
            green, until = s.signal[signal, c.NEXT_FROM], s.signal[signal, c.NEXT_UNTIL]
            yellow, shows = s.signal[signal, c.NEXT_AFTER], s.signal[signal, c.NEXT_SHOWS]
            beyond = True
    return c.NEVER


@njit(forceinline=True, **FAST)
def _schedule(net, plan, const, s, lane, now, t):
    """Set the next event of a lane's head, from t on: it has arrived, the lane is free and its signal lets it pass."""
    veh = s.lane[lane, c.HEAD]
    if veh < 0:
        s.lane[lane, c.EVENT] = c.NEVER
        return
    conn, arrival = s.veh[veh, c.CONN], s.veh[veh, c.ARRIVAL]
    s.lane[lane, c.HEAD_CAME] = arrival
    t = max(t, arrival, s.lane[lane, c.FREE_AT])
    s.lane[lane, c.WINDOW_END] = c.NEVER
    s.lane[lane, c.LETTER] = c.PERMITTED
    if conn >= 0 and net.conn[conn, c.PLACE] != lane:
        if s.veh[veh, c.MY_SIGNAL] >= 0:
            t = _signal_time(net, plan, const, s, lane, conn, s.veh[veh, c.MY_SIGNAL], now, t, arrival)
            if s.lane[lane, c.LETTER] == c.STOP_AND_GO:
                t = max(t, arrival + const[c.STOP_ON_RED])
        else:
            t = max(t, arrival + net.conn[conn, c.APPROACH])
    _push(s, lane, t)


@njit(forceinline=True, **FAST)
def _foe_ahead(net, const, s, conn, t, extra, waited):
    """When the first foe that leaves no gap (and `extra` ticks) has passed; NEVER when the way is clear.

    Who has waited trusts that foes brake a little: one that can come to a stop with a share of its braking that grows
    with the wait, after the second in which it sees the other start, is no longer in the way.
    """
    gap = net.conn[conn, c.CLEAR_GAP] + extra
    for f in range(_row(net.conn[conn, c.FOE0]), net.conn[conn, c.FOE1]):
        foe, lane = _row(net.foe[f, c.FOE_CONN]), _row(net.foe[f, c.FOE_LANE])
        clear = net.foe[f, c.FOE_CLEAR]
        if s.lane[lane, c.LAST_LEAVE] + clear > t and s.lane[lane, c.LAST_CONN] == foe:
            return s.lane[lane, c.LAST_LEAVE] + clear
        if s.lane[lane, c.YIELDING] == c.INSIDE:
            stood = max(t - s.lane[lane, c.BLOCKED_FROM], waited)
            if s.veh[_row(s.lane[lane, c.HEAD]), c.CONN] == foe and stood < const[c.IGNORE]:
                return t + 10
            continue
        p = s.lane[lane, c.EVENT]
        if p > t + gap or s.lane[lane, c.YIELDING]:
            continue
        veh = s.lane[lane, c.HEAD]
        n = 0
        while veh >= 0 and n < 4:
            if n > 0:
                p = max(p + c.PER_VEH, s.veh[veh, c.ARRIVAL])
            if p > t + gap or p > s.lane[lane, c.WINDOW_END]:
                break
            if s.veh[veh, c.CONN] == foe:
                speed = net.conn[foe, c.SPEED] if p <= s.veh[veh, c.ARRIVAL] + 5 else const[c.CREEP]
                if p <= t + 10 + speed * const[c.IMPATIENCE] // max(waited, 1):
                    return max(p, t) + clear
            veh = s.veh[veh, c.NEXT]
            n += 1
    return c.NEVER


@njit(forceinline=True, **FAST)
def _room_at(s, lane, slots, now, way):
    """From when on the lane has room for `slots` more places: NEVER while the vehicle n − storage is still there.

    Who gets there over a `way` that takes some time follows a queue that moves: its place has to be free by then.
    """
    storage = s.lane[lane, c.STORAGE]
    slot = s.lane[lane, c.SLOT] + min(slots, storage) - 1
    place, taken = slot - storage, s.lane[lane, c.TAKEN]
    if place < 0 or (place < taken and s.lane[lane, c.LEFT_AT] + s.lane[lane, c.WAVE] < now):
        return -c.NEVER  # left long ago: no need to look when
    if place != taken:
        left = s.ring[_place(s, lane, place)]
        if left < c.NEVER:
            return left + s.lane[lane, c.WAVE]
    goes = s.lane[lane, c.EVENT]
    if way == 0 or slots > 1 or goes > now + c.SOON or s.lane[lane, c.YIELDING] > 0:
        return c.NEVER
    if place >= c.ON_WAY and s.ring[_place(s, lane, place - c.ON_WAY)] >= c.NEVER:
        return c.NEVER
    if s.veh[_row(s.lane[lane, c.HEAD]), c.ARRIVAL] + 5 < now:
        return c.NEVER
    return goes + c.PER_VEH * (s.lane[lane, c.PRESENT] - storage) + s.lane[lane, c.WAVE] - way


@njit(forceinline=True, **FAST)
def _is_stuck(const, s, lane, now):
    """Whether the head of a lane has stood for a while and does not go now."""
    if s.lane[lane, c.HEAD] < 0 or max(s.lane[lane, c.LAST_LEAVE], s.lane[lane, c.HEAD_CAME]) + const[c.STUCK] > now:
        return False
    return s.lane[lane, c.EVENT] > now + 10 or s.lane[lane, c.YIELDING] > 0


@njit(forceinline=True, **FAST)
def _choose_lane(net, trips, const, s, step, bus, slots, mask, wrong, now, way):
    """Row of the pair table whose lane holds fewest vehicles, lane changes and full lanes counted.

    `wrong`: what a lane costs from which the way does not go on. [veh]
    """
    first, ahead = _row(trips.route[step]), trips.lanes[step]
    n = net.way[first, c.WAY_TRAITS] & 255
    best, best_cost = first, c.NEVER
    if n == 1:
        return best
    for q in range(first, first + n):
        traits = net.way[q, c.WAY_TRAITS]
        if traits >> 16 > bus:
            continue
        lane, bit = _row(net.way[q, c.WAY_LANE]), traits >> 8 & 255
        cost = s.lane[lane, c.PRESENT]
        led = (mask >> bit) & 1
        if not led:
            cost += const[c.LANE_CHANGE]
        if not (ahead >> bit) & 1:
            # nobody passes a full lane of his way by changing into one that is wrong
            cost += wrong if led else c.NOT_THERE
        if _room_at(s, lane, slots, now, way) >= c.NEVER:
            cost += c.FULL
        if mask == -1 and s.lane[lane, c.GATE_FREE] > now:
            cost += 2
        if _is_stuck(const, s, lane, now):
            cost += const[c.STUCK_VEH]
        if cost < best_cost:
            best, best_cost = q, cost
    return best


@njit(forceinline=True, **FAST)
def _wait_for_room(s, lane, target, now):
    """Let a lane's head wait until a vehicle leaves the target lane."""
    s.lane[lane, c.EVENT] = c.NEVER
    s.lane[lane, c.WAITER_NEXT] = s.lane[target, c.WAITER]
    s.lane[target, c.WAITER] = lane
    if s.lane[lane, c.BLOCKED_FROM] < 0:
        s.lane[lane, c.BLOCKED_FROM] = now


@njit(forceinline=True, **FAST)
def _append(net, plan, trips, const, s, out, veh, lane, conn, step, now, enter, moves):
    """Put a vehicle that enters a lane at `enter` at the end of its queue; `moves`: not just to the waiting place."""
    arrival = enter + (s.lane[lane, c.DRIVE] * _driver(s, veh) >> 10)
    if trips.dwell.shape[0] and moves:
        arrival += trips.dwell[step]
    arrival = max(arrival, s.lane[lane, c.LAST_ARRIVAL] + s.lane[lane, c.SPACING])
    s.lane[lane, c.LAST_ARRIVAL] = arrival
    s.veh[veh, c.ENTER] = enter
    s.veh[veh, c.ARRIVAL] = arrival
    s.veh[veh, c.CONN] = conn
    s.veh[veh, c.NEXT] = -1
    s.veh[veh, c.STEP] = step
    if out.log.shape[0]:
        s.moved[veh, c.BY_LANE] = lane
        s.moved[veh, c.CHANGED] = c.NEVER
    slot, storage = s.lane[lane, c.SLOT], s.lane[lane, c.STORAGE]
    s.veh[veh, c.MY_SLOT] = slot
    slots = min(_slots(s, veh), storage)
    for place in range(slot, slot + slots):
        s.ring[_place(s, lane, place)] = c.NEVER
    s.lane[lane, c.SLOT] = slot + slots
    s.lane[lane, c.PRESENT] += 1
    first = s.lane[lane, c.HEAD] < 0
    if first:
        s.lane[lane, c.HEAD] = veh
    else:
        s.veh[_row(s.lane[lane, c.TAIL]), c.NEXT] = veh
    s.lane[lane, c.TAIL] = veh
    if first:
        _schedule(net, plan, const, s, lane, now, now)


@njit(forceinline=True, **FAST)
def _remove_head(net, s, lane, now):
    """Take the head off a lane and wake those who wait for its place."""
    veh = _row(s.lane[lane, c.HEAD])
    s.lane[lane, c.HEAD] = s.veh[veh, c.NEXT]
    _give_up_place(net, s, veh, lane, now)


@njit(forceinline=True, **FAST)
def _give_up_place(net, s, veh, lane, now):
    """A vehicle no longer takes its places on a lane: wake those who wait for one."""
    s.lane[lane, c.PRESENT] -= 1
    storage, slot = s.lane[lane, c.STORAGE], s.veh[veh, c.MY_SLOT]
    until = slot + min(_slots(s, veh), storage)
    for place in range(slot, until):
        s.ring[_place(s, lane, place)] = now
    s.lane[lane, c.LEFT_AT] = now
    if slot == s.lane[lane, c.TAKEN]:
        while until < s.lane[lane, c.SLOT] and s.ring[_place(s, lane, until)] < c.NEVER:
            until += 1
        s.lane[lane, c.TAKEN] = until
    waiting = s.lane[lane, c.WAITER]
    s.lane[lane, c.WAITER] = -1
    while waiting >= 0:
        following = s.lane[waiting, c.WAITER_NEXT]
        _push(s, waiting, now + max(1, s.lane[lane, c.WAVE] + net.lane[lane, c.KEEP_CLEAR]))
        waiting = following


@njit(forceinline=True, **FAST)
def _shown(s, signal):
    """Row in which it is kept what a signal shows, or -1 where there is none."""
    return s.shown[signal] if signal >= 0 else -1


@njit(forceinline=True, **FAST)
def _is_open(plan, s, signal, now):
    """Whether a signal shows green, or there is none."""
    signal = _shown(s, signal)
    if signal < 0:
        return True
    if s.signal[signal, c.LAST] == c.LIVE:
        w = s.signal[signal, c.FIRST]
        return (
            s.live[w, c.GREEN0] <= now < s.live[w, c.GREEN1] or s.live[w + 1, c.GREEN0] <= now < s.live[w + 1, c.GREEN1]
        )
    if s.signal[signal, c.FIRST] == s.signal[signal, c.LAST]:
        return False
    _keep_up(plan, s, signal, now)
    return s.signal[signal, c.FROM] <= now < s.signal[signal, c.UNTIL]


@njit(forceinline=True, **FAST)
def _stuck_behind(net, plan, trips, const, s, lane, now):
    """Lane beside this one whose head stands, and the row by which the vehicle behind it may use this lane; or −1s."""
    for side in range(c.LEFT, c.RIGHT + 1):
        other = s.lane[lane, side]
        if other < 0 or s.lane[other, c.PRESENT] < 2 or not _is_stuck(const, s, other, now):
            continue
        veh = _row(s.veh[_row(s.lane[other, c.HEAD]), c.NEXT])
        if s.veh[veh, c.ARRIVAL] > now or _slots(s, veh) > 1:
            continue
        first = _row(trips.route[_row(s.veh[veh, c.STEP])])
        for q in range(first, first + (net.way[first, c.WAY_TRAITS] & 255)):
            if net.way[q, c.WAY_LANE] == lane and net.way[q, c.WAY_TRAITS] >> 16 <= _is_bus(s, veh):
                return (other, q) if _is_open(plan, s, net.way[q, c.WAY_SIGNAL], now) else (-1, -1)
    return -1, -1


@njit(forceinline=True, **FAST)
def _zip_in(net, plan, trips, const, s, out, lane, now):
    """Let the vehicle behind a stuck head of the next lane in front of this lane's queue: one, then one of its own."""
    if s.lane[lane, c.CARRY] >= c.ZIPPED:
        s.lane[lane, c.CARRY] -= c.ZIPPED
        return
    other, q = _stuck_behind(net, plan, trips, const, s, lane, now)
    if other < 0 or _room_at(s, lane, 1, now, 0) >= c.NEVER:
        return
    head = _row(s.lane[other, c.HEAD])
    veh = _row(s.veh[head, c.NEXT])
    s.veh[head, c.NEXT] = s.veh[veh, c.NEXT]
    if s.lane[other, c.TAIL] == veh:
        s.lane[other, c.TAIL] = head
    _give_up_place(net, s, veh, other, now)
    if s.lane[lane, c.HEAD] < 0:
        s.lane[lane, c.TAIL] = veh
    s.veh[veh, c.NEXT] = s.lane[lane, c.HEAD]
    s.lane[lane, c.HEAD] = veh
    s.lane[lane, c.PRESENT] += 1
    slot = s.lane[lane, c.SLOT]
    s.lane[lane, c.SLOT] = slot + 1
    s.ring[_place(s, lane, slot)] = c.NEVER
    s.veh[veh, c.MY_SLOT] = slot
    s.veh[veh, c.CONN], s.veh[veh, c.MY_SIGNAL] = net.way[q, c.WAY_CONN], _shown(s, net.way[q, c.WAY_SIGNAL])
    if out.log.shape[0]:
        s.moved[veh, c.CHANGED] = now
    s.lane[lane, c.CARRY] += c.ZIPPED


@njit(forceinline=True, **FAST)
def _free_until(net, trips, s, veh, lane):
    """When a vehicle would leave a lane at its own desired speed, its stops made."""
    free = s.veh[veh, c.ENTER] + (s.lane[lane, c.FREE] * _driver(s, veh) >> 10)
    if trips.dwell.shape[0]:
        conn = s.veh[veh, c.CONN]
        if conn < 0 or net.conn[conn, c.PLACE] != lane:
            free += trips.dwell[s.veh[veh, c.STEP]]
    return free


@njit(forceinline=True, **FAST)
def _account(net, trips, s, out, veh, lane, leave, lost):
    """Book what a vehicle lost against its own desired speed on a lane it leaves (or stands on at the end)."""
    delay = leave + lost - _free_until(net, trips, s, veh, lane)
    if _counts(s, veh):
        out.totals[c.DELAY] += delay
        if delay > s.lane[lane, c.STOP]:
            out.totals[c.STOPS] += 1
    if out.log.shape[0]:
        n = out.n_log[0]
        out.n_log[0] = n + 1
        out.log[n, c.LOG_VEH] = veh
        out.log[n, c.LOG_LANE] = lane
        out.log[n, c.LOG_CONN] = s.veh[veh, c.CONN]
        out.log[n, c.LOG_ENTER] = s.veh[veh, c.ENTER]
        out.log[n, c.LOG_ARRIVAL] = s.veh[veh, c.ARRIVAL]
        out.log[n, c.LOG_LEAVE] = leave
        out.log[n, c.LOG_DELAY] = delay
        out.log[n, c.LOG_STEP] = s.veh[veh, c.STEP]
        out.log[n, c.LOG_BY_LANE] = s.moved[veh, c.BY_LANE]
        out.log[n, c.LOG_CHANGED] = s.moved[veh, c.CHANGED]


@njit(forceinline=True, **FAST)
def _fetch_due(net, trips, s, veh):
    """Fetch what a vehicle needs that is due soon."""
    prefetch(s.lane, net.lane.shape[0] + trips.vehicle[veh, c.GATE], c.SLOT)
    prefetch(s.veh, veh, 0)
    prefetch(trips.route, trips.vehicle[veh, c.ROUTE0], 0)
    prefetch(trips.lanes, trips.vehicle[veh, c.ROUTE0], 0)


@njit(forceinline=True, **FAST)
def _join_gate(net, trips, s, veh, now):
    """A vehicle is due: it queues with those who enter by the same lanes."""
    gate = net.lane.shape[0] + _row(trips.vehicle[veh, c.GATE])
    s.veh[veh, c.NEXT] = -1
    s.veh[veh, c.STEP] = trips.vehicle[veh, c.ROUTE0]
    s.veh[veh, c.MY_TRAITS] = trips.vehicle[veh, c.TRAITS]
    s.lane[gate, c.PRESENT] += 1
    if s.lane[gate, c.HEAD] < 0:
        s.lane[gate, c.HEAD] = veh
        _push(s, gate, now)
    else:
        s.veh[_row(s.lane[gate, c.TAIL]), c.NEXT] = veh
    s.lane[gate, c.TAIL] = veh


@njit(forceinline=True, **FAST)
def _leave_gate(net, plan, trips, const, s, out, gate, now):
    """The head of a gate tries to enter its link."""
    veh = _row(s.lane[gate, c.HEAD])
    step, slots = _row(s.veh[veh, c.STEP]), _slots(s, veh)
    # who waits to enter waits for the right lane
    wrong = const[c.LANE_AHEAD] if _stands(s, veh) else c.NOT_THERE
    q = _choose_lane(net, trips, const, s, step, _is_bus(s, veh), slots, -1, wrong, now, 0)
    target = _row(net.way[q, c.WAY_LANE])
    room = _room_at(s, target, slots, now, 0)
    stands = _stands(s, veh) and room < now
    if not stands:
        room = max(room, s.lane[target, c.GATE_FREE])
    if room >= c.NEVER:
        _wait_for_room(s, gate, target, now)
        return
    if room > now:
        _push(s, gate, room)
        return
    depart = trips.vehicle[veh, c.DEPART]
    lost = 0 if stands else const[c.ENTRY_LOSS]
    if depart >= const[c.COUNT_FROM]:
        out.totals[c.DELAY] += now - depart + lost
        out.totals[c.GATE_DELAY] += now - depart
    out.totals[c.ENTERED] += 1
    s.lane[gate, c.HEAD] = s.veh[veh, c.NEXT]
    s.lane[gate, c.PRESENT] -= 1
    s.lane[gate, c.BLOCKED_FROM] = -1
    if not stands:
        s.lane[target, c.GATE_FREE] = now + const[c.ENTRY_HEADWAY]
    following = s.lane[gate, c.HEAD]
    if following >= 0:
        _push(s, gate, max(now, trips.vehicle[following, c.DEPART]))
    else:
        s.lane[gate, c.EVENT] = c.NEVER
    enter = now + lost
    if stands:  # as if it had driven the link before
        enter = now - (s.lane[target, c.FREE] * _driver(s, veh) >> 10)
    s.veh[veh, c.MY_SIGNAL] = _shown(s, net.way[q, c.WAY_SIGNAL])
    _append(net, plan, trips, const, s, out, veh, target, net.way[q, c.WAY_CONN], step, now, enter, not stands)


@njit(forceinline=True, **FAST)
def _discharge(net, const, s, lane, veh, conn, now, yields, stops_inside):
    """A head passes the stop line: when the lane is free again; returns what it loses beyond the line. [ticks]"""
    lost = 0
    carry = s.lane[lane, c.CARRY]
    exact = 1000 * const[c.REACTION] + _length(s, veh) * net.conn[conn, c.PACE] + (carry & (c.ZIPPED - 1))
    headway = exact // 1000
    s.lane[lane, c.CARRY] = exact - 1000 * headway + (carry & c.ZIPPED)
    stood = now > s.veh[veh, c.ARRIVAL] + net.conn[conn, c.APPROACH] + 5
    k = c.N_START
    if yields and not stops_inside:
        headway = max(const[c.FOLLOW_UP], headway)
        if stood:
            k = 1 if now <= s.lane[lane, c.FREE_AT] + 5 else 0
    elif net.conn[conn, c.SIGNAL] >= 0 and stood:
        k = s.lane[lane, c.N_GREEN]
        if k < const[c.N_EARLY]:
            headway = max(headway, const[c.EARLY] if k > 0 else const[c.SECOND])
        s.lane[lane, c.N_GREEN] = k + 1
    if k < c.N_START:  # (v − v0)²/(2 a v), still to be gained beyond the stop line
        missing = max(0, net.conn[conn, c.SPEED] - const[c.REACHED0 + k])
        lost = 10 * missing * missing // (2 * const[c.ACCEL] * max(net.conn[conn, c.SPEED], 1))
    s.lane[lane, c.FREE_AT] = now + headway
    s.lane[lane, c.LAST_LEAVE] = now
    s.lane[lane, c.LAST_CONN] = conn
    return lost if stops_inside else lost + net.conn[conn, c.LOSS]


@njit(forceinline=True, **FAST)
def _merge_at(net, const, s, lane, veh, conn, now):
    """From when on a vehicle may follow the last one from the lanes beside it into the lane that both ways lead to."""
    clear = now
    for side in range(2):
        other = net.conn[conn, c.MERGE_LEFT + side]
        if other >= 0:
            beside = s.lane[lane, c.LEFT + side]
            if s.lane[_row(beside), c.LAST_CONN] == other:
                headway = (1000 * const[c.REACTION] + _length(s, veh) * net.conn[conn, c.PACE]) // 1000
                if now > s.veh[veh, c.ARRIVAL] + net.conn[conn, c.APPROACH] + 5:
                    headway = max(headway, const[c.MERGE])
                clear = max(clear, s.lane[_row(beside), c.LAST_LEAVE] + headway)
    return clear


@njit(forceinline=True, **FAST)
def _leave_lane(net, plan, trips, const, s, out, lane, now):
    """The head of a lane or waiting place tries to go on."""
    veh = _row(s.lane[lane, c.HEAD])
    conn = s.veh[veh, c.CONN]
    if conn < 0:  # the trip ends here
        _account(net, trips, s, out, veh, lane, now, 0)
        _remove_head(net, s, lane, now)
        out.totals[c.DONE] += 1
        _schedule(net, plan, const, s, lane, now, now)
        return
    place = net.conn[conn, c.PLACE]
    late = now > s.lane[lane, c.WINDOW_END]
    signal = s.veh[veh, c.MY_SIGNAL]
    if plan.owner.shape[0] and place != lane and signal >= 0 and s.signal[signal, c.LAST] == c.LIVE:
        late = _signal_time(net, plan, const, s, lane, conn, signal, now, now, s.veh[veh, c.ARRIVAL]) > now
    if late:  # woken too late for its green
        _schedule(net, plan, const, s, lane, now, now)
        return
    inside = place == lane
    yields = net.conn[conn, c.FOE1] > net.conn[conn, c.FOE0] and (inside or s.lane[lane, c.LETTER] < c.PROTECTED)
    stops_inside = place >= 0 and not inside and s.lane[place, c.PRESENT] > 0
    if yields and not stops_inside:
        # whoever goes on past the place comes to the conflict later
        extra = 0 if inside or place < 0 else s.lane[place, c.FREE] + const[c.REACTION]
        waited = now - max(s.veh[veh, c.ARRIVAL], s.lane[lane, c.LAST_LEAVE])
        clear = _foe_ahead(net, const, s, conn, now, extra, waited)
        if clear < c.NEVER and (inside or place < 0):
            s.lane[lane, c.YIELDING] = 1
            _schedule(net, plan, const, s, lane, now, clear)
            return
        stops_inside = clear < c.NEVER
    was_inside = s.lane[lane, c.YIELDING] == c.INSIDE
    s.lane[lane, c.YIELDING] = 0
    blocker = s.lane[lane, c.BLOCKER]
    if blocker >= 0 and s.lane[blocker, c.PRESENT] > 0 and place != blocker:
        _wait_for_room(s, lane, blocker, now)
        return
    if not inside:
        clear = _merge_at(net, const, s, lane, veh, conn, now)
        if clear > now:
            _schedule(net, plan, const, s, lane, now, clear)
            return
    # where to: the waiting place inside the junction, or the lane of the next link with fewest vehicles
    step, target, following = _row(s.veh[veh, c.STEP]), _row(place), conn
    slots, way = _slots(s, veh), 0
    if not stops_inside:
        step += 1
        way = net.conn[conn, c.PLACE_CROSS] if inside else net.conn[conn, c.CROSS]
        bus = _is_bus(s, veh)
        wrong = const[c.LANE_AHEAD]
        q = _choose_lane(net, trips, const, s, step, bus, slots, net.conn[conn, c.TO_MASK], wrong, now, way)
        target, following = _row(net.way[q, c.WAY_LANE]), net.way[q, c.WAY_CONN]
        signal = _shown(s, net.way[q, c.WAY_SIGNAL])
    room = _room_at(s, target, slots, now, way)
    if room > now and place != target:
        # it has followed a vehicle that has only just entered, and now stands inside the junction
        last = s.lane[target, c.TAIL] if s.lane[target, c.HEAD] >= 0 else -1
        if was_inside or (last >= 0 and s.veh[last, c.ENTER] + c.PER_VEH > now):
            s.lane[lane, c.YIELDING] = c.INSIDE
    if room >= c.NEVER:
        _wait_for_room(s, lane, target, now)
        return
    if room > now:
        if s.lane[lane, c.BLOCKED_FROM] < 0:
            s.lane[lane, c.BLOCKED_FROM] = now
        _schedule(net, plan, const, s, lane, now, room)
        return
    if s.lane[lane, c.BLOCKED_FROM] >= 0:
        out.totals[c.BLOCKED] += max(0, now - max(s.lane[lane, c.BLOCKED_FROM], const[c.COUNT_FROM]))
        s.lane[lane, c.BLOCKED_FROM] = -1
    lost = _discharge(net, const, s, lane, veh, conn, now, yields, stops_inside)
    _account(net, trips, s, out, veh, lane, now, lost)
    _remove_head(net, s, lane, now)
    _zip_in(net, plan, trips, const, s, out, lane, now)
    enter = now + lost + way
    s.veh[veh, c.MY_SIGNAL] = signal
    _append(net, plan, trips, const, s, out, veh, target, following, step, now, enter, not stops_inside)
    _schedule(net, plan, const, s, lane, now, now)


@njit(forceinline=True, **FAST)
def _fetch_lane(s, lane):
    prefetch(s.lane, lane, c.SLOT)
    prefetch(s.lane, lane, c.FREE)


@njit(forceinline=True, **FAST)
def _fetch_beside(s, lane):
    """What is asked of a lane by others; of none the first row: to look for a page that is not there takes long."""
    prefetch(s.lane, max(lane, 0), c.SLOT)


@njit(forceinline=True, **FAST)
def _look_ahead(net, trips, s, first):
    """Fetch what the next events of the tick need: in larger networks the kernel waits for memory most of the time.

    Of the next event the lanes that its vehicle looks at first, of the second one the rows that name them, of the
    third what its vehicle points to, of the fourth the vehicle, of the fifth the lane.
    """
    if first < 0:
        return
    _fetch_further(net, trips, s, first)
    second = s.following[first]
    if second < 0:
        return
    _fetch_rows_of_ways(net, trips, s, second)
    third = s.following[second]
    if third < 0:
        return
    _fetch_pointed(net, trips, s, third)
    fourth = s.following[third]
    if fourth < 0:
        return
    prefetch(s.veh, max(s.lane[fourth, c.HEAD], 0), 0)
    fifth = s.following[fourth]
    if fifth >= 0:
        _fetch_lane(s, fifth)


@njit(forceinline=True, **FAST)
def _fetch_pointed(net, trips, s, lane):
    """What the vehicle of an event points to."""
    head = s.lane[lane, c.HEAD]
    if head < 0:
        return
    step = s.veh[head, c.STEP]
    if lane < net.lane.shape[0]:
        conn = s.veh[head, c.CONN]
        if conn >= 0:
            prefetch(net.conn, conn, 0)
        if s.veh[head, c.NEXT] >= 0:
            prefetch(s.veh, s.veh[head, c.NEXT], 0)
        step += 1
    prefetch(trips.route, step, 0)
    prefetch(trips.lanes, step, 0)


@njit(forceinline=True, **FAST)
def _fetch_rows_of_ways(net, trips, s, lane):
    """The rows of the lanes that the vehicle of an event chooses from, and of those it yields to."""
    head = s.lane[lane, c.HEAD]
    if head >= 0 and lane < net.lane.shape[0] and s.veh[head, c.CONN] >= 0:
        prefetch(net.way, trips.route[_row(s.veh[head, c.STEP]) + 1], 0)
        prefetch(net.foe, net.conn[s.veh[head, c.CONN], c.FOE0], 0)


@njit(forceinline=True, **FAST)
def _fetch_further(net, trips, s, lane):
    """Where the vehicle of an event goes, the lanes beside it, its place, and what the one behind it needs."""
    head = s.lane[lane, c.HEAD]
    if head < 0:
        return
    if lane >= net.lane.shape[0]:
        prefetch(net.way, trips.route[s.veh[head, c.STEP]], 0)
        return
    conn, behind = s.veh[head, c.CONN], s.veh[head, c.NEXT]
    for beside in range(c.BLOCKER, c.RIGHT + 1):
        _fetch_beside(s, s.lane[lane, beside])
    prefetch(s.ring, _place(s, lane, s.veh[head, c.MY_SLOT]), 0)
    if conn >= 0:
        _fetch_beside(s, net.way[_row(trips.route[_row(s.veh[head, c.STEP]) + 1]), c.WAY_LANE])
    if behind >= 0:
        if s.veh[behind, c.CONN] >= 0:
            prefetch(net.conn, s.veh[behind, c.CONN], 0)
        if s.veh[behind, c.MY_SIGNAL] >= 0:
            prefetch(s.signal, s.veh[behind, c.MY_SIGNAL], 0)


@njit(**FAST)
def _fetch(net, trips, s, lane):
    """Fetch all that a number of events needs, before the first of them: in networks far larger than the cache.

    Step by step along the pointers, each step for all of them, so that the memory works on many at once. Returns for
    how many.
    """
    n = 0
    while lane >= 0 and n < s.soon.shape[0]:
        _fetch_lane(s, lane)
        s.soon[n, c.SOON_LANE] = lane
        lane = s.following[lane]
        n += 1
    s.soon[0, c.SOON_AFTER] = lane
    for i in range(n):
        prefetch(s.veh, max(s.lane[s.soon[i, c.SOON_LANE], c.HEAD], 0), 0)
    for i in range(n):
        _fetch_heads(net, trips, s, i)
    for i in range(n):
        _fetch_ways(net, trips, s, i)
    for i in range(n):
        _fetch_targets(net, s, i)
    for i in range(n):
        _fetch_queues(net, s, i)
    return n


@njit(forceinline=True, **FAST)
def _fetch_heads(net, trips, s, i):
    """What the heads of the lanes and gates point to."""
    lane = s.soon[i, c.SOON_LANE]
    veh = s.lane[lane, c.HEAD]
    s.soon[i, c.SOON_CONN], s.soon[i, c.SOON_NEXT], s.soon[i, c.SOON_PAIR] = -1, -1, -1
    if veh < 0:  # a controller
        return
    step = s.veh[veh, c.STEP]
    if lane < net.lane.shape[0]:
        conn, behind = s.veh[veh, c.CONN], s.veh[veh, c.NEXT]
        s.soon[i, c.SOON_CONN], s.soon[i, c.SOON_NEXT] = conn, behind
        prefetch(s.ring, _place(s, lane, s.veh[veh, c.MY_SLOT]), 0)
        if behind >= 0:
            prefetch(s.veh, behind, 0)
        if conn < 0:
            return
        prefetch(net.conn, conn, 0)
        step += 1
        for beside in range(c.BLOCKER, c.RIGHT + 1):
            _fetch_beside(s, s.lane[lane, beside])
    s.soon[i, c.SOON_PAIR] = step
    prefetch(trips.route, step, 0)
    prefetch(trips.lanes, step, 0)


@njit(forceinline=True, **FAST)
def _fetch_ways(net, trips, s, i):
    """Their foes, waiting places and the lanes to choose from; the way and signal of those behind them."""
    conn, behind = s.soon[i, c.SOON_CONN], s.soon[i, c.SOON_NEXT]
    if s.soon[i, c.SOON_PAIR] >= 0:
        first = trips.route[s.soon[i, c.SOON_PAIR]]
        s.soon[i, c.SOON_PAIR] = first
        prefetch(net.way, first, 0)
    if conn >= 0:
        prefetch(net.foe, net.conn[conn, c.FOE0], 0)
        _fetch_beside(s, net.conn[conn, c.PLACE])
    if behind >= 0:
        if s.veh[behind, c.CONN] >= 0:
            prefetch(net.conn, s.veh[behind, c.CONN], 0)
        if s.veh[behind, c.MY_SIGNAL] >= 0:
            prefetch(s.signal, s.veh[behind, c.MY_SIGNAL], 0)


@njit(forceinline=True, **FAST)
def _fetch_targets(net, s, i):
    """The lanes to choose from and those of foes."""
    conn, first = s.soon[i, c.SOON_CONN], s.soon[i, c.SOON_PAIR]
    if first < 0:
        return
    for q in range(first, first + (net.way[first, c.WAY_TRAITS] & 255)):
        _fetch_lane(s, net.way[q, c.WAY_LANE])
        if net.way[q, c.WAY_CONN] >= 0:
            prefetch(net.conn, net.way[q, c.WAY_CONN], 0)
            prefetch(s.shown, max(net.way[q, c.WAY_SIGNAL], 0), 0)
    if conn >= 0 and s.lane[s.soon[i, c.SOON_LANE], c.LETTER] < c.PROTECTED:
        for f in range(net.conn[conn, c.FOE0], net.conn[conn, c.FOE1]):
            prefetch(s.lane, net.foe[f, c.FOE_LANE], c.SLOT)


@njit(forceinline=True, **FAST)
def _fetch_queues(net, s, i):
    """Who stands on these lanes, and the places on them."""
    conn, first = s.soon[i, c.SOON_CONN], s.soon[i, c.SOON_PAIR]
    if first < 0:
        return
    for q in range(first, first + (net.way[first, c.WAY_TRAITS] & 255)):
        lane, signal = net.way[q, c.WAY_LANE], _shown(s, net.way[q, c.WAY_SIGNAL])
        slot = s.lane[lane, c.SLOT]
        prefetch(s.ring, _place(s, lane, slot), 0)
        prefetch(s.ring, _place(s, lane, slot - s.lane[lane, c.STORAGE]), 0)
        if s.lane[lane, c.HEAD] >= 0:
            prefetch(s.veh, s.lane[lane, c.TAIL], 0)
        elif signal >= 0:
            prefetch(s.signal, signal, 0)
    if conn >= 0 and s.lane[s.soon[i, c.SOON_LANE], c.LETTER] < c.PROTECTED:
        for f in range(net.conn[conn, c.FOE0], net.conn[conn, c.FOE1]):
            if s.lane[net.foe[f, c.FOE_LANE], c.HEAD] >= 0:
                prefetch(s.lane, net.foe[f, c.FOE_LANE], c.FREE)
                prefetch(s.veh, s.lane[net.foe[f, c.FOE_LANE], c.HEAD], 0)


@njit(**FAST)
def _learn_end(net, const, s, lane, signal):
    """The end of the green in which a lane's head is to leave has been decided: those who yield to it look at that."""
    veh = s.lane[lane, c.HEAD]
    if veh < 0 or s.veh[veh, c.CONN] < 0 or net.conn[s.veh[veh, c.CONN], c.SIGNAL] != signal:
        return
    w = s.signal[signal, c.FIRST]
    if s.live[w, c.GREEN0] != s.lane[lane, c.GREEN_FROM] or s.live[w, c.GREEN1] >= c.NEVER:
        return
    use, k = net.conn[s.veh[veh, c.CONN], c.USE], s.lane[lane, c.N_GREEN]
    if s.lane[lane, c.EVENT] > s.veh[veh, c.ARRIVAL] + 5 and k < c.N_START:
        use = min(use, const[c.USE0 + k])
    s.lane[lane, c.WINDOW_END] = s.live[w, c.GREEN1] + min(s.live[w, c.YELLOW], use)


@njit(**FAST)
def _decide(net, plan, const, s, owner, now):
    """An actuated controller looks and acts; lanes that wait for what it changed try again."""
    a = owner - plan.owner[0]
    _push(s, owner, decide(plan.actuated, s.actuated, s.live, s.lane, s.veh, a, now))
    for n in range(1, s.actuated.changed[0] + 1):
        signal = s.actuated.changed[n]
        for i in range(plan.lane_start[signal], plan.lane_start[signal + 1]):
            lane = plan.lane[i]
            if s.lane[lane, c.LETTER] == ~signal:
                _schedule(net, plan, const, s, lane, now, now)
            elif s.lane[lane, c.WINDOW_END] == c.NEVER:
                _learn_end(net, const, s, lane, signal)


@njit(forceinline=True, **FAST)
def _as_laid_out(net, plan, trips, s):
    """Whether rows are as wide as the columns' names say: the compiler then knows it too and need not look it up."""
    return (
        net.lane.shape[1] == c.N_LANE
        and net.conn.shape[1] == c.N_CONN
        and net.foe.shape[1] == c.N_FOE
        and net.way.shape[1] == c.N_WAY
        and plan.signal.shape[1] == c.N_SIGNAL
        and plan.window.shape[1] == c.N_WINDOW
        and trips.vehicle.shape[1] == c.N_VEHICLE
        and s.lane.shape[1] == c.N_LANE_STATE
        and s.veh.shape[1] == c.N_VEH_STATE
        and s.signal.shape[1] == c.N_SIGNAL_STATE
        and s.soon.shape[1] == c.N_SOON
    )


@njit(**FAST)
def run(net, plan, trips, const, s, out):
    """Simulate [0, end) from an empty network; fills the totals and, where it has rows, the log."""
    if not _as_laid_out(net, plan, trips, s):
        return
    _reset(plan, s, out)
    n_lane, n_veh = net.lane.shape[0], trips.vehicle.shape[0]
    due = 0
    n_owner = plan.owner[0] if plan.owner.shape[0] else c.NEVER
    for a in range(plan.owner.shape[0]):
        _push(s, plan.owner[a], start(plan.actuated, s.actuated, s.live, a))
    scout = -1
    for now in range(const[c.END]):
        while due < n_veh and trips.vehicle[due, c.DEPART] <= now:
            if due + c.DUE_SOON < n_veh:
                _fetch_due(net, trips, s, due + c.DUE_SOON)
            _join_gate(net, trips, s, due, now)
            due += 1
        fetched = 0
        while s.bucket[now] >= 0:
            lane = _row(s.bucket[now])
            s.bucket[now] = s.following[lane]
            if s.soon.shape[0] == 0:
                _look_ahead(net, trips, s, s.following[lane])
            elif fetched == 0:
                fetched = _fetch(net, trips, s, lane)
                scout = s.soon[0, c.SOON_AFTER]
            elif scout >= 0:  # the list itself is fetched one by one, as far ahead as the data of its events
                scout = s.following[scout]
                prefetch(s.following, max(scout, 0), 0)
                _fetch_lane(s, max(scout, 0))
            fetched -= 1
            if lane >= n_owner:
                _decide(net, plan, const, s, lane, now)
            elif lane >= n_lane:
                _leave_gate(net, plan, trips, const, s, out, lane, now)
            else:
                _leave_lane(net, plan, trips, const, s, out, lane, now)
    _close(net, trips, const, s, out)


@njit(**FAST)
def _reset(plan, s, out):
    out.totals[:] = 0
    out.n_log[0] = 0
    s.bucket[:] = -1
    for lane in range(s.lane.shape[0]):
        for field in range(c.SLOT, c.FREE):
            s.lane[lane, field] = 0
        for field in range(c.WAITER, c.N_LANE_STATE):
            s.lane[lane, field] = 0
        s.lane[lane, c.EVENT] = c.NEVER
        s.lane[lane, c.WINDOW_END] = c.NEVER
        s.lane[lane, c.HEAD] = -1
        s.lane[lane, c.FREE_AT] = -c.NEVER
        s.lane[lane, c.GATE_FREE] = -c.NEVER
        s.lane[lane, c.LAST_ARRIVAL] = -c.NEVER
        s.lane[lane, c.LAST_LEAVE] = -c.NEVER
        s.lane[lane, c.LAST_CONN] = -1
        s.lane[lane, c.GREEN_FROM] = -c.NEVER
        s.lane[lane, c.WAITER] = -1
        s.lane[lane, c.BLOCKED_FROM] = -1
        s.lane[lane, c.CARRY] = 500
    for signal in range(plan.signal.shape[0]):
        _find_alike(plan, s, signal)
        if s.shown[signal] != signal:
            continue
        first, last = plan.signal[signal, c.WINDOW0], plan.signal[signal, c.WINDOW1]
        s.signal[signal, c.FIRST] = first
        s.signal[signal, c.LAST] = last
        s.signal[signal, c.LAP] = plan.signal[signal, c.CYCLE]
        if 0 <= first < last:
            _show_window(plan, s, signal, first, plan.signal[signal, c.BASE])


@njit(forceinline=True, **FAST)
def _find_alike(plan, s, signal):
    """Signals of a controller that always show the same share a row: it is kept up once, and lies in the cache."""
    s.shown[signal] = signal
    for other in range(signal - 1, max(-1, signal - 1 - c.ALIKE_WITHIN), -1):
        if (
            plan.signal[other, c.WINDOW0] == plan.signal[signal, c.WINDOW0]
            and plan.signal[other, c.WINDOW1] == plan.signal[signal, c.WINDOW1]
            and plan.signal[other, c.BASE] == plan.signal[signal, c.BASE]
            and plan.signal[other, c.CYCLE] == plan.signal[signal, c.CYCLE]
        ):
            s.shown[signal] = s.shown[other]
            return


@njit(**FAST)
def _close(net, trips, const, s, out):
    """Book what those still on the way have lost by the end."""
    n_lane, end = net.lane.shape[0], const[c.END]
    for lane in range(n_lane):
        if s.lane[lane, c.BLOCKED_FROM] >= 0:
            out.totals[c.BLOCKED] += end - max(s.lane[lane, c.BLOCKED_FROM], const[c.COUNT_FROM])
        veh = s.lane[lane, c.HEAD]
        while veh >= 0:
            if end > _free_until(net, trips, s, veh, lane):
                _account(net, trips, s, out, veh, lane, end, 0)
            veh = s.veh[veh, c.NEXT]
    for gate in range(n_lane, s.lane.shape[0]):
        veh = s.lane[gate, c.HEAD]
        while veh >= 0:
            if trips.vehicle[veh, c.DEPART] >= const[c.COUNT_FROM]:
                out.totals[c.DELAY] += end - trips.vehicle[veh, c.DEPART]
                out.totals[c.GATE_DELAY] += end - trips.vehicle[veh, c.DEPART]
            veh = s.veh[veh, c.NEXT]
