"""Repairs of SALT signals that are asked for by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from network_data.formats.salt.signals import SaltSignal
from network_data.plans import GREEN, ControllerPlan, Interval
from network_data.schedule import ControllerDay, Switch

YELLOW_S = 3.0
LEAST_GREEN_S = 4.0


def with_yellow(signals: Mapping[str, SaltSignal]) -> tuple[dict[str, SaltSignal], list[str]]:
    """Yellow at the end of every green of signals that show none, taken from the phase before; and what was done."""
    out, said = {}, []
    for node, signal in signals.items():
        if any("y" in state for program in signal.programs for _, state in program.intervals):
            out[node] = signal
            continue
        programs = {p.program_id: _yellowed(p) for p in signal.programs}
        switches = tuple(Switch(at_s, _yellowed(program)) for at_s, program in signal.day.switches)
        day = ControllerDay(controller_id=node, switches=switches)
        out[node] = replace(signal, programs=tuple(programs.values()), bounds={}, day=day)
        said.append(f"{signal.name} ({node[:40]}): {YELLOW_S:g} s of yellow behind each green, taken from it")
    return out, said


def _yellowed(program: ControllerPlan) -> ControllerPlan:
    rows: list[Interval] = []
    n = len(program.intervals)
    for i, (duration_s, state) in enumerate(program.intervals):
        after = program.intervals[(i + 1) % n].state
        ending = [a in GREEN and b not in GREEN for a, b in zip(state, after, strict=True)]
        if any(ending) and duration_s >= LEAST_GREEN_S + YELLOW_S:
            shown = "".join("y" if ends else letter for ends, letter in zip(ending, state, strict=True))
            rows += [Interval(duration_s - YELLOW_S, state), Interval(YELLOW_S, shown)]
        else:
            rows.append(Interval(duration_s, state))
    return replace(program, intervals=tuple(rows), min_durations_s=())
