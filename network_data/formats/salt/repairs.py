"""Repairs of SALT signals that are asked for by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from dataclasses import replace

from network_data.formats.salt.signals import SaltSignal
from network_data.plans import GREEN, ControllerPlan, Interval
from network_data.schedule import ControllerDay, Switch

YELLOW_S = 3.0
LEAST_GREEN_S = 4.0


def heads_without_yellow(program: ControllerPlan) -> set[int]:
    """Link indices whose green goes straight to red."""
    rows = program.intervals
    return {
        k
        for n, interval in enumerate(rows)
        for k, letter in enumerate(interval.state)
        if letter in GREEN and rows[(n + 1) % len(rows)].state[k] == "r"
    }


def with_yellow(signals: Mapping[str, SaltSignal]) -> tuple[dict[str, SaltSignal], list[str]]:
    """Yellow behind every green that goes straight to red; and what was done.

    Where a change phase follows (others show yellow in it), the head shows yellow in it too; else the last 3 s of the
    green become yellow.
    """
    out, said = {}, []
    for node, signal in signals.items():
        heads = {k for program in signal.programs for k in heads_without_yellow(program)}
        if not heads:
            out[node] = signal
            continue
        out[node] = _changed(signal, _yellowed)
        said.append(f"{signal.name} ({node[:40]}): yellow behind the greens of {len(heads)} heads")
    return out, said


def _changed(signal: SaltSignal, change: Callable[[ControllerPlan], ControllerPlan]) -> SaltSignal:
    """A signal whose programs are changed, those of its day too; bounds of phases stay where the phases do."""
    programs = tuple(change(p) for p in signal.programs)
    bounds = {
        p.program_id: signal.bounds.get(p.program_id, ())
        for p, old in zip(programs, signal.programs, strict=True)
        if len(p.intervals) == len(old.intervals)
    }
    switches = tuple(Switch(at_s, change(program)) for at_s, program in signal.day.switches)
    day = ControllerDay(controller_id=signal.node_id, switches=switches)
    return replace(signal, programs=programs, bounds=bounds, day=day)


def _yellowed(program: ControllerPlan) -> ControllerPlan:
    missing = heads_without_yellow(program)
    if not missing:
        return program
    letters = [list(state) for _, state in program.intervals]
    cut: dict[int, list[int]] = {}
    for n, (_, state) in enumerate(program.intervals):
        after_s, after = program.intervals[(n + 1) % len(letters)]
        for k in missing:
            if state[k] not in GREEN or after[k] != "r":
                continue
            if "y" in after and after_s >= YELLOW_S:
                letters[(n + 1) % len(letters)][k] = "y"
            else:
                cut.setdefault(n, []).append(k)
    out: list[Interval] = []
    for n, (duration_s, _) in enumerate(program.intervals):
        state = "".join(letters[n])
        if n in cut and duration_s >= LEAST_GREEN_S + YELLOW_S:
            shown = "".join("y" if k in cut[n] else letter for k, letter in enumerate(state))
            out += [Interval(duration_s - YELLOW_S, state), Interval(YELLOW_S, shown)]
        else:
            out.append(Interval(duration_s, state))
    minima = program.min_durations_s if len(out) == len(program.intervals) else ()
    return replace(program, intervals=tuple(out), min_durations_s=minima)


def with_turns_on_red(
    signals: Mapping[str, SaltSignal], right_turns: Mapping[str, Set[int]]
) -> tuple[dict[str, SaltSignal], list[str]]:
    """Stop, then go (`s`) wherever a right turn shows red; and what was done.

    Parameters
    ----------
    right_turns : mapping
        Node → link indices of which every way turns right.
    """
    out, n = {}, 0
    for node, signal in signals.items():
        heads = right_turns.get(node, frozenset())

        def turned(program: ControllerPlan, heads: Set[int] = heads) -> ControllerPlan:
            rows = tuple(
                Interval(duration_s, "".join("s" if k in heads and x == "r" else x for k, x in enumerate(state)))
                for duration_s, state in program.intervals
            )
            return replace(program, intervals=rows)

        out[node] = _changed(signal, turned)
        n += len(heads)
    return out, [f"{n} heads of right turns: stop, then go, where they showed red"]
