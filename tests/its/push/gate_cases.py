# ruff: noqa: E501
"""What the last gate must let through and what it must stop, each with the words that it must say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import ModuleType
from typing import Any, NamedTuple

RING_1, RING_2 = (1, 2, 3, 4), (5, 6, 7, 8)
SPLITS = {1: 15, 2: 30, 3: 15, 4: 30, 5: 20, 6: 25, 7: 25, 8: 20}
PATTERN, SPLIT = 11, 12
ASC = "1.3.6.1.4.1.1206.4.2.1."


class Case(NamedTuple):
    """A change of the sound values, the rule that must stop it, and its words (none: it is let through)."""

    name: str
    rule: str
    change: Callable[[ModuleType, Any], Any]
    says: str


def cell(column: int, phase: int | None = None) -> str:
    """An object of the pattern, or with a phase of the split."""
    return f"{ASC}4.7.1.{column}.{PATTERN}" if phase is None else f"{ASC}4.9.1.{column}.{SPLIT}.{phase}"


def sound(gate: ModuleType) -> Any:
    """Two rings, two barrier groups, everything in order."""
    one_side = frozenset({1, 2, 5, 6}), frozenset({3, 4, 7, 8})
    phases = {
        p: gate.PhaseFacts(
            ring=1 if p in RING_1 else 2,
            min_green_s=5,
            walk_s=7,
            ped_clear_s=9,
            yellow_ds=30,
            red_ds=20,
            concurrent=frozenset(
                (one_side[0] if p in one_side[0] else one_side[1]) - set(RING_1 if p in RING_1 else RING_2)
            ),
        )
        for p in SPLITS
    }
    row = [(cell(2), 90), (cell(3), 40), (cell(4), SPLIT), (cell(5), 1)]
    for p, seconds in SPLITS.items():
        row += [(cell(3, p), seconds), (cell(4, p), 2), (cell(5, p), int(p in (2, 6)))]
    return gate.Sending(
        row=row,
        switch=[(f"{ASC}4.14.0", PATTERN), (f"{ASC}5.3.1.2.3", PATTERN)],
        intent=gate.Intent(
            pattern=PATTERN,
            split=SPLIT,
            coordinated=frozenset({2, 6}),
            walking=frozenset({2, 4, 6}),
            clearance_ds=dict.fromkeys(SPLITS, (30, 20)),
            cycle_bounds_s=(30, 120),
            actions=frozenset({3}),
        ),
        facts=gate.DeviceFacts(
            phases=phases,
            max_patterns=48,
            max_splits=20,
            pattern_splits={1: 1, 10: 11, PATTERN: SPLIT, 12: 13},
            orders={1: (RING_1, RING_2), 2: ((2, 1, 3, 4), RING_2)},
            running=frozenset({1, 0}),
            action_patterns={1: 1, 3: 10},
        ),
    )


def values(**new: Any) -> Callable[[ModuleType, Any], Any]:
    """Other values: `c2=…` of the pattern, `c3_4=…` of phase 4; `None` leaves the cell out."""

    def change(_: ModuleType, sending: Any) -> Any:
        row = dict(sending.row)
        for name, value in new.items():
            column, _, phase = name[1:].partition("_")
            oid = cell(int(column), int(phase) if phase else None)
            row[oid] = value
            if value is None:
                del row[oid]
        return replace(sending, row=list(row.items()))

    return change


def more(*pairs: tuple[str, int], switch: bool = False) -> Callable[[ModuleType, Any], Any]:
    """Further objects."""

    def change(_: ModuleType, sending: Any) -> Any:
        if switch:
            return replace(sending, switch=[*sending.switch, *pairs])
        return replace(sending, row=[*sending.row, *pairs])

    return change


def facts(**new: Any) -> Callable[[ModuleType, Any], Any]:
    """Another controller."""
    return lambda _, sending: replace(sending, facts=replace(sending.facts, **new))


def intent(**new: Any) -> Callable[[ModuleType, Any], Any]:
    """Another intention."""
    return lambda _, sending: replace(sending, intent=replace(sending.intent, **new))


def phase(number: int, **new: Any) -> Callable[[ModuleType, Any], Any]:
    """A phase of the controller that differs."""

    def change(_: ModuleType, sending: Any) -> Any:
        known = dict(sending.facts.phases)
        known[number] = replace(known[number], **new)
        return replace(sending, facts=replace(sending.facts, phases=known))

    return change


def switch(*pairs: tuple[str, int]) -> Callable[[ModuleType, Any], Any]:
    """Other commands."""
    return lambda _, sending: replace(sending, switch=list(pairs))


def both(*changes: Callable[[ModuleType, Any], Any]) -> Callable[[ModuleType, Any], Any]:
    """One change after the other."""

    def change(gate: ModuleType, sending: Any) -> Any:
        for one in changes:
            sending = one(gate, sending)
        return sending

    return change


def without_phase_3(_: ModuleType, sending: Any) -> Any:
    """The controller has phase 3 disabled; the row still has it, phase 4 fills the time."""
    known = {p: f for p, f in sending.facts.phases.items() if p != 3}
    row = dict(sending.row)
    row[cell(3, 4)] = 45
    clear = {p: v for p, v in sending.intent.clearance_ds.items() if p != 3}
    return replace(
        sending,
        row=list(row.items()),
        facts=replace(sending.facts, phases=known),
        intent=replace(sending.intent, clearance_ds=clear),
    )


def without_phase_3_at_all(gate: ModuleType, sending: Any) -> Any:
    """Neither in the controller nor in the row: sound."""
    changed = without_phase_3(gate, sending)
    return replace(changed, row=[(oid, v) for oid, v in changed.row if not oid.endswith(f".{SPLIT}.3")])


def numbered(pattern: int, split: int) -> Callable[[ModuleType, Any], Any]:
    """The same into another pattern and split."""

    def change(_: ModuleType, sending: Any) -> Any:
        row = []
        for oid, value in sending.row:
            parts = oid.split(".")
            if ".4.7.1." in oid:
                parts[-1] = str(pattern)
                row.append((".".join(parts), split if parts[-2] == "4" else value))
            else:
                parts[-2] = str(split)
                row.append((".".join(parts), value))
        return replace(
            sending,
            row=row,
            switch=[(oid, pattern) for oid, _ in sending.switch],
            intent=replace(sending.intent, pattern=pattern, split=split),
            facts=replace(sending.facts, running=frozenset({5}), action_patterns={}, pattern_splits={5: 5}),
        )

    return change


SYSTEM, ACTION = f"{ASC}4.14.0", f"{ASC}5.3.1.2.3"

CASES: tuple[Case, ...] = (
    Case("sound", "", values(), ""),
    Case("by command only", "", switch((SYSTEM, PATTERN)), ""),
    Case("by action only", "", switch((ACTION, PATTERN)), ""),
    Case("cycle at its upper bound", "", intent(cycle_bounds_s=(30, 90)), ""),
    Case("cycle at its lower bound", "", intent(cycle_bounds_s=(90, 120)), ""),
    Case("last pattern and split", "", facts(max_patterns=PATTERN, max_splits=SPLIT), ""),
    Case("first pattern and split", "", numbered(1, 1), ""),
    Case("least green of none", "", both(phase(8, min_green_s=0), values(c3_7=40, c3_8=5)), ""),
    Case("offset one below the cycle", "", values(c3=89), ""),
    Case("offset zero", "", values(c3=0), ""),
    Case("split just long enough on foot", "", phase(2, walk_s=16), ""),
    Case("split just long enough", "", phase(1, min_green_s=10), ""),
    Case("walk does not count where nobody walks", "", phase(8, walk_s=60), ""),
    Case("other recalls", "", values(c4_1=3, c4_2=4, c4_3=5, c4_4=6), ""),
    Case("another sequence", "", values(c5=2), ""),
    Case("a phase less everywhere", "", without_phase_3_at_all, ""),
    Case("one coordinated phase", "", both(values(c5_6=0), intent(coordinated=frozenset({2}))), ""),
    Case("yellow", "only_writable", more((f"{ASC}1.2.1.8.2", 30)), "is none of the cells"),
    Case("red clearance", "only_writable", more((f"{ASC}1.2.1.9.2", 20)), "is none of the cells"),
    Case("minimum green", "only_writable", more((f"{ASC}1.2.1.4.2", 5)), "is none of the cells"),
    Case("concurrency", "only_writable", more((f"{ASC}1.2.1.23.2", 5)), "is none of the cells"),
    Case("ring", "only_writable", more((f"{ASC}1.2.1.22.2", 1)), "is none of the cells"),
    Case("channel", "only_writable", more((f"{ASC}8.2.1.2.1", 1)), "is none of the cells"),
    Case("another pattern", "only_writable", more((f"{ASC}4.7.1.2.1", 90)), "is none of the cells"),
    Case("another split", "only_writable", more((f"{ASC}4.9.1.3.1.2", 30)), "is none of the cells"),
    Case("another column", "only_writable", more((f"{ASC}4.9.1.6.{SPLIT}.2", 0)), "is none of the cells"),
    Case("pattern number", "only_writable", more((f"{ASC}4.7.1.1.{PATTERN}", 11)), "is none of the cells"),
    Case("split number column", "only_writable", more((f"{ASC}4.9.1.2.{SPLIT}.2", 2)), "is none of the cells"),
    Case("phase 0", "only_writable", more((f"{ASC}4.9.1.3.{SPLIT}.0", 2)), "is none of the cells"),
    Case("phase 256", "only_writable", more((f"{ASC}4.9.1.3.{SPLIT}.256", 2)), "is none of the cells"),
    Case("a command in the row", "only_writable", more((SYSTEM, PATTERN)), "is none of the cells"),
    Case("another action", "only_writable", more((f"{ASC}5.3.1.2.4", PATTERN), switch=True), "is no command"),
    Case("manual mode", "only_writable", more((f"{ASC}4.1.0", PATTERN), switch=True), "is no command"),
    Case("a cell among commands", "only_writable", more((cell(2), PATTERN), switch=True), "is no command"),
    Case("a fraction", "whole_numbers", values(c3_1=15.0), "no whole number"),
    Case("a truth value", "whole_numbers", values(c5_2=True), "no whole number"),
    Case("too large", "whole_numbers", values(c2=256), "no whole number"),
    Case("negative", "whole_numbers", values(c3=-1), "no whole number"),
    Case("text", "whole_numbers", values(c3="40"), "no whole number"),
    Case("command not whole", "whole_numbers", switch((SYSTEM, 11.0)), "no whole number"),
    Case("a cell twice", "each_once", more((cell(3, 1), 15)), "more than once"),
    Case("a command twice", "each_once", more((SYSTEM, PATTERN), switch=True), "more than once"),
    Case("no cycle", "complete", values(c2=None), "lacks column 2"),
    Case("no offset", "complete", values(c3=None), "lacks column 3"),
    Case("no split number", "complete", values(c4=None), "lacks column 4"),
    Case("no sequence", "complete", values(c5=None), "lacks column 5"),
    Case("no mode", "complete", values(c4_3=None), "lacks column 4 of phase 3"),
    Case("no flag", "complete", values(c5_4=None), "lacks column 5 of phase 4"),
    Case("no time", "complete", both(values(c3_3=None), values(c3_4=45)), "lacks column 3 of phase 3"),
    Case("beyond the patterns", "rows_exist", facts(max_patterns=PATTERN - 1), "not among the controller's 1 to 10"),
    Case("beyond the splits", "rows_exist", facts(max_splits=SPLIT - 1), "not among the controller's 1 to 11"),
    Case("pattern 0", "rows_exist", numbered(0, 1), "pattern 0 is not among"),
    Case("split 0", "rows_exist", numbered(1, 0), "split 0 is not among"),
    Case("pattern 254", "rows_exist", both(numbered(254, 1), facts(max_patterns=255)), "not among the controller's 1 to 253"),
    Case("pattern 253", "", both(numbered(253, 1), facts(max_patterns=255)), ""),
    Case("running", "pattern_idle", facts(running=frozenset({PATTERN})), "is running"),
    Case("of the day", "pattern_idle", facts(action_patterns={1: 1, 2: PATTERN}), "is what action 2"),
    Case("split shared", "split_idle", facts(pattern_splits={1: 1, 5: SPLIT}), "also used by pattern 5"),
    Case("another split named", "split_named", values(c4=13), "names split 13"),
    Case("cycle too long", "cycle_in_bounds", intent(cycle_bounds_s=(30, 89)), "is outside 30 to 89 s"),
    Case("cycle too short", "cycle_in_bounds", intent(cycle_bounds_s=(91, 120)), "is outside 91 to 120 s"),
    Case("offset of a cycle", "offset_below_cycle", values(c3=90), "not below the cycle"),
    Case("offset above the cycle", "offset_below_cycle", values(c3=100), "not below the cycle"),
    Case("no such sequence", "sequence_serves_all", values(c5=3), "has no sequence 3"),
    Case("phase not served", "sequence_serves_all", facts(orders={1: ((1, 2, 3), RING_2)}), "serves phase 4 0 times"),
    Case("phase served twice", "sequence_serves_all", facts(orders={1: ((*RING_1, 1), RING_2)}), "serves phase 1 2 times"),
    Case("phase in the other ring", "sequence_serves_all", facts(orders={1: ((1, 2, 3), (*RING_2, 4))}), "in its ring 1"),
    Case("a ring that is not there", "sequence_serves_all", phase(4, ring=3), "in its ring 3"),
    Case("ring too short", "rings_fill_cycle", values(c3_4=29), "ring 1 add up to 89 s"),
    Case("ring too long", "rings_fill_cycle", values(c3_8=21), "ring 2 add up to 91 s"),
    Case("barrier missed", "barriers_meet", values(c3_2=31, c3_3=14), "may not run together, but would for 1 s"),
    Case("barrier missed by ring 2", "barriers_meet", values(c3_5=19, c3_7=26), "may not run together, but would for 1 s"),
    Case("too short", "splits_long_enough", phase(1, min_green_s=11), "split of phase 1 is 15 s, the controller needs 16"),
    Case("too short by a tenth", "splits_long_enough", both(phase(1, min_green_s=10, red_ds=21), intent(
        clearance_ds={p: (30, 21 if p == 1 else 20) for p in SPLITS})), "the controller needs 15.1 s"),
    Case("too short by yellow", "splits_long_enough", both(phase(1, min_green_s=10, yellow_ds=31), intent(
        clearance_ds={p: (31 if p == 1 else 30, 20) for p in SPLITS})), "the controller needs 15.1 s"),
    Case("too short on foot", "splits_long_enough", phase(2, walk_s=17), "the controller needs 31 s"),
    Case("clearance on foot", "splits_long_enough", phase(2, ped_clear_s=19), "the controller needs 31 s"),
    Case("flag missing", "coordinated_as_meant", both(values(c5_6=0)), "phase 6 has the coordination flag 0"),
    Case("flag too many", "coordinated_as_meant", intent(coordinated=frozenset({2})), "phase 6 has the coordination flag 1"),
    Case("flag 2", "coordinated_as_meant", values(c5_3=2), "phase 3 has the coordination flag 2"),
    Case("none coordinated", "coordinated_together", both(values(c5_2=0, c5_6=0), intent(coordinated=frozenset())),
         "no phase is coordinated"),
    Case("two of a ring", "coordinated_together", both(values(c5_1=1, c5_6=0), intent(coordinated=frozenset({1, 2}))),
         "phases 1 and 2 of one ring"),
    Case("two sides of a barrier", "coordinated_together", both(values(c5_6=0, c5_8=1), intent(
        coordinated=frozenset({2, 8}))), "on two sides of a barrier"),
    Case("a disabled phase", "only_enabled", without_phase_3, "phase 3 is not enabled, but column 3"),
    Case("omitted", "modes_allowed", values(c4_3=7), "split mode 7 of phase 3"),
    Case("other mode", "modes_allowed", values(c4_3=1), "split mode 1 of phase 3"),
    Case("mode 0", "modes_allowed", values(c4_8=0), "split mode 0 of phase 8"),
    Case("yellow differs", "clearance_as_planned", phase(3, yellow_ds=31), "the plan reckons with 3 s and 2 s"),
    Case("red differs", "clearance_as_planned", phase(3, red_ds=10), "has yellow and red of 3 s and 1 s"),
    Case("clearance unknown", "clearance_as_planned", intent(clearance_ds={p: (30, 20) for p in SPLITS if p != 7}),
         "the plan reckons with nothing"),
    Case("no command", "switches_to_row", switch(), "nothing switches"),
    Case("flash", "switches_to_row", switch((SYSTEM, 255)), "commands pattern 255"),
    Case("free", "switches_to_row", switch((SYSTEM, 254)), "commands pattern 254"),
    Case("one of two to another", "switches_to_row", switch((SYSTEM, PATTERN), (ACTION, 1)), "commands pattern 1"),
)  # fmt: skip


def verdicts(gate: ModuleType) -> list[str]:
    """Where a gate fails to do as the cases say; an exception counts as a failure."""
    out = []
    for case in CASES:
        try:
            found = gate.faults(case.change(gate, sound(gate)))
            right = not found if not case.rule else any(case.says in text for text in found)
        except Exception as error:
            right, found = False, [repr(error)]
        if not right:
            out.append(f"{case.name}: {found}")
    try:
        return out + _permits(gate)
    except Exception as error:
        return [*out, repr(error)]


def _permits(gate: ModuleType) -> list[str]:
    """Where permits cover too much or too little."""
    out = []
    good = sound(gate)
    pairs = [*good.row, *good.switch]
    permit, found = gate.let_through(good)
    if found or not permit.covers(pairs) or not permit.covers(pairs[:1]):
        out.append("a sound sending is not permitted")
    if permit.covers([(cell(2), 91)]) or permit.covers([(f"{ASC}1.2.1.8.2", 30)]) or permit.covers([]):
        out.append("the permit covers other values")
    if permit.covers([(cell(2), 90.0)]) or permit.covers([*pairs, (cell(2), 91)]):
        out.append("the permit covers a fraction, or one false among many")
    refused, found = gate.let_through(values(c4_3=7)(gate, good))
    if not found or refused.covers(good.row[:1]):
        out.append("a faulty sending gets a permit")
    kept = {cell(2): 80, cell(3, 1): 10, SYSTEM: 0, f"{ASC}1.2.1.8.2": 30, cell(3): 256, cell(4): True, cell(5): -1,
            cell(3, 2): 255, f"{ASC}5.3.1.2.4": 1, ACTION: 1, f"{ASC}4.7.1.2.1": 5, f"{ASC}4.9.1.3.1.1": 5}  # fmt: skip
    back = gate.let_back(kept, pattern=PATTERN, split=SPLIT, actions=[3])
    if back.pairs != {(cell(2), 80), (cell(3, 1), 10), (SYSTEM, 0), (cell(3, 2), 255), (ACTION, 1)}:
        out.append(f"a rollback permits {sorted(back.pairs)}")
    return out
