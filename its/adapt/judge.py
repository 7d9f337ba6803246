"""The judge of a run: rules over the seconds that SUMO recorded, and the delay of every loaded vehicle.

It reads what SUMO wrote, nothing of the engine. The recorded seconds are one long program that does not repeat: it is
closed by a stretch of red, so that the rules of `check_plan` can judge it as they judge any program.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

from network_data.clearance import EPSILON_S
from network_data.errors import InputError
from network_data.formats.files import iter_xml
from network_data.network import RoadNetwork
from network_data.plans import GREEN, OPEN, YELLOW, ControllerPlan, Interval, TimingPlan
from network_data.rules_judged import Finding, Judged, protected_in
from network_data.rules_protection import check_protection
from network_data.rules_safety import (
    check_clearance,
    check_conflicting_green,
    check_minimum_green,
    check_service,
    check_yellow,
)
from network_data.rules_walk import check_walk
from network_data.settings import Settings

RULES = (
    check_conflicting_green,
    check_yellow,
    check_clearance,
    check_minimum_green,
    check_walk,
    check_service,
    check_protection,
)
"""The rules that hold for seconds of any sequence; cycles, rings and offsets are a plan's own."""
ASIDE_S = 600.0
"""Length of the first and last state in the closed sequence: they began before, or would have gone on. [s]"""
LEAST_S = 1200.0
"""A shorter record cannot tell that a turn has lost its protected green: who always finds gaps gets it rarely. [s]"""
LEAST_S = 1200.0
"""A shorter record cannot tell that a turn has lost its protected green: who always finds gaps gets it rarely. [s]"""
LEAST_S = 1200.0
"""A shorter record cannot tell that a turn has lost its protected green: who always finds gaps gets it rarely. [s]"""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What one signal showed: (seconds, state), in order."""

    controller_id: str
    begin_s: float
    rows: tuple[tuple[float, str], ...]


def read_recorded(path: Path) -> dict[str, Recorded]:
    """Signal states as SUMO saved them second by second.

    Raises
    ------
    InputError
        The file holds no states.
    """
    seconds: dict[str, list[tuple[float, str]]] = {}
    for event, _, element in iter_xml(path):
        if event == "end" and element.tag == "tlsState":
            seconds.setdefault(element.attrib["id"], []).append(
                (float(element.attrib["time"]), element.attrib["state"])
            )
            element.clear()
    if not seconds:
        raise InputError(str(path), "holds no signal states; was it written by SaveTLSStates?")
    out = {}
    for name, rows in seconds.items():
        runs = [(float(sum(1 for _ in group)), state) for state, group in groupby(row[1] for row in rows)]
        out[name] = Recorded(name, rows[0][0], tuple(runs))
    return out


def findings_of(
    network: RoadNetwork, field: TimingPlan, settings: Settings, recorded: Mapping[str, Recorded]
) -> list[Finding]:
    """All rules over all recorded signals; a signal that was never recorded is a finding too.

    Parameters
    ----------
    field : TimingPlan
        The programs in force before: the yardstick.
    """
    out: list[Finding] = []
    for x, program in field.controllers.items():
        if x not in recorded:
            text = f"{x}: no states were recorded"
            out.append(
                Finding(rule="recorded", severity="error", controller=x, where="", value=None, limit=None, text=text)
            )
            continue
        judged = Judged(
            network=network,
            controller=network.controllers[x],
            plan=_closed(recorded[x], program),
            field=program,
            settings=settings,
        )
        found = [finding for rule in RULES for finding in rule(judged)]
        if sum(seconds for seconds, _ in recorded[x].rows) < LEAST_S:
            lost = protected_in(judged.controller, program) - protected_in(judged.controller, judged.plan)
            found = [f for f in found if not (f.rule == "protection" and f.link_index in lost)]
        out += found
        out += _reds(judged, recorded[x])
    return out


def _closed(recorded: Recorded, program: ControllerPlan) -> ControllerPlan:
    """The seconds as a program: before the first and behind the last state everybody is red for long."""
    rows = [Interval(seconds, state) for seconds, state in recorded.rows]
    rows[0] = Interval(rows[0].duration_s + ASIDE_S, rows[0].state)
    rows[-1] = Interval(rows[-1].duration_s + ASIDE_S, rows[-1].state)
    ending = "".join("y" if letter in GREEN + YELLOW else letter for letter in rows[-1].state)
    closed = "".join("r" if letter in YELLOW else letter for letter in ending)
    rows += [Interval(30.0, ending), Interval(ASIDE_S, closed)]
    return replace(program, intervals=tuple(rows), offset_s=0.0, barrier_groups=(), min_durations_s=(), actuated=False)


def _reds(judged: Judged, recorded: Recorded) -> list[Finding]:
    """Reds that last too long, those at the begin and the end of the record as far as they were seen."""
    out = []
    for head in judged.controller.heads[: len(recorded.rows[0][1])]:
        if head.kind == "dead":
            continue
        k, limit_s = head.index, float(judged.limits.most_red_s[head.index])
        worst, now_s, before = 0.0, 0.0, ""
        for seconds, state in recorded.rows:
            letter = state[k]
            after_green = letter in YELLOW and before in GREEN
            now_s = 0.0 if letter in OPEN or after_green else now_s + seconds
            worst = max(worst, now_s)
            before = letter if not after_green else before
        if worst > limit_s + EPSILON_S:
            text = f"{judged.name(k)} was red for {worst:g} s; at most {limit_s:g} s"
            out.append(judged.finding("longest-red", judged.name(k), text, value=worst, limit=limit_s))
    return out


def errors_in(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """Breaches as records for JSON."""
    return [asdict(finding) for finding in findings if finding.severity == "error"]
