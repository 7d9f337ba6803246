"""Controllers, heads, timing plans and their hours out of GMNS's signal tables.

**Offset.** GMNS: `offset` seconds after the same point of the master controller (`coord_contr_id`; its own row states
that controller's offset from midnight) comes the point `coord_ref_to` (begin of green, yellow or red) of `coord_phase`.
Ours: the second after midnight, modulo the cycle, at which the first phase of the first ring turns green.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from network_data.formats.gmns.check import MISSING, TIME_DAY, Package
from network_data.formats.gmns.rings import (
    DEFAULT_CLEARANCE_S,
    YELLOW_S,
    Groups,
    Slot,
    TimingPhase,
    arranged,
    intervals_of,
    levelled,
    slots_of,
)
from network_data.limits import number
from network_data.plans import BarrierGroup, ControllerPlan, Phase
from network_data.schedule import ControllerDay, DayPlan, Switch

HOURS = re.compile(r"(\d\d):?(\d\d)")
DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat", "holiday")


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """When a timing plan runs: days (of `DAYS`) and seconds after midnight."""

    plan_id: str
    days: tuple[str, ...]
    begin_s: float
    end_s: float


@dataclass
class GmnsSignals:
    """What the signal tables say, ready for a network: heads by link index, programs by plan, hours."""

    heads: dict[str, list[str]] = field(default_factory=dict)  # controller → movement ids by link index
    crossings: dict[str, dict[str, int]] = field(default_factory=dict)  # controller → crossing link → link index
    node_of: dict[str, str] = field(default_factory=dict)
    programs: dict[str, list[ControllerPlan]] = field(default_factory=dict)
    windows: list[Window] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def day(self, name: str) -> DayPlan:
        """The plans of a day of the week: the free plan (or the last) outside all hours."""
        out = {}
        for controller_id, programs in self.programs.items():
            by_plan = {program.program_id: program for program in programs}
            timed = {window.plan_id for window in self.windows}
            rest = next((p for p in programs if p.program_id not in timed), programs[-1])
            switches = {0.0: rest}
            for window in sorted(self.windows, key=lambda w: w.begin_s):
                if name in window.days and window.plan_id in by_plan:
                    switches[window.begin_s] = by_plan[window.plan_id]
                    if window.end_s < 86_400:
                        switches.setdefault(window.end_s, rest)
            rows = tuple(Switch(at_s, program) for at_s, program in sorted(switches.items(), key=lambda x: x[0]))
            out[controller_id] = ControllerDay(controller_id=controller_id, switches=rows)
        return DayPlan(controllers=out)


def signals_of(package: Package, movements: Mapping[str, str]) -> GmnsSignals:
    """The signals of a package.

    Parameters
    ----------
    package : Package
        Checked tables.
    movements : mapping
        Movements that vehicles may make → their names in the network.
    """
    out = GmnsSignals()
    if not package.rows("signal_controller").values:
        return out
    reader = _Reader(package, out, movements)
    reader.heads(movements)
    reader.programs()
    reader.hours()
    return out


@dataclass
class _Served:
    movements: list[str] = field(default_factory=list)
    permitted: list[str] = field(default_factory=list)
    crossings: list[str] = field(default_factory=list)


@dataclass
class _Coordination:
    phase: int | None
    ref_to: str
    offset_s: float
    master: str


class _Reader:
    def __init__(self, package: Package, out: GmnsSignals, names: Mapping[str, str]) -> None:
        self.package, self.out, self.names = package, out, names
        self.plan_owner = {v["timing_plan_id"]: v["controller_id"] for _, v in package.rows("signal_timing_plan")}
        self.phase_row = {v["timing_phase_id"]: v for _, v in package.rows("signal_timing_phase")}
        # controller → plan ("" for all) → movement or crossing → phase → protection
        self.serves: dict[str, dict[str, dict[str, dict[int, str]]]] = defaultdict(
            lambda: defaultdict(lambda: defaultdict(dict))
        )

    def heads(self, movements: Collection[str]) -> None:
        """Which controller signals which movement, in the order of the table."""
        at = {v["mvmt_id"]: v["node_id"] for _, v in self.package.rows("movement")}
        walks: dict[str, list[str]] = defaultdict(list)
        crossing_node = self._crossing_nodes()
        for _, values in self.package.rows("signal_phase_mvmt"):
            mvmt, link = values.get("mvmt_id", ""), values.get("link_id", "")
            place = at.get(mvmt) if mvmt not in MISSING else crossing_node.get(link)
            owner = self._owner(values, place)
            if owner is None:
                continue
            plan, phase = self._plan_and_phase(values)
            protection = values.get("protection", "") or "protected"
            name = mvmt if mvmt not in MISSING else link
            self.serves[owner][plan][name][phase] = protection
            if mvmt in movements:
                self.out.heads.setdefault(owner, [])
                if mvmt not in self.out.heads[owner]:
                    self.out.heads[owner].append(mvmt)
                self.out.node_of[owner] = str(place)
            elif link not in MISSING and link not in walks[owner]:
                walks[owner].append(link)
        for owner, rows in walks.items():
            first = len(self.out.heads.get(owner, ()))
            if owner in self.out.node_of:
                self.out.crossings[owner] = {link: first + n for n, link in enumerate(rows)}

    def _crossing_nodes(self) -> dict[str, str]:
        """Crossing link → the road node its ends belong to."""
        parent = {v["node_id"]: v.get("parent_node_id", "") for _, v in self.package.rows("node")}
        out = {}
        for _, values in self.package.rows("link"):
            ends = [parent.get(values[end], "") for end in ("from_node_id", "to_node_id")]
            out[values["link_id"]] = next((node for node in ends if node not in MISSING), "")
        return out

    def _owner(self, values: Mapping[str, str], node: str | None) -> str | None:
        """The controller of a row: as it says, the one with the node's name, or the one of its timing plan."""
        controllers = {v["controller_id"] for _, v in self.package.rows("signal_controller")}
        if values.get("controller_id", "") in controllers:
            return values["controller_id"]
        if node in controllers:
            return node
        plan, _ = self._plan_and_phase(values)
        return self.plan_owner.get(plan)

    def _plan_and_phase(self, values: Mapping[str, str]) -> tuple[str, int]:
        row = self.phase_row.get(values.get("timing_phase_id", ""))
        if row is None:
            return "", int(number(values["signal_phase_num"]))
        return row.get("timing_plan_id", ""), int(number(row["signal_phase_num"]))

    def _blocks(self) -> dict[str, dict[str, list[TimingPhase]]]:
        """Plan → controller → its phases: where a phase number comes again in a plan, the next controller begins."""
        others: dict[str, list[str]] = defaultdict(list)
        for _, values in self.package.rows("signal_coordination"):
            others[values["timing_plan_id"]].append(values["controller_id"])
        out: dict[str, dict[str, list[TimingPhase]]] = defaultdict(dict)
        for _, values in self.package.rows("signal_timing_phase"):
            plan = values.get("timing_plan_id", "")
            owner = self.plan_owner.get(plan, "")
            order = [owner, *(c for c in others[plan] if c != owner)]
            phase = _timing_phase(values)
            for controller_id in order:
                rows = out[plan].setdefault(controller_id, [])
                later = order[order.index(controller_id) + 1 :]
                if all(p.number != phase.number for p in rows) and not any(out[plan].get(c) for c in later):
                    rows.append(phase)
                    break
        return out

    def programs(self) -> None:
        """One program per controller and timing plan."""
        coordination = self._coordination()
        for plan, blocks in self._blocks().items():
            cycle = next(
                (
                    v.get("cycle_length", "")
                    for _, v in self.package.rows("signal_timing_plan")
                    if v["timing_plan_id"] == plan
                ),
                "",
            )
            cycle_s = number(cycle) if cycle not in MISSING and number(cycle) > 0 else None
            made: dict[str, Groups] = {}
            for controller_id, phases in blocks.items():
                if phases and controller_id in self.out.heads:
                    groups = self._program(plan, controller_id, phases, cycle_s, coordination)
                    if groups is not None:
                        made[controller_id] = groups
            for controller_id, groups in made.items():
                self._add(plan, controller_id, groups, coordination, cycle_s is None)

    def _program(
        self,
        plan: str,
        controller_id: str,
        phases: Sequence[TimingPhase],
        cycle_s: float | None,
        coordination: Mapping[tuple[str, str], _Coordination],
    ) -> Groups | None:
        where = f"controller {controller_id!r} timing plan {plan!r}"
        groups, said = arranged(phases, cycle_s)
        if said:
            self.out.notes.append(f"{where}: {said}")
        if groups is None:
            return None
        row = coordination.get((plan, controller_id))
        level = levelled(groups, cycle_s, row.phase if row else None)
        if cycle_s is not None and level != groups:
            total = sum(max(sum(p.split_s for p in r) for r in rings.values()) for rings in groups.values())
            self.out.notes.append(
                f"{where}: its phases add up to {total:g} s, the cycle is {cycle_s:g} s: "
                "the coordinated phase gets the rest"
            )
        return level

    def _add(
        self,
        plan: str,
        controller_id: str,
        groups: Groups,
        coordination: Mapping[tuple[str, str], _Coordination],
        free: bool,
    ) -> None:
        slots = slots_of(groups)
        heads = self.out.heads[controller_id]
        walks = self.out.crossings.get(controller_id, {})
        rows = [self._phases_of(controller_id, plan, name) for name in (*heads, *walks)]
        intervals = intervals_of(slots, rows, set(walks.values()))
        cycle_s = sum(interval.duration_s for interval in intervals)
        offset_s = _offset_s(plan, controller_id, slots, coordination) % cycle_s
        self.out.programs.setdefault(controller_id, []).append(
            ControllerPlan(
                controller_id=controller_id,
                program_id=plan,
                offset_s=round(offset_s, 6) % cycle_s,
                intervals=intervals,
                barrier_groups=_barrier_groups(groups, self._served(controller_id, rows)),
                actuated=free,
            )
        )

    def _served(self, controller_id: str, rows: Sequence[Mapping[int, str]]) -> dict[int, _Served]:
        """Phase → the network's names of what it serves."""
        heads = [self.names[mvmt] for mvmt in self.out.heads[controller_id]]
        node = self.out.node_of[controller_id]
        names = [*heads, *(f"x:{node}:{n}" for n in range(len(rows) - len(heads)))]
        out: dict[int, _Served] = defaultdict(_Served)
        for k, (name, phases) in enumerate(zip(names, rows, strict=True)):
            for phase, protection in phases.items():
                served = out[phase]
                target = served.permitted if protection == "permitted" else served.movements
                target = served.crossings if k >= len(heads) else target
                if protection != "rtor" and name not in target:
                    target.append(name)
        return out

    def _phases_of(self, controller_id: str, plan: str, name: str) -> dict[int, str]:
        """Phase → protection of a movement or crossing under a plan."""
        plans = self.serves[controller_id]
        return plans[plan].get(name) or plans[""].get(name) or {}

    def _coordination(self) -> dict[tuple[str, str], _Coordination]:
        out = {}
        for _, values in self.package.rows("signal_coordination"):
            phase, offset = values.get("coord_phase", ""), values.get("offset", "")
            out[values["timing_plan_id"], values["controller_id"]] = _Coordination(
                phase=int(number(phase)) if phase not in MISSING else None,
                ref_to=values.get("coord_ref_to", "") or "begin_of_green",
                offset_s=number(offset) if offset not in MISSING else 0.0,
                master=values.get("coord_contr_id", "") or values["controller_id"],
            )
        return out

    def hours(self) -> None:
        """When each plan runs; a plan whose hours cannot be read runs at none."""
        for row, values in self.package.rows("signal_timing_plan"):
            text = values.get("time_day", "")
            if text in MISSING:
                continue
            if TIME_DAY.fullmatch(text) is None:
                self.out.notes.append(
                    f"signal_timing_plan.csv: row {row}: its hours {text!r} cannot be read: it runs at none"
                )
                continue
            flags, begin, end = text.split("_")
            days = tuple(day for day, flag in zip(DAYS, flags, strict=True) if flag == "1")
            begin_s, end_s = (_clock_s(part) for part in (begin, end))
            self.out.windows.append(Window(plan_id=values["timing_plan_id"], days=days, begin_s=begin_s, end_s=end_s))


