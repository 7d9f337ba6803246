"""What is odd in SALT files and can be lived with: each finding with its place, nothing mended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from network_data.formats.salt.elements import SaltElements
from network_data.formats.salt.repairs import heads_without_yellow
from network_data.formats.salt.signals import SaltSignal

COMMON_CYCLES_S = 10
"""Korean plans run in multiples of 10 s; other cycles, and those of a single signal, look like typing errors. [s]"""
LONGEST_CYCLE_S = 180
ALL_RED_S = 15
"""An all-red phase at least this long reads as a stage for people on foot. [s]"""
USUAL_YELLOW_S = 3
ALLEY_KPH = 10
MID_BLOCK = "(단)"
MANY = 20
"""From so many signals on, a cycle that a single one has beside others is odd."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Defect:
    """One finding: its kind, the node (empty for the whole network) and what was seen."""

    code: str
    where: str
    text: str


def defects_of(elements: SaltElements, signals: Mapping[str, SaltSignal]) -> list[Defect]:
    """All findings, kind by kind."""
    out = [
        Defect(code="no-demand", where="", text="the format holds no counts and no demand; give --turns or --counts")
    ]
    for find in (_state_lengths, _uncontrolled, _shared_indices, _mid_block, _yellow, _cycles, _all_red, _single):
        out += find(elements, signals)
    alleys = sum(edge.speed_kph == ALLEY_KPH for edge in elements.edges.values())
    if alleys:
        text = f"{alleys} of {len(elements.edges)} links have {ALLEY_KPH} km/h, the default of alleys"
        out.append(Defect(code="default-speed", where="", text=text))
    return out


def _name(signal: SaltSignal) -> str:
    return f"{signal.name or 'no name'} ({signal.node_id[:40]})"


def _arriving(elements: SaltElements) -> Counter[str]:
    """Lane connections at each node."""
    return Counter(elements.edges[c.from_edge].to_node for c in elements.connections)


def _state_lengths(elements: SaltElements, signals: Mapping[str, SaltSignal]) -> Iterator[Defect]:
    have = _arriving(elements)
    for node, signal in signals.items():
        lengths = sorted({len(program.intervals[0].state) for program in signal.programs})
        if lengths != [have[node]]:
            letters = ", ".join(map(str, lengths))
            text = f"{_name(signal)}: states have {letters} letters, the node has {have[node]} lane connections"
            yield Defect(code="state-length", where=node, text=text)


def _uncontrolled(elements: SaltElements, signals: Mapping[str, SaltSignal]) -> Iterator[Defect]:
    controlled = {c.signal for c in elements.connections}
    for node, signal in signals.items():
        if node not in controlled:
            text = f"{_name(signal)}: no connection names it, so it controls nothing and is left out"
            yield Defect(code="controls-nothing", where=node, text=text)


def _shared_indices(elements: SaltElements, signals: Mapping[str, SaltSignal]) -> Iterator[Defect]:
    seen = Counter((c.signal, c.link_index) for c in elements.connections if c.signal is not None)
    for (node, index), n in seen.items():
        if n > 1 and node in signals:
            text = f"{_name(signals[node])}: {n} connections share link index {index}"
            yield Defect(code="shared-index", where=str(node), text=text)


def _mid_block(_: SaltElements, signals: Mapping[str, SaltSignal]) -> Iterator[Defect]:
    for node, signal in signals.items():
        if MID_BLOCK in signal.name:
            yield Defect(
                code="mid-block", where=node, text=f"{_name(signal)}: a mid-block crossing; people are not mapped"
            )


def _yellow(_: SaltElements, signals: Mapping[str, SaltSignal]) -> Iterator[Defect]:
    for node, signal in signals.items():
        rows = [interval for program in signal.programs for interval in program.intervals]
        if not any("y" in state for _, state in rows):
            yield Defect(code="no-yellow", where=node, text=f"{_name(signal)}: no phase of any schedule shows yellow")
        heads = sorted({k for program in signal.programs for k in heads_without_yellow(program)})
        if heads:
            numbers = ", ".join(map(str, heads))
            text = f"{_name(signal)}: green goes straight to red at link index {numbers} (mended by the repair yellow)"
            yield Defect(code="head-without-yellow", where=node, text=text)
        odd = sorted({duration for duration, state in rows if "y" in state and duration != USUAL_YELLOW_S})
        if odd:
            text = (
                f"{_name(signal)}: yellow phases of {', '.join(f'{x:g}' for x in odd)} s ({USUAL_YELLOW_S} s is usual)"
            )
            yield Defect(code="yellow-length", where=node, text=text)


def _cycles(_: SaltElements, signals: Mapping[str, SaltSignal]) -> Iterator[Defect]:
    having = Counter(cycle for s in signals.values() for cycle in {program.cycle_s for program in s.programs})
    for node, signal in signals.items():
        own = {program.cycle_s for program in signal.programs}
        for program in signal.programs:
            cycle_s = program.cycle_s
            alone = having[cycle_s] == 1 and len(own) > 1 and len(signals) >= MANY
            if cycle_s % COMMON_CYCLES_S != 0 or cycle_s > LONGEST_CYCLE_S or alone:
                text = f"{_name(signal)}: schedule {program.program_id} has a cycle of {cycle_s:g} s"
                text += " as no other signal has" if alone else ""
                yield Defect(code="odd-cycle", where=node, text=f"{text}: a typing error?")


def _all_red(_: SaltElements, signals: Mapping[str, SaltSignal]) -> Iterator[Defect]:
    for node, signal in signals.items():
        longest = max(
            (duration for p in signal.programs for duration, state in p.intervals if set(state) == {"r"}), default=0.0
        )
        if longest >= ALL_RED_S:
            text = f"{_name(signal)}: all red for up to {longest:g} s: a stage for people on foot, who are not mapped"
            yield Defect(code="all-red", where=node, text=text)


def _single(_: SaltElements, signals: Mapping[str, SaltSignal]) -> Iterator[Defect]:
    for node, signal in signals.items():
        if len(signal.day.switches) == 1:
            yield Defect(code="one-plan", where=node, text=f"{_name(signal)}: one plan all day")
