"""Actuated controllers as the kernel runs them: integer time, plain tables, one call per decision.

A controller is the owner of an event, like a lane: `decide` is called when its time has come, looks at the queues of
the lanes its phases serve, ends phases and starts others, and returns when it wants to be called next. What it decides
it writes into the windows of its signals. Each has two, in time of the run: the running green, whose end is NEVER
until it is decided, and the green after it. It looks ahead along the queues, so that it decides as if it looked at
every scan, without being called so often.

Times are ticks of 0.1 s from the begin of the run; records are rows of int32 tables, their columns are named below. The
rules are those of `network_data.actuation`.
"""

from __future__ import annotations

from numba import njit

from sim import _tables as c

FAST = {"cache": True, "nogil": True, "_nrt": False}
NEVER = 2_000_000_000
MOVE_UP = 15
"""Least time in which a standing vehicle moves up by one place: no queue discharges faster. [ticks]"""

# controllers (static): phases [PHASE0, PHASE1); slots from SLOT0 on (group by group, ring by ring); first row of ring
# state; rings; groups; cycle (0: free); whether force-offs float; how often it looks; group it starts with
PHASE0, PHASE1, SLOT0, RING0, N_RING, N_GROUP, CYCLE, FLOATING, SCAN, START = range(10)
N_CONTROLLER = 10
# slots: phases [FIRST, LAST) of one ring in one group, in order
FIRST, LAST = range(2)
# phases: least and most green; gap; yellow and red clearance; recall; coordinated; a yield point of its ring before the
# run begins, and its force-off from there on; green of the split; heads; detectors; group; phases of the controller
# that cannot be green with it (bits)
MIN, MAX, GAP, CHANGE, RECALL, COORDINATED, YIELD, FORCE, SPLIT, HEAD0, HEAD1, DET0, DET1, GROUP, OTHERS = range(15)
N_PHASE = 15
NO_RECALL, MIN_RECALL, MAX_RECALL = range(3)
# heads of phases: signal; its first window; mode; opens before, closes after the green; yellow; whether it holds
# through the change; length or 0
SIGNAL, WINDOW, MODE, OPENS, CLOSES, YELLOW, HOLDS, LENGTH = range(8)
N_HEAD = 8
# detectors: lane; travel time to the stop line; vehicles that stand between; least travel time over the whole lane;
# until those who stand there move after the first of the queue has gone
LANE, AHEAD, PLACES, FREE, LAG = range(5)
N_DETECTOR = 5
# columns of the queue simulation's tables that `decide` reads. They are data here: compiled code that is kept between
# sessions would go on with the old ones where that table changes and this file does not
HEAD, LAST_LEAVE, LAST_ARRIVAL, ARRIVAL, FOLLOWING = range(5)
COLUMNS = (c.HEAD, c.LAST_LEAVE, c.LAST_ARRIVAL, c.ARRIVAL, c.NEXT)
# rings (changing): phase; start of its green, in the future while the change before runs; since when others call; when
# it is forced off; phase it goes on to (its own: none)
PHASE, FROM, CALLED, FORCED, NEXT = range(5)
N_RING_STATE = 5
# windows of a signal: green from, until (NEVER: undecided), yellow behind it, mode, whether it was closed before
GREEN0, GREEN1, BEHIND, GREEN_MODE, FRESH = range(5)
N_WINDOW = 5
# greens that have ended: signal; then as the window
PAST_SIGNAL, PAST_WINDOW = range(2)
N_PAST = 1 + N_WINDOW


