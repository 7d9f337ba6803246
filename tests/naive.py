"""Naive twins: slow, obvious versions of the kernels, written apart from them, to be equal number by number.

`simulate` is the queue simulation on objects: lanes with lists, a dictionary of ticks with a stack of lanes each
(within a tick the lane entered last acts first, as in the kernel).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from sim import _tables as k

NEVER = 2_000_000_000
STOP_AND_GO, PERMITTED, PROTECTED = 0, 1, 2
# what the twin reads of the kernel's tables, by the names of their columns
LANE = ("bit", "free", "drive", "storage", "wave", "spacing", "stop", "keep_clear")
CONNECTION = ("cross", "place_cross", "loss", "approach", "pace", "speed", "to_mask", "use", "clear_gap", "start_up")
CONSTANTS = (
    "reaction", "second", "early", "n_early", "follow_up", "stop_on_red", "accel", "entry_headway",
    "entry_loss", "lane_change", "end", "count_from", "stuck", "stuck_veh", "impatience", "creep",
    "lane_ahead", "ignore", "merge",
)  # fmt: skip


@dataclass(eq=False)
class Vehicle:
    """A vehicle and where it is on its way."""

    number: int
    depart: int
    step: int
    link: int
    is_bus: bool
    length_dm: int
    slots: int
    pace: int
    standing: bool
    enter: int = 0
    arrival: int = 0
    conn: Connection | None = None
    places: list[int] = field(default_factory=list)
    by_lane: int = -1
    changed: int = NEVER


@dataclass(eq=False)
class Lane:
    """A lane or a waiting place (the row of constants beside what changes)."""

    number: int
    bit: int = 0
    free: int = 0
    drive: int = 0
    storage: int = 0
    wave: int = 0
    spacing: int = 0
    stop: int = 0
    keep_clear: int = 0
    blocker: Lane | None = None
    beside: list[Lane] = field(default_factory=list)  # left, right
    zipped: bool = False
    carry: int = 500
    is_gate: bool = False
    queue: list[Vehicle] = field(default_factory=list)
    left_at: list[int | None] = field(default_factory=list)  # per place ever taken: when it was left
    event: int = NEVER
    green_end: int = NEVER
    mode: int = 0
    yielding: bool = False
    stands_inside: bool = False
    free_at: int = -NEVER
    last_arrival: int = -NEVER
    last_leave: int = -NEVER
    last_conn: Connection | None = None
    green_start: int = -NEVER
    n_green: int = 0
    waiting: list[Lane] = field(default_factory=list)
    blocked_from: int | None = None
    gate_free: int = -NEVER

    @property
    def head(self) -> Vehicle:
        """The first in the queue."""
        return self.queue[0]

    def room_from(self, slots: int, now: int = 0, way: int = 0) -> int:
        """From when on `slots` more places are free; NEVER while those who stand there have not left.

        On the way to it are as many as will find a place, the queue goes on as its head does now.
        """
        needed = len(self.left_at) + min(slots, self.storage) - 1 - self.storage
        if needed < 0:
            return -NEVER
        left = self.left_at[needed]
        if left is not None:
            return left + self.wave
        waits = self.yielding or self.stands_inside or self.head.arrival + 5 < now or self.event > now + k.SOON
        too_many = needed >= k.ON_WAY and self.left_at[needed - k.ON_WAY] is None
        if way == 0 or slots > 1 or waits or too_many:
            return NEVER
        return self.event + k.PER_VEH * (len(self.queue) - self.storage) + self.wave - way


@dataclass(eq=False)
class Connection:
    """A turn from a lane."""

    number: int
    cross: int
    place_cross: int
    loss: int
    approach: int
    pace: int
    speed: int
    to_mask: int
    use: int
    clear_gap: int
    start_up: int
    place: Lane | None = None
    signal: Signal | None = None
    foes: list[tuple[Lane, Connection, int]] = field(default_factory=list)
    merges: list[Connection] = field(default_factory=list)

    def is_open(self, now: int) -> bool:
        """Whether its signal shows green, or there is none."""
        if self.signal is None:
            return True
        s = self.signal
        laps = [(now - s.base) // s.cycle + n for n in (-2, -1, 0, 1)]
        return any(a <= now - s.base - lap * s.cycle < b for a, b, *_ in s.windows for lap in laps)


@dataclass
class Signal:
    """Cycle, begin of a cycle, and windows (green from, to, yellow, mode, fresh) of a link index."""

    cycle: int
    base: int
    windows: list[tuple[int, int, int, int, int]]

    def next_pass(
        self, lane: Lane, t: int, arrival: int, use: int, start_up: int, const: dict[str, Any]
    ) -> tuple[int, int, int, int]:
        """(when, end of that green with the yellow used, mode, start of that green), the earliest from t on."""
        start = t - (t - self.base) % self.cycle
        options = []
        for lap in (-2, -1, 0, 1, 2):
            for a, b, yellow, mode, fresh in self.windows:
                green = start + lap * self.cycle + a
                go = max(t, green)
                if fresh and arrival < green + start_up:
                    go = max(go, green + start_up)
                nth = lane.n_green if lane.green_start == green else 0
                slow = go > arrival + 5 and nth < len(const["uses"])
                end = start + lap * self.cycle + b + min(yellow, min(use, const["uses"][nth]) if slow else use)
                if t <= go <= end:
                    options.append((go, green, end, mode))
        if not options:
            return NEVER, NEVER, 0, 0
        go, green, end, mode = min(options, key=lambda option: option[:2])
        return go, end, mode, green


@dataclass
class Result:
    """Totals by name, log rows, and what stood where at the end."""

    totals: dict[str, int]
    log: list[tuple[int, ...]]


class Simulation:
    """The queue simulation on the tables that the kernel reads."""

    def __init__(self, network: Any, plan: Any, trips: Any, const: Any) -> None:
        self.const: dict[str, Any] = {name: int(const[getattr(k, name.upper())]) for name in CONSTANTS}
        self.const["reached"] = const[k.REACHED0 : k.REACHED0 + k.N_START].tolist()
        self.const["uses"] = const[k.USE0 : k.USE0 + k.N_START].tolist()
        self.end = self.const["end"]
        self._read_network(network, plan)
        self.route = trips.route.tolist()
        self.dwell = trips.dwell.tolist()
        self.lanes_ahead = trips.lanes.tolist()
        self.vehicles = [
            Vehicle(n, depart, step, link, bool(bus), length, slots, pace, bool(standing))
            for n, (depart, step, link, bus, length, slots, pace, standing, _) in enumerate(trips.vehicle.tolist())
        ]
        self.calendar: dict[int, list[Lane]] = defaultdict(list)
        self.totals = dict.fromkeys(("delay", "stops", "blocked", "done", "entered", "gate_delay"), 0)
        self.log: list[tuple[int, ...]] = []

    def _read_network(self, network: Any, plan: Any) -> None:
        rows = network.lane.tolist()
        self.lanes = [Lane(n, **{name: row[getattr(k, name.upper())] for name in LANE}) for n, row in enumerate(rows)]
        for lane, row in zip(self.lanes, rows, strict=True):
            lane.blocker = self.lanes[row[k.BLOCKER]] if row[k.BLOCKER] >= 0 else None
            lane.beside = [self.lanes[n] for n in (row[k.LEFT], row[k.RIGHT]) if n >= 0]
        windows = [tuple(row) for row in plan.window.tolist()]
        signals = [Signal(cycle, offset, windows[a:b]) for cycle, offset, a, b in plan.signal.tolist()]
        rows = network.conn.tolist()
        self.connections = [
            Connection(n, **{name: row[getattr(k, name.upper())] for name in CONNECTION}) for n, row in enumerate(rows)
        ]
        foes = network.foe.tolist()
        for connection, row in zip(self.connections, rows, strict=True):
            connection.place = self.lanes[row[k.PLACE]] if row[k.PLACE] >= 0 else None
            connection.signal = signals[row[k.SIGNAL]] if row[k.SIGNAL] >= 0 else None
            connection.merges = [self.connections[n] for n in (row[k.MERGE_LEFT], row[k.MERGE_RIGHT]) if n >= 0]
            mine = foes[row[k.FOE0] : row[k.FOE1]]
            connection.foes = [
                (self.lanes[foe[k.FOE_LANE]], self.connections[foe[k.FOE_CONN]], foe[k.FOE_CLEAR]) for foe in mine
            ]
        pairs = network.pair.tolist()
        self.pairs = [  # by first row
            [
                (self.lanes[lane], self.connections[c] if c >= 0 else None, bool(bus))
                for lane, c, bus, *_ in pairs[a : a + row[k.PAIR_N]]
            ]
            for a, row in enumerate(pairs)
        ]
        self.gates: dict[int, Lane] = {}

    def run(self) -> Result:
        """All ticks, one after the other."""
        due = list(self.vehicles)
        for now in range(self.end):
            while due and due[0].depart <= now:
                self._join_gate(due.pop(0), now)
            stack = self.calendar[now]
            while stack:
                self._act(stack.pop(), now)
        self._close()
        return Result(self.totals, self.log)

    def _join_gate(self, vehicle: Vehicle, now: int) -> None:
        gate = self.gates.setdefault(vehicle.link, Lane(-1 - vehicle.link, is_gate=True))
        gate.queue.append(vehicle)
        if len(gate.queue) == 1:
            self._enter(gate, now)

    def _enter(self, lane: Lane, t: int) -> None:
        """Note in the calendar when a lane's head wants to leave."""
        lane.event = t
        if t < self.end:
            self.calendar[t].append(lane)

    def _plan_head(self, lane: Lane, now: int) -> None:
        """Set when the head wants to leave: arrived, lane free, signal open."""
        if not lane.queue:
            lane.event = NEVER
            return
        conn, arrival = lane.head.conn, lane.head.arrival
        t = max(now, arrival, lane.free_at)
        lane.green_end, lane.mode = NEVER, PERMITTED
        if conn is not None and conn.place is not lane:
            if conn.signal is None:
                t = max(t, arrival + conn.approach)
            else:
                t, lane.green_end, mode, green = conn.signal.next_pass(
                    lane, t, arrival, conn.use, conn.start_up, self.const
                )
                if t < NEVER:
                    lane.mode = mode
                if t < NEVER and lane.green_start != green:
                    lane.green_start, lane.n_green = green, 0
                if lane.mode == STOP_AND_GO:
                    t = max(t, arrival + self.const["stop_on_red"])
        self._enter(lane, t)

    def _act(self, lane: Lane, now: int) -> None:
        """A lane's head tries to leave."""
        if lane.is_gate:
            self._leave_gate(lane, now)
            return
        vehicle, conn = lane.head, lane.head.conn
        if conn is None:
            self._book(lane, vehicle, now, 0)
            self._remove(lane, now)
            self.totals["done"] += 1
            self._plan_head(lane, now)
        elif now > lane.green_end:
            self._plan_head(lane, now)
        else:
            self._try_turn(lane, vehicle, conn, now)

    def _leave_gate(self, gate: Lane, now: int) -> None:
        vehicle = gate.head
        target, conn = self._choose(vehicle, vehicle.step, None, now)
        room = target.room_from(vehicle.slots)
        stands = vehicle.standing and room < now
        if not stands:
            room = max(room, target.gate_free)
        if room >= NEVER:
            self._wait_for(gate, target, now)
            return
        if room > now:
            self._enter(gate, room)
            return
        lost = 0 if stands else self.const["entry_loss"]
        if vehicle.depart >= self.const["count_from"]:
            self.totals["delay"] += now - vehicle.depart + lost
            self.totals["gate_delay"] += now - vehicle.depart
        self.totals["entered"] += 1
        gate.queue.pop(0)
        if not stands:
            target.gate_free = now + self.const["entry_headway"]
        gate.event = NEVER
        if gate.queue:
            self._enter(gate, max(now, gate.head.depart))
        enter = now - target.free * vehicle.pace // 1024 if stands else now + lost
        self._put(vehicle, target, conn, now, enter, dwells=not stands)

    def _try_turn(self, lane: Lane, vehicle: Vehicle, conn: Connection, now: int) -> None:
        inside = conn.place is lane
        yields = bool(conn.foes) and (inside or lane.mode != PROTECTED)
        place = None if inside else conn.place
        waits_inside = place is not None and bool(place.queue)
        if yields and not waits_inside:
            # whoever goes on past the place comes to the conflict later
            extra = place.free + self.const["reaction"] if place is not None else 0
            waited = max(1, now - max(vehicle.arrival, lane.last_leave))
            clear = self._until_clear(conn, now, extra, waited)
            if clear is not None and place is None:
                lane.yielding, lane.stands_inside = True, False
                self._plan_head(lane, clear)
                return
            waits_inside = clear is not None
        was_inside = lane.stands_inside
        lane.yielding = lane.stands_inside = False
        if lane.blocker is not None and lane.blocker.queue and conn.place is not lane.blocker:
            self._wait_for(lane, lane.blocker, now)
            return
        merged = self._merges_at(lane, vehicle, conn, now)
        if not inside and merged > now:
            self._plan_head(lane, merged)
            return
        following: Connection | None = conn
        way = conn.place_cross if inside else conn.cross
        if place is not None and waits_inside:
            target, step, way = place, vehicle.step, 0
        else:
            step = vehicle.step + 1
            target, following = self._choose(vehicle, step, conn.to_mask, now, way)
        room = target.room_from(vehicle.slots, now, way)
        if room > now and target is not place:
            lane.stands_inside = was_inside or (bool(target.queue) and target.queue[-1].enter + k.PER_VEH > now)
        if room >= NEVER:
            self._wait_for(lane, target, now)
            return
        if room > now:
            lane.blocked_from = now if lane.blocked_from is None else lane.blocked_from
            self._plan_head(lane, room)
            return
        lost = self._leave(lane, vehicle, conn, now, yields=yields, waits_inside=waits_inside)
        vehicle.step = step
        self._put(vehicle, target, following, now, now + lost + way, dwells=not waits_inside)
        self._plan_head(lane, now)

    def _merges_at(self, lane: Lane, vehicle: Vehicle, conn: Connection, now: int) -> int:
        """From when on it may follow the last one from the lanes beside it into the lane that both lead to."""
        headway = (1000 * self.const["reaction"] + vehicle.length_dm * conn.pace) // 1000
        if now > vehicle.arrival + conn.approach + 5:
            headway = max(headway, self.const["merge"])
        return max([other.last_leave + headway for other in lane.beside if other.last_conn in conn.merges], default=now)

    def _leave(
        self, lane: Lane, vehicle: Vehicle, conn: Connection, now: int, *, yields: bool, waits_inside: bool
    ) -> int:
        """Take the head off; returns what it loses beyond the stop line."""
        if lane.blocked_from is not None:
            self.totals["blocked"] += max(0, now - max(lane.blocked_from, self.const["count_from"]))
            lane.blocked_from = None
        lost = 0
        exact = 1000 * self.const["reaction"] + vehicle.length_dm * conn.pace + lane.carry
        headway, lane.carry = divmod(exact, 1000)
        stood = now > vehicle.arrival + conn.approach + 5
        if yields and not waits_inside:
            headway = max(self.const["follow_up"], headway)
            if stood:
                lost = self._accelerating(1 if now <= lane.free_at + 5 else 0, conn)
        elif conn.signal is not None and stood:
            lost = self._accelerating(lane.n_green, conn) if lane.n_green < len(self.const["reached"]) else 0
            if lane.n_green < self.const["n_early"]:
                headway = max(headway, self.const["early" if lane.n_green else "second"])
            lane.n_green += 1
        lost += 0 if waits_inside else conn.loss
        lane.free_at = now + headway
        lane.last_leave, lane.last_conn = now, conn
        self._book(lane, vehicle, now, lost)
        self._remove(lane, now)
        self._zip_in(lane, now)
        return lost

    def _is_stuck(self, lane: Lane, now: int) -> bool:
        """Whether the head has stood for a while and does not go now."""
        if not lane.queue or max(lane.last_leave, lane.head.arrival) + self.const["stuck"] > now:
            return False
        return lane.event > now + 10 or lane.yielding or lane.stands_inside

    def _zip_in(self, lane: Lane, now: int) -> None:
        """After one of its own a lane lets one in that stands behind a stuck head in a lane beside it."""
        if lane.zipped:
            lane.zipped = False
            return
        for other in lane.beside:
            if len(other.queue) < 2 or not self._is_stuck(other, now):
                continue
            vehicle = other.queue[1]
            rows = [r for r in self.pairs[self.route[vehicle.step]] if r[0] is lane and r[2] <= vehicle.is_bus]
            if vehicle.arrival > now or vehicle.slots > 1 or not rows:
                continue
            conn = rows[0][1]
            if (conn is None or conn.is_open(now)) and lane.room_from(1) < NEVER:
                self._change(vehicle, other, lane, conn, now)
            return

    def _change(self, vehicle: Vehicle, other: Lane, lane: Lane, conn: Connection | None, now: int) -> None:
        other.queue.remove(vehicle)
        self._free_places(vehicle, other, now)
        lane.queue.insert(0, vehicle)
        vehicle.places = [len(lane.left_at)]
        lane.left_at.append(None)
        vehicle.conn, vehicle.changed = conn, now
        lane.zipped = True

    def _accelerating(self, nth: int, conn: Connection) -> int:
        """What the nth of a queue loses by accelerating beyond the stop line."""
        v = conn.speed
        reached = min(v, self.const["reached"][nth])
        return 10 * (v - reached) ** 2 // (2 * self.const["accel"] * max(v, 1))

    def _until_clear(self, conn: Connection, t: int, extra: int, waited: int) -> int | None:
        """When the first foe that leaves no gap has passed; None when the way is clear."""
        for lane, foe, in_the_way in conn.foes:
            if lane.last_conn is foe and lane.last_leave + in_the_way > t:
                return lane.last_leave + in_the_way
            stood = max(t - (lane.blocked_from or 0), waited)
            if lane.stands_inside and lane.head.conn is foe and stood < self.const["ignore"]:
                return t + 10
            if lane.yielding or lane.stands_inside or not lane.queue:
                continue
            passes = lane.event
            for n, vehicle in enumerate(lane.queue[:4]):
                if n:
                    passes = max(passes + k.PER_VEH, vehicle.arrival)
                if passes > min(t + conn.clear_gap + extra, lane.green_end):
                    break
                if vehicle.conn is foe:
                    speed = foe.speed if passes <= vehicle.arrival + 5 else self.const["creep"]
                    if passes <= t + 10 + speed * self.const["impatience"] // waited:
                        return max(passes, t) + in_the_way
        return None

    def _choose(
        self, vehicle: Vehicle, step: int, targets: int | None, now: int, way: int = 0
    ) -> tuple[Lane, Connection | None]:
        """The lane of the next link with fewest vehicles, and the turn from it."""
        rows = self.pairs[self.route[step]]
        costs = []
        for n, (lane, _, bus_only) in enumerate(rows):
            if bus_only and not vehicle.is_bus:
                continue
            cost = len(lane.queue)
            led = targets is None or bool(targets >> lane.bit & 1)
            if not led:
                cost += self.const["lane_change"]
            if not self.lanes_ahead[step] >> lane.bit & 1:
                waits = targets is None and not vehicle.standing
                cost += 20_000 if waits or not led else self.const["lane_ahead"]
            if lane.room_from(vehicle.slots, now, way) >= NEVER:
                cost += 10_000
            if targets is None and lane.gate_free > now:
                cost += 2
            if self._is_stuck(lane, now):
                cost += self.const["stuck_veh"]
            costs.append((cost, n))
        lane, conn, _ = rows[min(costs)[1]]
        return lane, conn

    def _wait_for(self, lane: Lane, target: Lane, now: int) -> None:
        lane.event = NEVER
        target.waiting.append(lane)
        lane.blocked_from = now if lane.blocked_from is None else lane.blocked_from

    def _put(
        self, vehicle: Vehicle, lane: Lane, conn: Connection | None, now: int, enter: int, *, dwells: bool
    ) -> None:
        """Append a vehicle to a lane's queue."""
        arrival = enter + lane.drive * vehicle.pace // 1024
        if self.dwell and dwells:
            arrival += self.dwell[vehicle.step]
        arrival = max(arrival, lane.last_arrival + lane.spacing)
        lane.last_arrival = arrival
        vehicle.enter, vehicle.arrival, vehicle.conn = enter, arrival, conn
        vehicle.by_lane, vehicle.changed = lane.number, NEVER
        vehicle.places = list(range(len(lane.left_at), len(lane.left_at) + min(vehicle.slots, lane.storage)))
        lane.left_at += [None] * len(vehicle.places)
        lane.queue.append(vehicle)
        if len(lane.queue) == 1:
            self._plan_head(lane, now)

    def _remove(self, lane: Lane, now: int) -> None:
        self._free_places(lane.queue.pop(0), lane, now)

    def _free_places(self, vehicle: Vehicle, lane: Lane, now: int) -> None:
        """Wake those who wait for a vehicle's place, who came last first."""
        for place in vehicle.places:
            lane.left_at[place] = now
        waiting, lane.waiting = lane.waiting, []
        for other in reversed(waiting):
            self._enter(other, now + max(1, lane.wave + lane.keep_clear))

    def _free_until(self, lane: Lane, vehicle: Vehicle) -> int:
        """When it would leave at its own speed, its stop on the link made."""
        in_place = vehicle.conn is not None and vehicle.conn.place is lane
        stop = self.dwell[vehicle.step] if self.dwell and not in_place else 0
        return vehicle.enter + lane.free * vehicle.pace // 1024 + stop

    def _book(self, lane: Lane, vehicle: Vehicle, leave: int, lost: int) -> None:
        delay = leave + lost - self._free_until(lane, vehicle)
        if vehicle.depart >= self.const["count_from"]:
            self.totals["delay"] += delay
            self.totals["stops"] += delay > lane.stop
        conn = vehicle.conn.number if vehicle.conn is not None else -1
        row = (vehicle.number, lane.number, conn, vehicle.enter, vehicle.arrival, leave, delay, vehicle.step)
        self.log.append((*row, vehicle.by_lane, vehicle.changed))

    def _close(self) -> None:
        for lane in self.lanes:
            if lane.blocked_from is not None:
                self.totals["blocked"] += self.end - max(lane.blocked_from, self.const["count_from"])
            for vehicle in lane.queue:
                if self.end > self._free_until(lane, vehicle):
                    self._book(lane, vehicle, self.end, 0)
        for gate in self.gates.values():
            for vehicle in gate.queue:
                if vehicle.depart >= self.const["count_from"]:
                    self.totals["delay"] += self.end - vehicle.depart
                    self.totals["gate_delay"] += self.end - vehicle.depart


def simulate(network: Any, plan: Any, trips: Any, const: Any) -> Result:
    """Run the twin on the kernel's tables."""
    return Simulation(network, plan, trips, const).run()
