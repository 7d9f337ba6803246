"""Confirm a plan in SUMO: old and new plan under the same seeds, and the difference with its confidence interval."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

from its.console import DONE, RULES_NOT_MET, Console, format_table
from its.intervals import Estimate, estimate
from its.referee_runs import SumoRun, run_plan
from its.sumo import Scenario, sumo_home, sumo_version
from network_data.errors import DemandError, PlanError
from network_data.formats.files import iter_xml, open_bytes, write_aside
from network_data.formats.plan_json import read_plan_json
from network_data.formats.sumo_net import read_sumo_net
from network_data.formats.sumo_tls import read_sumo_programs, write_sumo_programs
from network_data.network import RoadNetwork
from network_data.plans import TimingPlan
from network_data.whole_seconds import to_sumo

MEASURES = ("delay_s_per_veh", "stops_per_veh", "waiting_s_per_veh")
COUNTS = ("loaded", "finished", "running", "undeparted", "teleports", "collisions")
PER_SIGNAL = "time loss on the approach links plus the wait to enter there, per vehicle that entered one or waits to"


@dataclass(frozen=True, kw_only=True)
class VerifyResult:
    """Runs of both plans, seed by seed in the same order, and what follows from them."""

    old: tuple[SumoRun, ...]
    new: tuple[SumoRun, ...]

    @cached_property
    def differences(self) -> dict[str, Estimate]:
        """New less old, paired by seed, of each network measure."""
        return {name: self._difference(name) for name in MEASURES}

    def _difference(self, name: str) -> Estimate:
        pairs = zip(self.new, self.old, strict=True)
        return estimate([getattr(a, name) - getattr(b, name) for a, b in pairs])

    def signal_difference(self, controller_id: str) -> Estimate:
        """New less old delay at one signal, paired by seed. [s/veh]"""
        pairs = zip(self.new, self.old, strict=True)
        both = [(a.signals[controller_id], b.signals[controller_id]) for a, b in pairs]
        return estimate([a.delay_s_per_veh - b.delay_s_per_veh for a, b in both])

    @property
    def ratio(self) -> float:
        """Mean delay of the new plan over that of the old. [-]"""
        old = sum(run.delay_s_per_veh for run in self.old)
        return sum(run.delay_s_per_veh for run in self.new) / old if old else math.nan

    @cached_property
    def reasons(self) -> tuple[str, ...]:
        """Why the new plan is not confirmed; empty where it is."""
        out = [
            f"seed {run.seed}: the new plan has {run.teleports} teleports and {run.collisions} collisions"
            for run in self.new
            if run.teleports or run.collisions
        ]
        change = self.differences["delay_s_per_veh"]
        if math.isnan(change.ci95):
            out.append("one seed gives no interval; give --seeds 2 or more")
        elif not change.below_zero:
            low, high = change.mean - change.ci95, change.mean + change.ci95
            out.append(f"the delay's difference lies in [{low:+.2f}, {high:+.2f}] s/veh (95 %), not wholly below 0")
        return tuple(out)

    @property
    def confirmed(self) -> bool:
        """Whether the new plan ran clean and its delay is lower beyond doubt."""
        return not self.reasons

    def as_json(self) -> dict[str, object]:
        """Everything, for `--json` and verify.json."""
        ids = list(self.old[0].signals)
        change: dict[str, object] = {name: _interval(value) for name, value in self.differences.items()}
        change["ratio"] = self.ratio if math.isfinite(self.ratio) else None
        change["signals"] = {x: {"delay_s_per_veh": _interval(self.signal_difference(x))} for x in ids}
        return {
            "confirmed": self.confirmed,
            "reasons": list(self.reasons),
            "old": _plan_json(self.old),
            "new": _plan_json(self.new),
            "difference": change,
            "signals_measure": PER_SIGNAL,
        }


def _interval(value: Estimate) -> dict[str, float | None]:
    known = math.isfinite(value.ci95)
    ends = {"low": value.mean - value.ci95 if known else None, "high": value.mean + value.ci95 if known else None}
    return {**value.as_json(), **ends}


def _plan_json(runs: tuple[SumoRun, ...]) -> dict[str, object]:
    out: dict[str, object] = {name: estimate([getattr(run, name) for run in runs]).as_json() for name in MEASURES}
    out |= {name: sum(getattr(run, name) for run in runs) / len(runs) for name in COUNTS}
    out["locked_seeds"] = [run.seed for run in runs if run.locked]
    out["signals"] = {
        x: {
            "delay_s_per_veh": estimate([run.signals[x].delay_s_per_veh for run in runs]).as_json(),
            "veh": sum(run.signals[x].veh for run in runs) / len(runs),
        }
        for x in runs[0].signals
    }
    out["runs"] = [asdict(run) for run in runs]
    return out


def verify(
    network: RoadNetwork,
    scenario: Scenario,
    *,
    new: Path,
    old: Path | None = None,
    seeds: int = 5,
    workers: int = 2,
    progress: Callable[[float, str], None] | None = None,
) -> VerifyResult:
    """Run two plans in SUMO under seeds 1 to `seeds`.

    Parameters
    ----------
    network : RoadNetwork
        What `scenario.network` holds.
    scenario : Scenario
        Network file, traffic, period; its additional files belong to both plans.
    new, old : Path
        plan.json or SUMO additional; without `old` the programs in force in network and additional files.
    seeds : int
        Number of common seeds.
    workers : int
        SUMO processes at a time.
    progress : callable, optional
        Told the share done and a short text.

    Raises
    ------
    InputError
        A file is missing, a plan does not fit the network, or the routes hold no vehicle of the period.
    OutsideProgramError
        SUMO is missing or failed.
    """
    scenario.check_files()
    sumo_home()
    with tempfile.TemporaryDirectory() as folder:
        files = {
            "new": _as_additional(new, network, scenario, Path(folder, "new.add.xml")),
            "old": _as_additional(old, network, scenario, Path(folder, "old.add.xml")) if old is not None else (),
        }
        wanted = [(which, seed) for seed in range(1, seeds + 1) for which in ("old", "new")]
        runs: dict[tuple[str, int], SumoRun] = {}
        with ThreadPoolExecutor(workers) as pool:
            try:
                jobs = {
                    pool.submit(run_plan, scenario, files[which], seed, network.approaches): (which, seed)
                    for which, seed in wanted
                }
                for job in as_completed(jobs):
                    runs[jobs[job]] = job.result()
                    if progress is not None:
                        which, seed = jobs[job]
                        text = f"{which} plan, seed {seed}: {runs[which, seed].delay_s_per_veh:.1f} s/veh"
                        progress(len(runs) / len(wanted), text)
                    _refuse_empty(runs[jobs[job]], scenario)
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
    numbers = range(1, seeds + 1)
    return VerifyResult(old=tuple(runs["old", k] for k in numbers), new=tuple(runs["new", k] for k in numbers))


def _refuse_empty(run: SumoRun, scenario: Scenario) -> None:
    """Runs without a vehicle compare nothing: that is a fault of the routes, not of the plan."""
    if not run.loaded:
        names = ", ".join(map(str, scenario.routes))
        raise DemandError(names, "SUMO found no vehicle in it to run; mend --routes or --begin/--end")


def _as_additional(plan: Path, network: RoadNetwork, scenario: Scenario, target: Path) -> tuple[Path, ...]:
    """The plan as a file that SUMO loads on top of the scenario; none where the scenario loads it already."""
    if any(plan.resolve() == other.resolve() for other in scenario.additional):
        return ()
    return additional_of(plan, network, target, scenario)


def additional_of(plan: Path, network: RoadNetwork, target: Path, scenario: Scenario | None = None) -> tuple[Path, ...]:
    """A plan file as SUMO loads it on top of a network: itself, or written to `target` where it is a plan.json."""
    with open_bytes(plan) as stream:
        is_json = stream.read(4096).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{")
    if is_json:
        read = read_plan_json(plan, network)
        name = next(iter(read.controllers.values())).program_id
        exported, _ = to_sumo(read, network, _in_force(network), name)
        target.write_text(write_sumo_programs(exported), encoding="utf-8")
        return (target,)
    _check_programs(plan, network, scenario.additional if scenario is not None else ())
    return (plan,)


def _in_force(network: RoadNetwork) -> TimingPlan:
    """The programs in the network."""
    return TimingPlan(controllers={x.id: x.programs[-1] for x in network.controllers.values() if x.programs})


def _check_programs(plan: Path, network: RoadNetwork, additional: Sequence[Path]) -> None:
    """Refuse programs that SUMO would stop at, all faults together."""
    in_use = {(x.id, program.program_id): "the network" for x in network.controllers.values() for program in x.programs}
    for path in additional:
        in_use |= dict.fromkeys(_program_ids(path), str(path))
    faults = []
    for x, program in read_sumo_programs(plan).items():
        where, length = f"<tlLogic id={x!r} programID={program.program_id!r}>", len(program.intervals[0].state)
        if x not in network.controllers:
            faults.append(f"{where}: the network has no such signal; is it a plan for this network?")
        elif length < network.controllers[x].n_heads:
            need = network.controllers[x].n_heads
            faults.append(f"{where}: states have {length} letters, the signal needs {need}; mend the states")
        if (x, program.program_id) in in_use:
            used = in_use[x, program.program_id]
            faults.append(f"{where}: {used} uses this programID already, which stops SUMO; rename it")
    if faults:
        raise PlanError(str(plan), faults)


def _program_ids(path: Path) -> list[tuple[str, str]]:
    out = []
    for event, _, element in iter_xml(path):
        if event == "end" and element.tag == "tlLogic":
            out.append((element.get("id", ""), element.get("programID", "0")))
    return out


def verify_job(
    network_path: Path,
    route_paths: Sequence[Path],
    new_path: Path,
    *,
    against_path: Path | None = None,
    additional_paths: Sequence[Path] = (),
    begin_s: float | None = None,
    end_s: float | None = None,
    seeds: int = 5,
    scale: float = 1.0,
    as_json: bool = False,
    out: Path | None = None,
) -> int:
    """`its verify`: compare, print, write verify.json into `out`; 3 where the new plan is not confirmed."""
    scenario = Scenario(
        network=network_path,
        routes=tuple(route_paths),
        additional=tuple(additional_paths),
        begin_s=begin_s,
        end_s=end_s,
        scale=scale,
    )
    scenario.check_files()
    network = read_sumo_net(network_path)
    console = Console(quiet=as_json)
    with console.stage("SUMO") as stage:
        result = verify(network, scenario, new=new_path, old=against_path, seeds=seeds, progress=stage.update)
    table = {
        "begin_s": begin_s,
        "end_s": end_s,
        "scale": scale,
        "seeds": list(range(1, seeds + 1)),
        "sumo_version": sumo_version(),
        **result.as_json(),
    }
    text = json.dumps(table, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"
    if out is not None:
        write_aside(out / "verify.json", text)
    print(text if as_json else summary(result), end="" if as_json else "\n")
    return DONE if result.confirmed else RULES_NOT_MET


def summary(result: VerifyResult) -> str:
    """The result as text for a terminal: network, then each signal, then the verdict."""
    names = {"delay_s_per_veh": "delay s/veh", "stops_per_veh": "stops /veh", "waiting_s_per_veh": "waiting s/veh"}
    rows: list[list[object]] = []
    for name, label in names.items():
        old, new = ([getattr(run, name) for run in runs] for runs in (result.old, result.new))
        rows.append(["network", label, *_cells(old, new, result.differences[name])])
    for x in result.old[0].signals:
        old, new = ([run.signals[x].delay_s_per_veh for run in runs] for runs in (result.old, result.new))
        rows.append([f"signal {x}", "delay s/veh", *_cells(old, new, result.signal_difference(x))])
    lines = [format_table(["", "", "old", "new", "difference", "±95 %"], rows)]
    for label, runs in (("old", result.old), ("new", result.new)):
        locked = [run.seed for run in runs if run.locked]
        lines += [f"{label} plan: locked under seeds {locked}: a vehicle never got on"] if locked else []
        ends = [f"{sum(getattr(run, name) for run in runs) / len(runs):g} {name}" for name in COUNTS]
        lines.append(f"{label} plan, mean of {len(runs)} seeds: {', '.join(ends)}")
    verdict = f"confirmed: {1 - result.ratio:.1%} less delay" if result.confirmed else "not confirmed"
    return "\n".join([*lines, "; ".join([verdict, *result.reasons])])


def _cells(old: list[float], new: list[float], change: Estimate) -> list[object]:
    half = f"{change.ci95:.2f}" if math.isfinite(change.ci95) else "-"
    return [f"{estimate(old).mean:.2f}", f"{estimate(new).mean:.2f}", f"{change.mean:+.2f}", half]
