"""Push: 200 real agents pushed and verified; faults injected and survived; what the agents hold, driven in SUMO."""

from __future__ import annotations

import os
import random
import resource
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks._push_agents import SECRETS, SNMPD, Agent, cells_of, free_ports, wait_until_up
from benchmarks._push_district import changed, district, in_sumo, read_back
from benchmarks._push_street import KINDS, STEPPED, Fault, fresh_street
from benchmarks.tables import Cell, Column, Options, Table
from its.push.rollout import Push, chosen_corridors, new_push_id, roll_out
from its.push.targets import Targets
from its.store.times import utc_now
from network_data.plans import ControllerPlan, TimingPlan

N_AGENTS, N_QUICK = 200, 12
N_FAULTS, N_QUICK_FAULTS = 144, 18
LAST_STEP = 48
BEGIN_S, END_S, SEED = 27_000.0, 28_800.0, 42
TITLE = "Push: real agents (snmpd, SNMPv3 authPriv)"
CASES = ("agents", "faults", "rehearsal")
COLUMNS = (
    Column(key="case", heading="case"),
    Column(key="what", heading="what"),
    Column(key="n", heading="n", spec="d"),
    Column(key="good", heading="good", spec="d"),
    Column(key="seconds", heading="s", spec=".1f"),
    Column(key="per_s", heading="per s", spec=".1f"),
    Column(key="figure", heading="figure"),
)

Row = dict[str, Cell]


def benchmark(options: Options) -> Table:
    """All cases; quick: fewer agents and faults."""
    if SNMPD is None:
        return Table(title=TITLE, columns=COLUMNS, rows=[], notes=["snmpd is not installed: apt-get install snmpd"])
    os.environ.update(SECRETS)
    names = options.chosen(CASES, CASES)
    rows: list[Row] = []
    if "agents" in names or "rehearsal" in names:
        rows += _agents(N_QUICK if options.quick else N_AGENTS, options, rehearse="rehearsal" in names)
    if "faults" in names:
        rows += _faults(N_QUICK_FAULTS if options.quick else N_FAULTS, options)
    return Table(
        title=TITLE,
        columns=COLUMNS,
        rows=rows,
        notes=[
            "agents: controllers of our reading of the standard behind snmpd (database transaction and all); each is "
            "identified, read, gated, written, verified, read back, switched, watched once and read back again",
            "faults: two controllers as one corridor; good is where each holds the old plan or the new one, whole, the "
            "corridor is not torn, and the journal says which, at once or after one rerun",
            "rehearsal: values read off the wire by a witness make the programs that SUMO runs",
        ],
        failed=any(row["good"] != row["n"] for row in rows),
    )


def _targets(agents: list[Agent], processes: int) -> Targets:
    profile = {"watch_s": 0.0, "clock_s": None, "timeout_s": 5.0}
    order = {
        "processes": processes,
        "wave": 1000,
        "requests_per_s": 1000.0,
        "controllers_per_min": 1e9,
        "min_change_s": 0.0,
    }
    entries = tuple(agent.target(patterns=(2, 3), splits=(2, 3)) for agent in agents)
    return Targets.model_validate({"profile": {"default": profile}, "order": order, "controller": entries})


def _agents(n: int, options: Options, *, rehearse: bool) -> list[Row]:
    """Push to n agents: the district's controllers, over and over."""
    _, field = district()
    templates = _repeated(field.controllers, n)
    plan = TimingPlan(controllers={name: changed(program) for name, program in templates.items()})
    folder = Path(tempfile.mkdtemp(prefix="its-push-"))
    ports = free_ports(n)
    agents = [
        Agent(name, port, folder / name, cells_of(templates[name])) for name, port in zip(templates, ports, strict=True)
    ]
    rows: list[Row] = []
    try:
        begin_s = time.monotonic()
        for agent in agents:
            agent.start()
        wait_until_up(agents, limit_s=300.0)
        options.say(f"{n} agents up after {time.monotonic() - begin_s:.1f} s")
        processes = os.cpu_count() or 1
        targets = _targets(agents, processes)
        push = Push(
            push_id=new_push_id("bench", utc_now()), plan_id="0" * 64, plan=plan, targets=targets, folder=folder / "j"
        )
        begin_s, cpu_s = time.monotonic(), _processor_s()
        results = roll_out(push, chosen_corridors(targets, plan))
        spent_s, cpu_s = time.monotonic() - begin_s, _processor_s() - cpu_s
        new = sum(result.state == "new" for result in results)
        for text in [text for result in results for text in result.reasons][:5]:
            options.say(text)
        held = read_back(agents, templates)
        same = sum(_same(held.controllers[name], plan.controllers[name]) for name in templates)
        figure = f"witness reads {same} as pushed; {1000 * cpu_s / n:.0f} ms processor each (agents' apart)"
        rows.append(
            {
                "case": "agents", "what": f"controllers, {processes} processes", "n": n, "good": min(new, same),
                "seconds": spent_s, "per_s": n / spent_s, "figure": figure,
            }
        )  # fmt: skip
        if rehearse:
            rows += _rehearsal(field, plan, held)
    finally:
        for agent in agents:
            agent.stop()
        shutil.rmtree(folder, ignore_errors=True)
    return rows


