"""Plans that come with SUMO: its two tools for signals in processes of their own, and its actuated control.

Both tools read the exact routes of the demand: they know more than the counts that the engine gets.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from xml.etree import ElementTree
from xml.sax.saxutils import quoteattr

from benchmarks.cases import Case
from its.sumo import sumo_home
from network_data.errors import OutsideProgramError
from network_data.formats.files import iter_xml, read_bytes, write_aside

MIN_GREEN_S = 5
"""Minimum green that tlsCycleAdaptation is given (`-g 5`), and that actuated greens have where none is stated. [s]"""
ACTUATED_MAX_S = 50.0
"""SUMO's default maximum of an actuated green; longer where the field's green is. [s]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A phase of a `tlLogic`; minimum and maximum where stated. [s]"""

    state: str
    duration_s: float
    least_s: float | None = None
    most_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Logic:
    """A program in force: what tools start from."""

    signal: str
    offset_s: float
    stages: tuple[Stage, ...]

    @property
    def cycle_s(self) -> float:
        """Sum of the durations. [s]"""
        return sum(stage.duration_s for stage in self.stages)

    @property
    def greens(self) -> tuple[bool, ...]:
        """Which stages begin a green with right of way (letter G) and show no yellow; the others are changes."""
        before = (self.stages[-1], *self.stages[:-1])
        return tuple(
            "y" not in stage.state.lower()
            and any(new == "G" and old != "G" for new, old in zip(stage.state, last.state, strict=True))
            for stage, last in zip(self.stages, before, strict=True)
        )


def _seconds(text: str | None) -> float | None:
    return float(text) if text is not None else None


def programs_in_force(case: Case) -> dict[str, Logic]:
    """The programs that SUMO runs without a plan: the last of network and additional files; equal stages joined."""
    out: dict[str, Logic] = {}
    for path in (case.network, *case.base_additional):
        for event, _, element in iter_xml(path):
            if event != "end" or element.tag != "tlLogic":
                continue
            stages = [
                Stage(
                    state=phase.get("state", ""),
                    duration_s=float(phase.get("duration", "0")),
                    least_s=_seconds(phase.get("minDur")),
                    most_s=_seconds(phase.get("maxDur")),
                )
                for phase in element.findall("phase")
            ]
            signal = element.get("id", "")
            if stages:
                offset_s = float(element.get("offset") or 0)
                out[signal] = Logic(signal=signal, offset_s=offset_s, stages=joined(stages))
            element.clear()
    return out


def joined(stages: Sequence[Stage]) -> tuple[Stage, ...]:
    """Neighbours that show the same are one stage: tools count lost time for each."""
    out: list[Stage] = []
    for stage in stages:
        if not out or out[-1].state != stage.state:
            out.append(stage)
            continue
        last, stated = out[-1], stage.least_s is not None or out[-1].least_s is not None
        out[-1] = Stage(
            state=stage.state,
            duration_s=last.duration_s + stage.duration_s,
            least_s=sum(x.duration_s if x.least_s is None else x.least_s for x in (last, stage)) if stated else None,
            most_s=sum(x.duration_s if x.most_s is None else x.most_s for x in (last, stage)) if stated else None,
        )
    return tuple(out)


def write_logics(logics: dict[str, Logic], name: str, target: Path, *, actuated: bool = False) -> Path:
    """An additional file with the programs, under a name of their own."""
    kind = "actuated" if actuated else "static"
    lines = ["<additional>"]
    for logic in logics.values():
        lines.append(
            f'    <tlLogic id={quoteattr(logic.signal)} type="{kind}" programID={quoteattr(name)} '
            f'offset="{logic.offset_s % logic.cycle_s:g}">'
        )
        for stage in logic.stages:
            limits = f' minDur="{stage.least_s:g}" maxDur="{stage.most_s:g}"' if actuated and stage.most_s else ""
            lines.append(f'        <phase duration="{stage.duration_s:g}" state="{stage.state}"{limits}/>')
        lines.append("    </tlLogic>")
    write_aside(target, "\n".join([*lines, "</additional>", ""]))
    return target


def actuated(logics: dict[str, Logic]) -> dict[str, Logic]:
    """The programs with greens between minimum and maximum, the field's where stated; all else as it is."""
    out = {}
    for signal, logic in logics.items():
        stages = [_limits(s) if green else s for s, green in zip(logic.stages, logic.greens, strict=True)]
        out[signal] = replace(logic, stages=tuple(stages))
    return out


def _limits(stage: Stage) -> Stage:
    least_s = min(MIN_GREEN_S, stage.duration_s) if stage.least_s is None else stage.least_s
    most_s = max(ACTUATED_MAX_S, stage.duration_s) if stage.most_s is None else stage.most_s
    return replace(stage, least_s=least_s, most_s=most_s)


