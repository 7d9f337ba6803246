"""Offsets by link cost tables: how near to a proven bound, how fast; and MAXBAND and MULTIBAND on arterials."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from benchmarks.offset_cases import OffsetCase, case_names, offset_case
from benchmarks.tables import Cell, Column, Options, Table
from network_data.errors import SignalError
from optimizer.bandwidth.maxband import BandPlan, maxband, multiband
from optimizer.bandwidth.street import Street, StreetLink, StreetSignal
from optimizer.offsets.bounds import CycleBound
from optimizer.offsets.descent import coordinate_descent
from optimizer.offsets.link_tables import common_cycles, problem_of, simulated_costs
from optimizer.offsets.solve import solve_offsets
from optimizer.offsets.tables import OffsetProblem
from optimizer.optimize import realizations_of
from sim.link_costs import link_costs
from sim.profile import Profile
from sim.simulate import Simulator

QUICK_CASES = ("grid25", "long25", "grid100", "cologne8", "bands")
BANDS = "bands"
CPU_S = 2.0
PROOF_UP_TO, PROOF_WITHIN_S, PROOF_NODES = 25, 10.0, 10_000
GAP_UP_TO = ((100, 0.02), (1_100, 0.05))
"""Signals, and the largest gap that their offsets may have. [-]"""
MOST_SIMULATED = 120
"""Tables of larger networks are made by the filter alone."""
V_MPS = 50 / 3.6
COLUMNS = (
    Column(key="case", heading="case"),
    Column(key="tables", heading="tables by"),
    Column(key="signals", heading="signals"),
    Column(key="links", heading="pairs"),
    Column(key="tables_s", heading="tables s", spec=".2f"),
    Column(key="descent_ms", heading="descent ms", spec=".2f"),
    Column(key="descent_gap", heading="descent gap", spec=".2%"),
    Column(key="cpu_s", heading="CPU s", spec=".2f"),
    Column(key="gap", heading="gap", spec=".3%"),
    Column(key="strict_gap", heading="strict gap", spec=".2%"),
    Column(key="status", heading="status"),
    Column(key="proof_s", heading="proof s", spec=".2f"),
    Column(key="value", heading="value", spec=",.4g"),
    Column(key="bound", heading="bound", spec=",.4g"),
)
LEGEND = (
    "gap = (value - bound) / (mean - bound): what may be missing of the part that offsets can change; mean is what "
    "offsets drawn at random cost. strict gap = (value - bound) / (value - sum of each table's least entry).",
    "Bounds hold in the offset tables with cycle and splits fixed, and bound nothing that was simulated. [veh.s]",
    f"CPU s: bound, search and all starts, told to end at {CPU_S:g} s of one thread. Proof s: CPU time until value and "
    "bound were equal, tables apart, in a run of its own without a limit of time.",
    "bands: MAXBAND and MULTIBAND by mixed-integer programming; CPU s, value and bound are those of the sum of bands "
    "as shares of the cycle (MULTIBAND: mean of weighted bands).",
)


def benchmark(options: Options) -> Table:
    """Every case with tables of both kinds; quick: small ones."""
    rows: list[dict[str, Cell]] = []
    for name in options.chosen([*case_names(), BANDS], QUICK_CASES):
        began_s = time.monotonic()
        try:
            rows += band_rows() if name == BANDS else case_rows(offset_case(name))
        except SignalError as error:
            rows.append({"case": name, "failed": str(error)})
        options.say(f"{name}: {time.monotonic() - began_s:.0f} s")
    missed = [text for row in rows if (text := missed_goal(row))]
    return Table(
        title="Offsets by link cost tables",
        columns=COLUMNS,
        rows=rows,
        notes=[*LEGEND, *missed, *(f"{row['case']}: {row['failed']}" for row in rows if "failed" in row)],
        failed=bool(missed),
    )


def missed_goal(row: dict[str, Cell]) -> str:
    """What a row was to reach and did not; empty where it did."""
    signals, gap, proof_s = row.get("signals"), row.get("gap"), row.get("proof_s")
    where = f"{row['case']} ({row.get('tables')})"
    if row["case"] == BANDS:
        slow = not isinstance(row.get("cpu_s"), float) or row["cpu_s"] > PROOF_WITHIN_S  # type: ignore[operator]
        return f"{where}: not optimal within {PROOF_WITHIN_S:g} s" if row["status"] != "optimal" or slow else ""
    if not isinstance(signals, int) or not isinstance(gap, float):
        return ""
    if signals <= PROOF_UP_TO:
        late = isinstance(proof_s, float) and proof_s > PROOF_WITHIN_S
        return f"{where}: no proof within {PROOF_WITHIN_S:g} s" if row["status"] != "optimal" or late else ""
    most = next((share for n, share in GAP_UP_TO if signals <= n), 1.0)
    return f"{where}: gap {gap:.2%} above {most:.0%}" if gap > most else ""


def case_rows(case: OffsetCase) -> list[dict[str, Cell]]:
    """Tables by the filter and, where a run is short, by the queue simulation."""
    plan = case.in_one_cycle()
    cycle_s = common_cycles(plan)[0]
    began_s = time.process_time()
    costs = link_costs(Profile(case.network, case.demand.scenarios[0]), plan, cycle_s=cycle_s)
    rows = [solved(case.name, "cyclic flow profiles", problem_of(costs), time.process_time() - began_s)]
    if len(plan.controllers) <= MOST_SIMULATED:
        trips = realizations_of(case.demand, seed=0, warmup_s=0.0, network=case.network)
        simulator = Simulator(case.network, trips, begin_s=case.begin_s, end_s=case.end_s)
        began_s = time.process_time()
        measured = simulated_costs(simulator, plan, costs, seed=0)
        rows.append(solved(case.name, "queue simulation", problem_of(measured), time.process_time() - began_s))
    return rows


def solved(name: str, tables: str, problem: OffsetProblem, tables_s: float) -> dict[str, Cell]:
    """Descent alone, then all there is within the time, then the proof where the network is small."""
    _warm(problem)
    began_s = time.process_time()
    descent = coordinate_descent(problem, problem.start())
    descent_s = time.process_time() - began_s
    found = solve_offsets(problem, seed=0, cpu_s=CPU_S)
    proof_s: float | None = None
    if problem.n_free <= PROOF_UP_TO:
        began_s = time.process_time()
        found = solve_offsets(problem, seed=0, nodes=PROOF_NODES)
        proof_s = time.process_time() - began_s if found.status == "optimal" else None
    missing = problem.veh_s(problem.value(descent)) - found.bound_veh_s
    return {
        "case": name,
        "tables": tables,
        "signals": problem.n_free,
        "links": len(problem.tail),
        "tables_s": tables_s,
        "descent_ms": 1e3 * descent_s,
        "descent_gap": missing / max(found.mean_veh_s - found.bound_veh_s, 1e-9),
        "cpu_s": found.cpu_s,
        "gap": found.gap,
        "strict_gap": found.strict_gap,
        "status": found.status,
        "proof_s": proof_s,
        "value": found.value_veh_s,
        "bound": found.bound_veh_s,
    }


def _warm(problem: OffsetProblem) -> None:
    """Compile what is not in the cache yet, and lay the arcs out."""
    CycleBound(problem).improve(walks=2)
    solve_offsets(problem, cpu_s=0.0)


def band_rows() -> list[dict[str, Cell]]:
    """Streets of 5 and 20 signals, both models; the longer ones with free cycle, speeds and left-turn patterns."""
    rows: list[dict[str, Cell]] = []
    models: dict[str, Callable[[Street], BandPlan]] = {"MAXBAND": maxband, "MULTIBAND": multiband}
    for street_name, street in band_streets().items():
        for model_name, solve in models.items():
            began_s = time.process_time()
            plan = solve(street)
            rows.append(
                {
                    "case": BANDS,
                    "tables": f"{model_name}, {street_name}",
                    "signals": len(street.signals),
                    "links": len(street.links),
                    "cpu_s": time.process_time() - began_s,
                    "status": plan.status,
                    "value": plan.objective,
                    "bound": plan.bound,
                }
            )
    return rows


def band_streets() -> dict[str, Street]:
    """The worked instance of five signals, and streets of twenty drawn at random."""
    speed = (V_MPS, V_MPS)
    metres, reds = (400.0, 320.0, 510.0, 260.0), (0.45, 0.5, 0.4, 0.55, 0.48)
    out = {
        "worked": Street(
            signals=tuple(StreetSignal(red_out=red, red_in=red) for red in reds),
            links=tuple(StreetLink(out_m=m, in_m=m, speed_out_mps=speed, speed_in_mps=speed) for m in metres),
            cycle_s=(120.0, 120.0),
        )
    }
    for seed in range(3):
        rng = np.random.default_rng(seed)
        signals = tuple(
            StreetSignal(red_out=a, red_in=b, left_out=c, left_in=d)
            for a, b, c, d in zip(*rng.uniform(0.35, 0.6, (2, 20)), *rng.uniform(0.08, 0.2, (2, 20)), strict=True)
        )
        lengths, loads = rng.uniform(150, 700, 19), rng.uniform(0.3, 0.9, (2, 19))
        for free in (False, True):
            speeds = (0.9 * V_MPS, 1.1 * V_MPS) if free else speed
            links = tuple(
                StreetLink(out_m=m, in_m=m, speed_out_mps=speeds, speed_in_mps=speeds, load_out=a, load_in=b)
                for m, a, b in zip(lengths, *loads, strict=True)
            )
            out[f"20 signals {seed}, {'free' if free else 'fixed'} cycle and speeds"] = Street(
                signals=signals,
                links=links,
                cycle_s=(80.0, 120.0) if free else (100.0, 100.0),
                slowness_change_s_per_m=0.01 if free else None,
            )
    return out