def _clock_s(text: str) -> float:
    found = HOURS.fullmatch(text)
    return 3600.0 * int(found[1]) + 60 * int(found[2]) if found else 0.0


def _timing_phase(values: Mapping[str, str]) -> TimingPhase:
    def value(name: str, default: float = 0.0) -> float:
        text = values.get(name, "")
        return number(text) if text not in MISSING else default

    clearance_s = value("clearance", DEFAULT_CLEARANCE_S)
    yellow_s = min(YELLOW_S, clearance_s)
    minimum_s = value("min_green")
    return TimingPhase(
        number=int(value("signal_phase_num")),
        ring=int(value("ring")),
        barrier=int(value("barrier")),
        position=int(value("position")),
        green_s=value("max_green", minimum_s) or minimum_s,
        yellow_s=yellow_s,
        red_s=clearance_s - yellow_s,
        min_green_s=minimum_s,
        walk_s=value("walk_time"),
        walk_clearance_s=value("ped_clearance"),
    )


def reference_s(slots: Sequence[Slot], phase: int | None, ref_to: str) -> float:
    """Where in the local cycle (0: the first phase of the first ring turns green) the reference point lies. [s]"""
    slot = next((s for s in slots if s.phase.number == phase), slots[0])
    points = {"begin_of_green": slot.start_s, "begin_of_yellow": slot.green_end_s, "begin_of_red": slot.yellow_end_s}
    return points[ref_to]


