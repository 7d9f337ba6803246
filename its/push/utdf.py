"""A controller's timing as UTDF text: the sections Timeplans and Phases of the combined CSV form (UTDF 2006)."""

from __future__ import annotations

from its.push.targets import Profile, Target
from its.push.timing import timing_of
from network_data.plans import ControllerPlan, Phase

N_COLUMNS = 8
BEGIN_OF_GREEN = 0
PRETIMED = 0


def utdf_text(plan: ControllerPlan, target: Target, profile: Profile) -> str:
    """The timing of one controller.

    `BRP` is barrier, ring and position of a phase. Maximum green is the split less yellow and red clearance: the plan
    is pretimed. The offset is referenced to the begin of green of the first coordinated phase, where there is one.
    """
    numbered = target.phases or {p.name: n for n, p in enumerate(_phases(plan), start=1)}
    known = target.model_copy(
        update={"phases": numbered, "coordinated": target.coordinated or (min(numbered.values()),)}
    )
    timing = timing_of(plan, known, profile.model_copy(update={"offset_at": "coordinated-green"}))
    by_number = {numbered[p.name]: p for p in _phases(plan)}
    columns = range(1, max(N_COLUMNS, *by_number) + 1)
    brp = _positions(plan, numbered)
    rows: dict[str, dict[int, float]] = {
        "BRP": dict(brp),
        "MinGreen": {n: p.min_green_s for n, p in by_number.items()},
        "MaxGreen": {n: p.green_s for n, p in by_number.items()},
        "Yellow": {n: p.yellow_s for n, p in by_number.items()},
        "AllRed": {n: p.red_clearance_s for n, p in by_number.items()},
    }
    name = target.there
    lines = ["[Timeplans]", "Timing Plan Settings", "RECORDNAME,INTID,DATA"]
    lines += [f"Control Type,{name},{PRETIMED}", f"Cycle Length,{name},{timing.cycle_s:.1f}"]
    lines += [f"Referenced To,{name},{BEGIN_OF_GREEN}", f"Reference Phase,{name},{min(timing.coordinated)}"]
    lines += [f"Offset,{name},{timing.offset_s:.1f}", ""]
    lines += ["[Phases]", "Phasing Data", "RECORDNAME,INTID," + ",".join(f"D{n}" for n in columns)]
    for record, values in rows.items():
        cells = [f"{values[n]:g}" if n in values else "" for n in columns]
        lines.append(f"{record},{name}," + ",".join(cells))
    return "\n".join(lines) + "\n"


def _phases(plan: ControllerPlan) -> list[Phase]:
    return [phase for group in plan.barrier_groups for ring in group.rings for phase in ring]


def _positions(plan: ControllerPlan, numbered: dict[str, int]) -> dict[int, float]:
    return {
        numbered[phase.name]: 100 * barrier + 10 * ring + position
        for barrier, group in enumerate(plan.barrier_groups, start=1)
        for ring, phases in enumerate(group.rings, start=1)
        for position, phase in enumerate(phases, start=1)
    }
