"""Figures of the newest run of every district for Prometheus, as a text file that a node exporter picks up.

The file is written aside and renamed, so nobody ever reads half of it. Districts that were not looked at this time keep
the figures of their newest run, which the store has.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from its.store.runs import RunView
from network_data.formats.files import write_aside

STATES = ("passed", "stopped", "failed")


@dataclass(frozen=True, kw_only=True)
class RunFigures:
    """The run itself: when it began and ended (seconds since 1970), its exit code, districts by what came of them."""

    begin_s: float
    end_s: float
    code: int
    states: Mapping[str, int]
    cpu_s: Mapping[str, float]


def write_metrics(path: Path, project: str, run: RunFigures, newest: Iterable[RunView]) -> None:
    """Write the figures."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_aside(path, metrics_text(project, run, newest))


def metrics_text(project: str, run: RunFigures, newest: Iterable[RunView]) -> bytes:
    """The figures in Prometheus' text format."""
    registry = CollectorRegistry()

    def gauge(name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"its_batch_{name}", text, ("project", *labels), registry=registry)

    gauge("last_run_timestamp_seconds", "End of the newest run.").labels(project).set(run.end_s)
    gauge("last_run_duration_seconds", "How long it took.").labels(project).set(run.end_s - run.begin_s)
    gauge("last_run_exit_code", "Its exit code.").labels(project).set(run.code)
    states = gauge("last_run_districts", "Districts by what came of them.", "state")
    for state, n in run.states.items():
        states.labels(project, state).set(n)
    cpu = gauge("district_cpu_seconds", "Processor time of a district's work in the newest run.", "district")
    for district, spent_s in run.cpu_s.items():
        cpu.labels(project, district).set(spent_s)
    by_district = {
        "at": gauge("district_timestamp_seconds", "When a district's newest result was stored.", "district"),
        "state": gauge("district_state", "1 for what a district's newest result is.", "district", "state"),
        "plans": gauge("district_plans", "Plans stored with it.", "district"),
    }
    by_day = {
        "gate": gauge("gate_passed", "1 where a gate was passed, 0 where it stopped.", "district", "days", "gate"),
        "gain": gauge("gain_ratio", "Share of the delay saved.", "district", "days", "on"),
        "delay": gauge("delay_seconds_per_vehicle", "Cost per vehicle, days held out.", "district", "days", "plan"),
        "good": gauge("good_days", "Days with enough sound counts.", "district", "days"),
        "measured": gauge("detectors_sound_ratio", "Share of detectors that are sound.", "district", "days"),
    }
    for view in newest:
        by_district["at"].labels(project, view.district).set(view.at_utc.timestamp())
        by_district["plans"].labels(project, view.district).set(len(view.plan_ids))
        for state in STATES:
            by_district["state"].labels(project, view.district, state).set(int(view.outcome == state))
        for days, told in view.summary.get("days", {}).items():
            _of_day(by_day, (project, view.district, days), told)
    return generate_latest(registry)


def _of_day(gauges: Mapping[str, Gauge], at: tuple[str, str, str], told: Mapping[str, Any]) -> None:
    gates = [told["data"], *told.get("gates", [])]
    for gate in gates:
        gauges["gate"].labels(*at, gate["gate"]).set(int(gate["passed"]))
        figures = gate["figures"]
        if "gain" in figures:
            gauges["gain"].labels(*at, "own days" if gate["gate"] == "gain" else "days held out").set(figures["gain"])
        if gate["gate"] == "held-out" and figures:
            gauges["delay"].labels(*at, "now").set(figures["before_s_per_veh"])
            gauges["delay"].labels(*at, "new").set(figures["after_s_per_veh"])
        if gate["gate"] == "data":
            gauges["good"].labels(*at).set(figures["good_days"])
            gauges["measured"].labels(*at).set(figures["measured"])