def network_with(case: Case, logics: dict[str, Logic], name: str, target: Path) -> Path:
    """The network with these programs in the place of its own: the tools read one program per signal from there."""
    root = ElementTree.fromstring(read_bytes(case.network))
    for old in root.findall("tlLogic"):
        if old.get("id") in logics:
            root.remove(old)
    # SUMO wants programs before the junctions; the tools take them anywhere
    at = next((n for n, element in enumerate(root) if element.tag == "junction"), len(root))
    for logic in logics.values():
        element = ElementTree.Element(
            "tlLogic", id=logic.signal, type="static", programID=name, offset=f"{logic.offset_s:g}"
        )
        for stage in logic.stages:
            ElementTree.SubElement(element, "phase", duration=f"{stage.duration_s:g}", state=stage.state)
        root.insert(at, element)
    ElementTree.ElementTree(root).write(target, encoding="utf-8")
    return target


def routed(case: Case, routes: Sequence[Path], folder: Path) -> Path:
    """All vehicles of the case in one file, each with its route: SUMO's duarouter completes trips.

    Raises
    ------
    OutsideProgramError
        duarouter is missing or failed.
    """
    target = folder / "vehicles.rou.xml"
    options = ["-n", case.network, "-r", ",".join(map(str, routes)), "-o", target, "--ignore-errors", "true"]
    options += ["-a", ",".join(map(str, case.additional))] if case.additional else []
    options += ["--no-step-log", "true", "--no-warnings", "true", "--begin", case.begin_s, "--end", case.end_s]
    options += ["--scale", case.share] if case.share != 1.0 else []
    _run("duarouter", [sumo_home() / "bin" / "duarouter", *options])
    return target


def cycle_adaptation(
    logics: dict[str, Logic], network: Path, vehicles: Path, *, begin_s: float, least_cycle_s: int | None, folder: Path
) -> dict[str, Logic]:
    """Splits and cycles by tlsCycleAdaptation, with every change between greens as long as the network has it.

    Raises
    ------
    OutsideProgramError
        The tool failed, or its phases are not those of the network.
    """
    out = folder / "adapted.add.xml"
    options: list[object] = ["-n", network, "-r", vehicles, "-b", begin_s, "-o", out, "-p", "adapted"]
    options += ["-g", MIN_GREEN_S, "-y", common_yellow_s(logics)]
    options += ["--min-cycle", least_cycle_s] if least_cycle_s is not None else []
    _run_tool("tlsCycleAdaptation", options)
    made = dict(logics)
    for element in ElementTree.parse(out).getroot().iter("tlLogic"):
        logic = logics[element.get("id", "")]
        phases = element.findall("phase")
        if [phase.get("state") for phase in phases] != [stage.state for stage in logic.stages]:
            raise OutsideProgramError(f"tlsCycleAdaptation wrote other phases for {logic.signal} than the network has")
        durations_s = [float(phase.get("duration", "0")) for phase in phases]
        made[logic.signal] = replace(
            logic,
            stages=tuple(
                replace(stage, duration_s=duration_s) if green else stage
                for stage, green, duration_s in zip(logic.stages, logic.greens, durations_s, strict=True)
            ),
        )
    return made


def common_yellow_s(logics: dict[str, Logic]) -> int:
    """The yellow that most stages have, in whole seconds: the tool knows one for all."""
    yellows = [round(s.duration_s) for logic in logics.values() for s in logic.stages if "y" in s.state.lower()]
    return max(sorted(set(yellows)), key=yellows.count) if yellows else 3


def coordinated(logics: dict[str, Logic], network: Path, vehicles: Path, folder: Path) -> dict[str, Logic]:
    """The offsets by tlsCoordinator; signals that it leaves out keep theirs.

    Raises
    ------
    OutsideProgramError
        The tool failed.
    """
    out = folder / "offsets.add.xml"
    _run_tool("tlsCoordinator", ["-n", network, "-r", vehicles, "-o", out])
    made = dict(logics)
    for element in ElementTree.parse(out).getroot().iter("tlLogic"):
        signal = element.get("id", "")
        made[signal] = replace(made[signal], offset_s=float(element.get("offset", "0")))
    return made


def _run_tool(name: str, options: Sequence[object]) -> None:
    path = sumo_home() / "tools" / f"{name}.py"
    if not path.is_file():
        raise OutsideProgramError(f"SUMO's tool {name} is not at {path}")
    _run(name, [sys.executable, path, *options])


def _run(name: str, command: Sequence[object]) -> None:
    try:
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    except OSError as error:
        raise OutsideProgramError(f"{name} cannot be started: {error.strerror}") from None
    if done.returncode != 0:
        told = [line for line in done.stderr.splitlines() if line.strip() and "pj_obj_create" not in line]
        raise OutsideProgramError(f"{name} failed: {' | '.join(told[-3:]) or 'nothing printed'}")