def _processor_s() -> float:
    """Processor time of this process and of its ended ones. [s]"""
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def _repeated(programs: Mapping[str, ControllerPlan], n: int) -> dict[str, ControllerPlan]:
    """The first n of: the programs as they are, then again under further names."""
    names = list(programs)
    out: dict[str, ControllerPlan] = {}
    for k in range(n):
        name = names[k % len(names)]
        copy = name if k < len(names) else f"{name}-{k // len(names)}"
        out[copy] = replace(programs[name], controller_id=copy)
    return out


def _same(a: ControllerPlan, b: ControllerPlan) -> bool:
    return (a.cycle_s, a.offset_s, a.intervals) == (b.cycle_s, b.offset_s, b.intervals)


def _rehearsal(field: TimingPlan, plan: TimingPlan, held: TimingPlan) -> list[Row]:
    """SUMO under the plan that was pushed, and under what the agents hold: their delays, vehicle for vehicle."""

    def part(of: TimingPlan) -> TimingPlan:
        return TimingPlan(controllers={name: of.controllers[name] for name in field.controllers})

    begin_s = time.monotonic()
    pushed = in_sumo(part(plan), begin_s=BEGIN_S, end_s=END_S, seed=SEED)
    driven = in_sumo(part(held), begin_s=BEGIN_S, end_s=END_S, seed=SEED)
    before = in_sumo(field, begin_s=BEGIN_S, end_s=END_S, seed=SEED)
    equal = pushed == driven
    texts = (f"{run.delay_s_per_veh:.6f}" for run in (pushed, driven, before))
    figure = "pushed {} s/veh, read back {}, before {}".format(*texts)
    return [
        {
            "case": "rehearsal", "what": f"vehicles, {len(field.controllers)} signals", "n": pushed.loaded,
            "good": driven.loaded if equal else 0, "seconds": time.monotonic() - begin_s, "per_s": None,
            "figure": figure,
        }
    ]  # fmt: skip


def _faults(n: int, options: Options) -> list[Row]:
    """Every kind of fault in turn, at steps drawn at random."""
    draw = random.Random(SEED)
    counts: Counter[str] = Counter()
    good: Counter[str] = Counter()
    seconds: Counter[str] = Counter()
    rerun: Counter[str] = Counter()
    folder = Path(tempfile.mkdtemp(prefix="its-faults-"))
    kinds = [kind for kind in KINDS if kind != "none"]
    street = fresh_street(folder / "s")
    try:
        for k in range(n):
            kind = kinds[k % len(kinds)]
            fault = Fault(kind, draw.randint(1, LAST_STEP) if kind in STEPPED else 1, draw.randint(0, 1))
            begin_s = time.monotonic()
            outcome = street.push(fault)
            seconds[kind] += int(1000 * (time.monotonic() - begin_s))
            if not outcome.hit:
                continue  # the push had ended before the step
            counts[kind] += 1
            good[kind] += not outcome.wrong
            rerun[kind] += outcome.resolved != outcome.states
            for text in outcome.wrong:
                options.say(text)
    finally:
        street.close()
        shutil.rmtree(folder, ignore_errors=True)
    rows: list[Row] = [_fault_row(kind, counts[kind], good[kind], seconds[kind], rerun[kind]) for kind in kinds]
    total: dict[str, Any] = {"n": counts.total(), "good": good.total()}
    rows.append({**_fault_row("all", 0, 0, seconds.total(), rerun.total()), **total})
    return rows


def _fault_row(kind: str, n: int, good: int, milliseconds: int, rerun: int) -> Row:
    return {
        "case": "faults", "what": kind, "n": n, "good": good, "seconds": milliseconds / 1000, "per_s": None,
        "figure": f"{rerun} resolved by a rerun" if rerun else "",
    }  # fmt: skip
