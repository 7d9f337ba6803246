"""What `its optimize` prints: the ladder, the signals, the files, and what was repaired and assumed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from its.console import Console, format_table

MAX_NAMED = 40
MAX_SIGNALS = 200
"""Signals that get a line on the terminal."""
MAX_NOTES = 12
"""Most notes said on the terminal; all of them are in report and record."""


def unproven(today: dict[str, Any]) -> list[str]:
    """Which signals' gains nothing vouches for, in one sentence."""
    missed = [signal for signal, said in today["signals"].items() if said["unproven"]]
    judged = [d["ok"] for d in today["detectors"] if d["ok"] is not None]
    reproduced = f"the model reproduces {sum(judged)} of {len(judged)} detectors under the field plan"
    held = [d["occupancy_ok"] for d in today["detectors"] if d["occupancy_ok"] is not None]
    reproduced += f", {sum(held)} of {len(held)} in occupancy" if held else ""
    named = ", ".join(missed[:MAX_NAMED]) + (f" and {len(missed) - MAX_NAMED} more" if len(missed) > MAX_NAMED else "")
    return [f"{reproduced}; unproven at {named}"] if missed else []


def say_notes(notes: list[str], console: Console) -> None:
    """What was repaired and assumed, for those who read no further than the terminal."""
    for note in notes[:MAX_NOTES]:
        console.say(f"note: {note}")
    if len(notes) > MAX_NOTES:
        console.say(f"note: {len(notes) - MAX_NOTES} more in report.html and run.json")


def _in_sumo(step: dict[str, Any]) -> tuple[str, ...]:
    """The cells of a step for SUMO; none where it was not asked."""
    if "sumo" not in step:
        return ()
    told = step["sumo"]
    return ("-", "-") if told is None else (f"{told['delay_s_per_veh']:.1f}", f"{100 * told['change']:+.0f} %")


def print_run(run: dict[str, Any], out: Path) -> None:
    """The ladder and where the files are."""
    ladder = run["ladder"]
    first = ladder[0]["delay_s_per_veh"]
    rows = [
        (
            step["step"],
            f"{step['delay_s_per_veh']:.1f}",
            f"{100 * (step['delay_s_per_veh'] / first - 1):+.0f} %" if first else "",
            f"{step['stops_per_veh']:.2f}",
            f"{step['queue_max_veh']:.0f}",
            *_in_sumo(step),
        )
        for step in ladder
    ]
    more = ("SUMO s/veh", "change") if "sumo" in ladder[0] else ()
    print(format_table(("step", "delay s/veh", "change", "stops/veh", "worst queue veh", *more), rows))
    print()
    last = ladder[-1]["signals"]
    signals = [
        (
            signal,
            *(f"{step['signals'][signal]['delay_s_per_veh']:.1f}" for step in ladder),
            f"{ladder[0]['signals'][signal]['stops_per_veh']:.2f} → {last[signal]['stops_per_veh']:.2f}",
            f"{ladder[0]['signals'][signal]['queue_max_veh']:.0f} → {last[signal]['queue_max_veh']:.0f}",
            f"{ladder[0]['signals'][signal]['cycle_s']:g} → {last[signal]['cycle_s']:g}",
        )
        for signal in list(last)[:MAX_SIGNALS]
    ]
    steps = [f"{step['step']}" for step in ladder]
    print(format_table(("signal: delay s/veh", *steps, "stops/veh", "worst queue", "cycle s"), signals))
    if len(last) > MAX_SIGNALS:
        print(f"{len(last) - MAX_SIGNALS} more signals in run.json and plan.csv")
    print()
    for name in ("plan.json", "plan.add.xml", "plan.csv", "report.html", "run.json"):
        print(out / name)
