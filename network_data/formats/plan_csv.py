"""`plan.csv`: the plan for people, one row per phase."""

from __future__ import annotations

import csv
import io

from network_data.limits import cell
from network_data.network import RoadNetwork
from network_data.plans import TimingPlan
from network_data.rings import phases_of, starting_at_stage

COLUMNS = (
    "controller", "cycle_s", "offset_s", "group", "ring", "phase", "start_s", "green_s", "yellow_s", "red_clearance_s",
    "split_s", "movements", "permitted", "crossings",
)  # fmt: skip


def plan_csv(network: RoadNetwork, plan: TimingPlan) -> str:
    """The plan as CSV text, one row per phase; controllers that fit no rings get one row per interval.

    Times are seconds; `start_s` counts from the begin of the cycle. Lists are separated by spaces. Names that a
    spreadsheet would run as formulas get an apostrophe in front.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for controller_id, program in plan.controllers.items():
        controller = network.controllers[controller_id]
        groups = program.barrier_groups
        if not groups:
            program = starting_at_stage(program, controller)
            groups = phases_of(controller, network, program)
        head = [cell(controller_id), _text(program.cycle_s), _text(program.offset_s)]
        group_start_s = 0.0
        for g, group in enumerate(groups, start=1):
            for r, ring in enumerate(group.rings, start=1):
                start_s = group_start_s
                for phase in ring:
                    times = (start_s, phase.green_s, phase.yellow_s, phase.red_clearance_s, phase.split_s)
                    served = (phase.movements, phase.permitted, phase.crossings)
                    lists = (cell(" ".join(names)) for names in served)
                    writer.writerow([*head, g, r, cell(phase.name), *map(_text, times), *lists])
                    start_s += phase.split_s
            group_start_s += sum(phase.split_s for phase in group.rings[0])
        if not groups:
            now_s = 0.0
            for n, (duration_s, state) in enumerate(program.intervals, start=1):
                cells = (_text(now_s), _text(duration_s), "", "", _text(duration_s))
                writer.writerow([*head, "", "", f"interval {n}", *cells, state, "", ""])
                now_s += duration_s
    return out.getvalue()


def _text(seconds: float) -> str:
    return f"{round(seconds, 3):g}"