def _offset_s(
    plan: str,
    controller_id: str,
    slots: Sequence[Slot],
    coordination: Mapping[tuple[str, str], _Coordination],
) -> float:
    """The second after midnight at which the first phase of the first ring turns green. [s]"""
    row = coordination.get((plan, controller_id))
    if row is None:
        return 0.0
    at_s = row.offset_s
    if row.master != controller_id:
        master = coordination.get((plan, row.master))
        at_s += master.offset_s if master is not None else 0.0
    return at_s - reference_s(slots, row.phase, row.ref_to)


def _barrier_groups(groups: Groups, served: Mapping[int, _Served]) -> tuple[BarrierGroup, ...]:
    """The rings as our records."""
    return tuple(
        BarrierGroup(
            rings=tuple(
                tuple(_phase(phase, served.get(phase.number, _Served())) for phase in ring) for ring in rings.values()
            )
        )
        for rings in groups.values()
    )


def _phase(phase: TimingPhase, served: _Served) -> Phase:
    return Phase(
        name=str(phase.number),
        movements=tuple(served.movements),
        permitted=tuple(served.permitted),
        crossings=tuple(served.crossings),
        green_s=phase.green_s,
        yellow_s=phase.yellow_s,
        red_clearance_s=phase.red_s,
        min_green_s=min(phase.min_green_s, phase.green_s),
        max_green_s=phase.green_s,
    )