@njit(**FAST)
def start(t, s, windows, a):
    """Controller a at tick 0: the coordinated phases, or the first ones, turn green. Returns its first call."""
    s.changed[0] = 0
    if a == 0:
        s.n_past[0] = 0
    n_ring, ring0 = t.controller[a, N_RING], t.controller[a, RING0]
    for p in range(t.controller[a, PHASE0], t.controller[a, PHASE1]):
        for d in range(t.phase[p, DET0], t.phase[p, DET1]):
            s.seen[d] = -NEVER
        for h in range(t.phase[p, HEAD0], t.phase[p, HEAD1]):
            w = t.head[h, WINDOW]
            for column in range(N_WINDOW):
                windows[w, column] = 0
                windows[w + 1, column] = 0
            windows[w, GREEN0] = -NEVER
            windows[w, GREEN1] = -NEVER
            windows[w + 1, GREEN0] = NEVER
            windows[w + 1, GREEN1] = NEVER
    for r in range(n_ring):
        p = _entry(t, a, t.controller[a, SLOT0] + t.controller[a, START] * n_ring + r, 0, 0, 0)
        s.ring[ring0 + r, PHASE] = p
        s.ring[ring0 + r, FROM] = 0
        s.ring[ring0 + r, CALLED] = NEVER
        s.ring[ring0 + r, FORCED] = NEVER
        s.ring[ring0 + r, NEXT] = p
    for r in range(n_ring):
        _open(t, s, windows, a, s.ring[ring0 + r, PHASE], 0)
    return t.controller[a, SCAN]


