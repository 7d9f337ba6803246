"""An actuated controller once more, plain and slow: it looks at every scan and remembers everything it has seen."""

from sim import _tables as c

NEVER = c.NEVER
SPEED_MPS, ROOM_M = 15.0, 7.5


def ticks(seconds):
    return round(seconds * 10)


class Ring:
    def __init__(self, number, phase, group):
        self.number, self.phase, self.group = number, phase, group
        self.begun, self.called, self.forced = 0, None, None


class Twin:
    """Same rules, same calls as the compiled controller; `shows[h]` is a list of [from, until, letter]."""

    def __init__(self, actuated, n_lane, begin_s):
        self.a = actuated
        self.cycle = None if actuated.cycle_s is None else ticks(actuated.cycle_s)
        self.zero = ticks(actuated.offset_s - begin_s)
        self.scan = ticks(actuated.scan_s)
        self.shows = [[] for _ in range(n_lane)]
        self.seen = {}

    def start(self):
        group = next(
            (g for g, rings in enumerate(self.a.groups) if self.cycle and any(p.coordinated for p in rings[0])), 0
        )
        self.rings = []
        for r, ring in enumerate(self.a.groups[group]):
            phase = next((p for p in ring if p.coordinated and self.cycle), ring[0])
            self.rings.append(Ring(r, phase, group))
        for ring in self.rings:
            self.claim(ring.phase, 0)
        return self.scan

    def decide(self, traffic, now):
        called = [p for p in self.a.phases if self.is_called(p, traffic, now)]
        free = []
        for ring in self.rings:
            p = ring.phase
            past_least = now >= ring.begun + ticks(p.min_green_s)
            if now >= ring.begun:
                self.look(p, traffic, now)
            if not past_least:
                continue
            if ring.called is None and any(q in called for q in self.others(ring)):
                ring.called = ring.begun if now < ring.begun + ticks(p.min_green_s) + self.scan else now
            if not self.may_end(ring, now):
                continue
            order = self.a.groups[ring.group][ring.number]
            following = [q for q in order[order.index(p) + 1 :] if q in called and self.fits(ring.number, q, now, p)]
            if following:
                self.change([(ring, following[0])], now, now + ticks(p.change_s))
            else:
                free.append(ring)
        if len(free) == len(self.rings):
            self.cross([q for q in called if q not in [r.phase for r in self.rings]], now)
        return now + self.scan

    def others(self, ring):
        """Phases that cannot be green beside the ring's."""
        return [
            q
            for g, rings in enumerate(self.a.groups)
            for r, order in enumerate(rings)
            for q in order
            if q is not ring.phase and (g != ring.group or r == ring.number)
        ]

    def is_called(self, p, traffic, now):
        if p.recall != "none" or (self.cycle and p.coordinated):
            return True
        for d in p.detectors:
            head = traffic.lanes[int(d.link_id[1:]), c.HEAD]
            if head >= 0 and traffic.vehicles[head, c.ARRIVAL] - ticks(d.distance_m / SPEED_MPS) <= now:
                return True
        return False

    def look(self, p, traffic, now):
        """Last detection of every detector of a phase; who stands on or before it stays until the queue moves there."""
        for d in p.detectors:
            lane, ahead = int(d.link_id[1:]), ticks(d.distance_m / SPEED_MPS)
            veh, standing = traffic.lanes[lane, c.HEAD], 0
            times = [self.seen.get(d, -NEVER)]
            while veh >= 0:
                arrival = int(traffic.vehicles[veh, c.ARRIVAL])
                standing += arrival <= now
                if arrival - ahead <= now:
                    times.append(arrival - ahead)
                veh = traffic.vehicles[veh, c.NEXT]
            if standing > int(d.distance_m // ROOM_M):
                times.append(now + ticks(d.distance_m / 6.0))
            if ahead == 0:
                times.append(int(traffic.lanes[lane, c.LAST_LEAVE]))
            self.seen[d] = max(times)

    def may_end(self, ring, now):
        p = ring.phase
        if self.cycle and p.coordinated:
            yields = range(self.point(p.force_off_s, now) - 3 * self.cycle, now + 1, self.cycle)
            return any(ring.begun <= t <= now for t in yields)
        if ring.forced is not None and now >= ring.forced:
            return True
        if ring.called is not None and now >= ring.called + ticks(p.max_green_s):
            return True
        if p.recall == "maximum":
            return False
        return all(now - self.seen[d] >= ticks(p.gap_s) for d in p.detectors)

    def point(self, cycle_time_s, now):
        """Last time up to now at which the cycle was at some second."""
        return now - (now - self.zero - ticks(cycle_time_s)) % self.cycle

    def coordinated(self, r):
        return next(p for group in self.a.groups for p in group[r] if p.coordinated)

    def force_off(self, r, q, now):
        """The force-off of q behind the last yield point of its ring."""
        last_yield = self.point(self.coordinated(r).force_off_s, now)
        t = self.point(q.force_off_s, last_yield)
        return t + self.cycle if t <= last_yield else t

    def fits(self, r, q, now, after):
        if not self.cycle or q.coordinated:
            return True
        return self.begin_after(now, after) + ticks(q.min_green_s) <= self.force_off(r, q, now)

    def begin_after(self, now, after):
        return now + (max(ticks(p.change_s) for p in after) if isinstance(after, list) else ticks(after.change_s))

    def cross(self, called, now):
        here, running = self.rings[0].group, [ring.phase for ring in self.rings]
        n = len(self.a.groups)
        for step in range(1, n + 1):
            group = (here + step) % n
            entries = []
            for r, order in enumerate(self.a.groups[group]):
                wanted = [q for q in order if q in called and self.fits(r, q, now, running)]
                held = [q for q in order if q.coordinated]
                entries.append((wanted or held or [order[-1]])[0])
            if not any(q in called for q in entries):
                continue
            if not all(self.fits(r, q, now, running) for r, q in enumerate(entries)):
                continue
            pairs = [(ring, q) for ring, q in zip(self.rings, entries, strict=True) if q is not ring.phase]
            self.change(pairs, now, self.begin_after(now, running), group)
            return

    def change(self, pairs, now, begin, group=None):
        """Some rings end their phase now and begin another."""
        ended = []
        for ring, q in pairs:
            ended.append(ring.phase)
            ring.phase, ring.begun, ring.called, ring.forced = q, begin, None, None
            ring.group = ring.group if group is None else group
            if self.cycle and not q.coordinated:
                ring.forced = self.force_off(ring.number, q, now)
                if self.a.force_off == "floating":
                    ring.forced = min(ring.forced, begin + ticks(q.split_green_s))
        for p in ended:
            for head in p.heads:
                self.release(p, head, now, begin)
        for _, q in pairs:
            self.claim(q, begin)

    def release(self, p, head, now, begin):
        """A phase lets go of a head: with yellow, or through its change where another phase will have it."""
        claim = next(x for x in reversed(self.shows[head.link_index]) if x[3] is p)
        if claim[1] != NEVER:
            return
        others = [r for r in self.rings if head.link_index in [h.link_index for h in r.phase.heads]]
        if any(r.begun <= now for r in others):
            claim[1] = now  # the other ring's claim goes on, with the same letter
        elif others and head.holds:
            claim[1] = begin
        else:
            claim[1] = now + ticks(head.closes_s)
            self.shows[head.link_index].append([claim[1], claim[1] + ticks(head.yellow_s), "y", None])

    def claim(self, q, begin):
        """A phase takes its heads, from its start on or before, where they are not green already."""
        for head in q.heads:
            show = self.shows[head.link_index]
            held = any(letter != "y" and until >= begin for _, until, letter, _ in show)
            opens = begin + (0 if held else ticks(head.opens_s))
            until = NEVER if head.length_s is None else opens + ticks(head.length_s)
            show.append([opens, until, head.letter, q])

    def letters(self, now):
        """The strongest letter of all who have a head."""
        return "".join(self.strongest(show, now) for show in self.shows)

    def strongest(self, show, now):
        shown = {letter for begin, until, letter, _ in show if begin <= now < until}
        return next((letter for letter in "Ggy" if letter in shown), "r")