@njit(**FAST)
def decide(t, s, windows, lanes, vehicles, a, now):
    """Controller a looks and acts. Returns when it wants to be called next, after now.

    `windows`, `lanes` and `vehicles` are the queue simulation's tables. Each ring holds its phase, or goes on to the
    next called phase of its group; when no ring holds or goes on, all cross to the next group that is called.
    """
    s.changed[0] = 0
    n_ring, ring0, scan = t.controller[a, N_RING], t.controller[a, RING0], t.controller[a, SCAN]
    calls = _calls(t, lanes, vehicles, a, now)
    wake, busy, waiting, change = NEVER, 0, 0, 0
    for r in range(n_ring):
        ring = ring0 + r
        p = s.ring[ring, PHASE]
        least = s.ring[ring, FROM] + t.phase[p, MIN]
        if now < least:
            wake, busy = min(wake, _look_before(t, s, lanes, vehicles, a, ring, now, least)), busy + 1
            continue
        if s.ring[ring, CALLED] == NEVER and calls & t.phase[p, OTHERS]:
            s.ring[ring, CALLED] = s.ring[ring, FROM] if now < least + scan else now
        if s.ring[ring, CALLED] == NEVER:
            wake = min(wake, now + scan)
        until = _holds_until(t, s, lanes, vehicles, a, ring, now)
        if until > now:
            wake, busy = min(wake, until), busy + 1
            continue
        q = _next_in_group(t, s, a, r, calls, now)
        if q >= 0:
            s.ring[ring, NEXT] = q
            wake, busy = min(wake, _change(t, s, windows, a, now, now + t.phase[p, CHANGE])), busy + 1
        else:
            change = max(change, t.phase[p, CHANGE])
            waiting += 1
    if busy == 0:
        wake = _cross(t, s, windows, a, calls, now, now + change)
        waiting = 0
    if waiting or wake == NEVER:
        wake = now + scan
    return max(now + scan, -(-wake // scan) * scan)


@njit(**FAST)
def _calls(t, lanes, vehicles, a, now):
    """Phases of a controller that are called, as bits: by recall, or by a vehicle that a detector has seen."""
    calls = 0
    phase0 = t.controller[a, PHASE0]
    for p in range(phase0, t.controller[a, PHASE1]):
        called = t.phase[p, RECALL] > NO_RECALL or (t.controller[a, CYCLE] > 0 and t.phase[p, COORDINATED] > 0)
        d = t.phase[p, DET0]
        while not called and d < t.phase[p, DET1]:
            veh = lanes[t.detector[d, LANE], t.column[HEAD]]
            called = veh >= 0 and vehicles[veh, t.column[ARRIVAL]] - t.detector[d, AHEAD] <= now
            d += 1
        if called:
            calls |= 1 << (p - phase0)
    return calls


@njit(**FAST)
def _look_before(t, s, lanes, vehicles, a, ring, now, least):
    """When to look next before the least green of a ring's phase is over: its detectors have to be remembered."""
    p, begun = s.ring[ring, PHASE], s.ring[ring, FROM]
    held = t.phase[p, RECALL] == MAX_RECALL or (t.controller[a, CYCLE] > 0 and t.phase[p, COORDINATED] > 0)
    if held or t.phase[p, DET0] == t.phase[p, DET1]:
        return least
    if now < begun:
        return begun
    until, soon = _gap_out(t, s, lanes, vehicles, p, now, t.controller[a, SCAN])
    return min(least, soon if until == now else min(soon, until))


@njit(**FAST)
def _holds_until(t, s, lanes, vehicles, a, ring, now):
    """Until when the phase of a ring, past its least green, stays green at least; now where it may end."""
    p, begun, cycle = s.ring[ring, PHASE], s.ring[ring, FROM], t.controller[a, CYCLE]
    if cycle > 0 and t.phase[p, COORDINATED]:
        since = (begun - t.phase[p, YIELD]) % cycle
        return max(now, begun if since == 0 else begun + cycle - since)  # its yield point
    limit = s.ring[ring, FORCED]
    if s.ring[ring, CALLED] < NEVER:
        limit = min(limit, s.ring[ring, CALLED] + t.phase[p, MAX])
    if now >= limit:
        return now
    if t.phase[p, RECALL] == MAX_RECALL:
        return limit
    until, _ = _gap_out(t, s, lanes, vehicles, p, now, t.controller[a, SCAN])
    return min(limit, until)


@njit(**FAST)
def _gap_out(t, s, lanes, vehicles, p, now, scan):
    """Now where no detector of a phase has seen anybody for the gap, else the time to look again.

    Also the time up to which it is known whether somebody will have to stand on a detector.
    """
    gap, look, known = t.phase[p, GAP], now, NEVER
    for d in range(t.phase[p, DET0], t.phase[p, DET1]):
        lane, ahead, places = t.detector[d, LANE], t.detector[d, AHEAD], t.detector[d, PLACES]
        veh, n, standing, last = lanes[lane, t.column[HEAD]], 0, 0, s.seen[d]
        soon = now + t.detector[d, FREE]  # nobody unknown yet is here and gone before
        if ahead == 0:
            last = max(last, lanes[lane, t.column[LAST_LEAVE]])
        elif veh < 0 and lanes[lane, t.column[LAST_ARRIVAL]] - ahead <= now:
            last = max(last, lanes[lane, t.column[LAST_ARRIVAL]] - ahead)
        expected = last
        while veh >= 0:
            arrival = vehicles[veh, t.column[ARRIVAL]]
            if arrival <= now:
                standing += 1
                last = max(last, arrival - ahead)
                expected = max(expected, arrival - ahead)
            else:
                if n >= places:
                    soon = min(soon, arrival)  # it may have to stand there
                if arrival - ahead > max(now, expected + gap):
                    break
                expected = max(expected, arrival - ahead)
                if arrival - ahead <= now:
                    last = max(last, arrival - ahead)
            n += 1
            veh = vehicles[veh, t.column[FOLLOWING]]
        over = standing - places
        if over > 0:  # somebody stands on the detector or before it, and will for a while
            last = now + t.detector[d, LAG]
            soon = now + max(scan, MOVE_UP * (over - 1))
            look = max(look, soon)
        elif expected + gap > now:
            look = max(look, max(now + scan, min(soon, expected + gap)))
        known = min(known, soon)
        s.seen[d] = max(s.seen[d], last)
    return look, known


@njit(**FAST)
def _servable(t, a, q, now, begin):
    """Whether a phase that turns green at `begin` has its least green before its force-off in this cycle."""
    if t.controller[a, CYCLE] == 0 or t.phase[q, COORDINATED]:
        return True
    return begin + t.phase[q, MIN] <= _force_off(t, a, q, now)


@njit(**FAST)
def _force_off(t, a, q, now):
    """The force-off of a phase behind the last yield point of its ring."""
    return now - (now - t.phase[q, YIELD]) % t.controller[a, CYCLE] + t.phase[q, FORCE]


@njit(**FAST)
def _next_in_group(t, s, a, r, calls, now):
    """The next called phase of a ring in its group, -1 where there is none."""
    p = s.ring[t.controller[a, RING0] + r, PHASE]
    slot = t.controller[a, SLOT0] + t.phase[p, GROUP] * t.controller[a, N_RING] + r
    for q in range(p + 1, t.slot[slot, LAST]):
        if calls >> (q - t.controller[a, PHASE0]) & 1 and _servable(t, a, q, now, now + t.phase[p, CHANGE]):
            return q
    return -1


@njit(**FAST)
def _cross(t, s, windows, a, calls, now, begin):
    """All rings leave their group for the next one with a called phase; nothing happens where nobody calls.

    Returns when they turn green there, or NEVER.
    """
    n_ring, n_group, ring0 = t.controller[a, N_RING], t.controller[a, N_GROUP], t.controller[a, RING0]
    here = t.phase[s.ring[ring0, PHASE], GROUP]
    for r in range(n_ring):
        calls &= ~(1 << (s.ring[ring0 + r, PHASE] - t.controller[a, PHASE0]))
    for step in range(1, n_group + 1):
        slot0 = t.controller[a, SLOT0] + (here + step) % n_group * n_ring
        wanted, fits = False, True
        for r in range(n_ring):
            q = _entry(t, a, slot0 + r, calls, now, begin)
            wanted = wanted or calls >> (q - t.controller[a, PHASE0]) & 1 > 0
            fits = fits and _servable(t, a, q, now, begin)
        if not (wanted and fits):
            continue
        for r in range(n_ring):
            s.ring[ring0 + r, NEXT] = _entry(t, a, slot0 + r, calls, now, begin)
        return _change(t, s, windows, a, now, begin)
    return NEVER


@njit(**FAST)
def _entry(t, a, slot, calls, now, begin):
    """The first called phase of a ring in a group; where there is none the coordinated one, else the last.

    Without calls (at the start) and without a coordinated phase it is the first one.
    """
    for q in range(t.slot[slot, FIRST], t.slot[slot, LAST]):
        if calls >> (q - t.controller[a, PHASE0]) & 1 and _servable(t, a, q, now, begin):
            return q
    for q in range(t.slot[slot, FIRST], t.slot[slot, LAST]):
        if t.phase[q, COORDINATED]:
            return q
    return t.slot[slot, LAST] - 1 if calls else t.slot[slot, FIRST]


@njit(**FAST)
def _change(t, s, windows, a, now, begin):
    """Rings with a next phase end their green now and give that one green at `begin`, when they look again."""
    ring0, n_ring = t.controller[a, RING0], t.controller[a, N_RING]
    wake = NEVER
    for ring in range(ring0, ring0 + n_ring):
        p, q = s.ring[ring, PHASE], s.ring[ring, NEXT]
        s.ring[ring, PHASE], s.ring[ring, NEXT] = q, p  # first all of them: heads may pass from ring to ring
        if p != q:
            s.ring[ring, FROM] = begin
            s.ring[ring, CALLED] = NEVER
            s.ring[ring, FORCED] = NEVER
            wake = begin
            if t.controller[a, CYCLE] > 0 and not t.phase[q, COORDINATED]:
                forced = _force_off(t, a, q, now)
                s.ring[ring, FORCED] = min(forced, begin + t.phase[q, SPLIT]) if t.controller[a, FLOATING] else forced
    for ring in range(ring0, ring0 + n_ring):
        if s.ring[ring, NEXT] != s.ring[ring, PHASE]:
            _close(t, s, windows, a, s.ring[ring, NEXT], now)
    for ring in range(ring0, ring0 + n_ring):
        if s.ring[ring, NEXT] != s.ring[ring, PHASE]:
            s.ring[ring, NEXT] = s.ring[ring, PHASE]
            _open(t, s, windows, a, s.ring[ring, PHASE], begin)
    return wake


@njit(**FAST)
def _close(t, s, windows, a, p, now):
    """The heads of a phase that has ended close, but for those that a running or the next phase drives too."""
    for h in range(t.phase[p, HEAD0], t.phase[p, HEAD1]):
        w = t.head[h, WINDOW]
        if windows[w + 1, GREEN0] <= now:  # the green after the last one has come
            for column in range(N_WINDOW):
                windows[w, column] = windows[w + 1, column]
            windows[w + 1, GREEN0] = NEVER
            windows[w + 1, GREEN1] = NEVER
            if windows[w, GREEN1] < NEVER:
                _keep(t, s, windows, h)
        begun, later = _modes(t, s, a, t.head[h, SIGNAL], now)
        if begun >= 0 or (later >= 0 and t.head[h, HOLDS]):
            if later < 0:
                _settle(t, s, windows, h, begun, now + t.phase[p, CHANGE])
        elif windows[w, GREEN1] == NEVER:
            windows[w, GREEN1] = now + t.head[h, CLOSES]
            windows[w, BEHIND] = t.head[h, YELLOW]
            _keep(t, s, windows, h)
        _note(t, s, h)


@njit(**FAST)
def _open(t, s, windows, a, q, begin):
    """The heads of a phase get their green; those that have it already at most another mode."""
    for h in range(t.phase[q, HEAD0], t.phase[q, HEAD1]):
        w, length = t.head[h, WINDOW], t.head[h, LENGTH]
        begun, later = _modes(t, s, a, t.head[h, SIGNAL], begin)
        mode = max(begun, later)
        if windows[w, GREEN1] == NEVER or windows[w + 1, GREEN0] < NEVER:
            _settle(t, s, windows, h, mode, begin)
        else:
            green = begin + t.head[h, OPENS]
            _then(windows, w, green, green + length if length > 0 else NEVER, mode, 1)
        _note(t, s, h)


@njit(**FAST)
def _settle(t, s, windows, h, mode, at):
    """An open head (or one about to open) has another mode from a time on."""
    w = t.head[h, WINDOW]
    if windows[w + 1, GREEN0] < NEVER:
        windows[w + 1, GREEN_MODE] = mode
    elif windows[w, GREEN1] == NEVER and windows[w, GREEN_MODE] != mode:
        windows[w, GREEN1] = at
        windows[w, BEHIND] = 0
        _keep(t, s, windows, h)
        _then(windows, w, at, NEVER, mode, 0)


@njit(**FAST)
def _keep(t, s, windows, h):
    """Keep the running green of a head, whose end is decided, where greens are kept."""
    n = s.n_past[0]
    if n < s.past.shape[0]:
        s.past[n, PAST_SIGNAL] = t.head[h, SIGNAL]
        for column in range(N_WINDOW):
            s.past[n, PAST_WINDOW + column] = windows[t.head[h, WINDOW], column]
        s.n_past[0] = n + 1


@njit(**FAST)
def _then(windows, w, green, until, mode, fresh):
    """Write the green after the running one."""
    windows[w + 1, GREEN0] = green
    windows[w + 1, GREEN1] = until
    windows[w + 1, BEHIND] = 0
    windows[w + 1, GREEN_MODE] = mode
    windows[w + 1, FRESH] = fresh


@njit(**FAST)
def _note(t, s, h):
    """Remember that the windows of a head's signal have changed."""
    s.changed[0] += 1
    s.changed[s.changed[0]] = t.head[h, SIGNAL]


@njit(**FAST)
def _modes(t, s, a, signal, at):
    """The strongest mode in which rings drive a signal: by greens begun, and by those to come; -1 where none does."""
    begun, later = -1, -1
    for ring in range(t.controller[a, RING0], t.controller[a, RING0] + t.controller[a, N_RING]):
        p = s.ring[ring, PHASE]
        for h in range(t.phase[p, HEAD0], t.phase[p, HEAD1]):
            if t.head[h, SIGNAL] == signal:
                if s.ring[ring, FROM] <= at:
                    begun = max(begun, t.head[h, MODE])
                else:
                    later = max(later, t.head[h, MODE])
    return begun, later
