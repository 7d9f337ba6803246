"""The methods that the quality benchmark compares, and how each makes its plan: once, whatever demand it then meets."""

from __future__ import annotations

import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from benchmarks._quality_store import Store, engine_hash, file_hash, hash_of
from benchmarks._quality_tools import (
    Logic,
    actuated,
    coordinated,
    cycle_adaptation,
    network_with,
    programs_in_force,
    routed,
    write_logics,
)
from benchmarks.cases import ROOT, Case, counts_of, its_command
from its.sumo import sumo_version
from network_data.errors import InputError, OutsideProgramError

LIMITS_S = (5, 60, 600)
QUICK_LIMIT_S = 15
"""Limit of the quick run: enough for a gain on a busy machine too. [s]"""
TURNS = ("keep", "warrant", "free")
LEAST_CYCLES_S = (None, 60, 90)


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """A way to a plan; `fixed` ones are those that an engineer could pick instead of ours."""

    name: str
    label: str
    kind: Literal["shipped", "tool", "actuated", "engine"]
    least_cycle_s: int | None = None
    adapted: bool = False
    coordinated: bool = False
    left_turns: str = ""
    time_limit_s: int = 0
    remark: str = ""
    quick_only: bool = False

    @property
    def fixed(self) -> bool:
        """Whether it is one of the other fixed plans."""
        return self.kind in ("shipped", "tool")


def _methods() -> dict[str, Method]:
    known = [
        Method(name="shipped", label="shipped", kind="shipped"),
        Method(name="shipped+co", label="shipped, tlsCoordinator", kind="tool", coordinated=True),
    ]
    for least_s in LEAST_CYCLES_S:
        name = f"webster{least_s or ''}"
        label = "tlsCycleAdaptation" + (f", cycle from {least_s} s" if least_s else "")
        known += [
            Method(name=name, label=label, kind="tool", least_cycle_s=least_s, adapted=True),
            Method(
                name=f"{name}+co", label=f"{label}, tlsCoordinator", kind="tool", least_cycle_s=least_s, adapted=True,
                coordinated=True,
            ),
        ]  # fmt: skip
    known.append(Method(name="actuated", label="SUMO actuated", kind="actuated"))
    for turns in TURNS:
        for limit_s in LIMITS_S:
            known.append(
                Method(
                    name=f"{turns}{limit_s}",
                    label=f"engine, {turns}, {limit_s} s",
                    kind="engine",
                    left_turns=turns,
                    time_limit_s=limit_s,
                    remark="not for the street" if turns == "free" else "",
                )
            )
    known.append(
        Method(
            name=f"keep{QUICK_LIMIT_S}",
            label=f"engine, keep, {QUICK_LIMIT_S} s",
            kind="engine",
            left_turns="keep",
            time_limit_s=QUICK_LIMIT_S,
            quick_only=True,
        )
    )
    return {method.name: method for method in known}


METHODS = _methods()
"""Every method by name, in the order of the table."""
QUICK_METHODS = ("shipped", "shipped+co", "webster", f"keep{QUICK_LIMIT_S}")


def chosen_methods(asked: tuple[str, ...], *, quick: bool) -> list[Method]:
    """The methods asked for in the order of the table; the shipped plan is always among them, for comparison.

    Raises
    ------
    InputError
        A method that is not known; the text lists those that are.
    """
    if odd := [name for name in asked if name not in METHODS]:
        raise InputError("--methods", [f"no method {name!r}; known are {', '.join(METHODS)}" for name in odd])
    every = QUICK_METHODS if quick else [name for name, method in METHODS.items() if not method.quick_only]
    names = set(asked or every) | {"shipped"}
    return [method for name, method in METHODS.items() if name in names]


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A plan as made; `path` is None for the plan in force, and where `error` says why there is none."""

    path: Path | None = None
    made_s: float = 0.0
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What plans of a case are made from; all but the routes is what the engine gets."""

    case: Case
    detectors: Path
    counts: Path

    @property
    def key(self) -> str:
        """Hash of what the engine reads."""
        fields = [
            self.case.network,
            self.detectors,
            self.counts,
            *([self.case.field_plan] if self.case.field_plan else []),
        ]
        return hash_of(self.case.begin_s, self.case.end_s, *map(file_hash, fields))

    @property
    def scenario_key(self) -> str:
        """Hash of what SUMO and its tools read."""
        files = (self.case.network, *self.case.routes, *self.case.base_additional)
        share = [self.case.share] if self.case.share != 1.0 else []
        return hash_of(self.case.begin_s, self.case.end_s, sumo_version(), *share, *map(file_hash, files))


def inputs_of(case: Case, store: Store) -> Inputs:
    """Detectors and counts of a case; where they are to be made with SUMO, once.

    Raises
    ------
    InputError
        A file of the case is not there.
    OutsideProgramError
        The counts could not be made.
    """
    if reason := case.missing():
        raise InputError(case.name, reason)
    if case.detectors is not None and case.counts is not None:
        return Inputs(case=case, detectors=case.detectors, counts=case.counts)
    files = (case.network, *case.routes, *case.base_additional, *([case.detectors] if case.detectors else []))
    folder = store.folder_of("counts", f"{case.name}-{hash_of(sumo_version(), *map(file_hash, files))}")
    detectors, counts = folder / "detectors.csv", folder / "counts.csv.gz"
    if not (detectors.is_file() and counts.is_file()):
        counts_of(case, folder)
    return Inputs(case=case, detectors=detectors, counts=counts)


def make(method: Method, inputs: Inputs, routes: tuple[Path, ...], store: Store) -> Made:
    """The plan of a method: out of the store, else made now and stored. A method that fails says why in its row."""
    if method.kind == "shipped":
        return Made()
    key = _key(method, inputs)
    folder = store.folder_of("plans", key)
    kept = store.load("plans", key)
    if kept is not None and (kept["error"] or (folder / "plan.add.xml").is_file()):
        path = None if kept["error"] else folder / "plan.add.xml"
        return Made(path=path, made_s=kept["made_s"], error=kept["error"])
    began_s = time.monotonic()
    error = ""
    try:
        if method.kind == "engine":
            _optimize(method, inputs, folder)
        else:
            _with_sumo(method, inputs, routes, folder)
    except OutsideProgramError as fault:
        error = str(fault).strip()
    made_s = time.monotonic() - began_s
    store.save("plans", key, {"case": inputs.case.name, "method": method.name, "made_s": made_s, "error": error})
    return Made(path=None if error else folder / "plan.add.xml", made_s=made_s, error=error)


def is_made(method: Method, inputs: Inputs, store: Store) -> bool:
    """Whether the plan lies in the store."""
    return method.kind == "shipped" or store.load("plans", _key(method, inputs)) is not None


def _key(method: Method, inputs: Inputs) -> str:
    of = hash_of(engine_hash(), inputs.key) if method.kind == "engine" else _tools_hash(inputs)
    return f"{inputs.case.name}-{method.name}-{of}"


def _tools_hash(inputs: Inputs) -> str:
    files = [Path(__file__).with_name(name) for name in ("_quality_tools.py", "_quality_methods.py")]
    return hash_of(inputs.scenario_key, *map(file_hash, files))


def _with_sumo(method: Method, inputs: Inputs, routes: tuple[Path, ...], folder: Path) -> None:
    """The plan by SUMO's tools or as actuated control; `routes` are the case's without gzip."""
    case = inputs.case
    logics = programs_in_force(case)
    if method.kind == "actuated":
        write_logics(actuated(logics), "actuated", folder / "plan.add.xml", actuated=True)
        return
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        vehicles = routed(case, routes, work)
        made = logics
        if method.adapted:
            network = network_with(case, logics, "field", work / "field.net.xml")
            made = cycle_adaptation(
                made, network, vehicles, begin_s=case.begin_s, least_cycle_s=method.least_cycle_s, folder=work
            )
        if method.coordinated:
            made = coordinated(made, network_with(case, made, "made", work / "made.net.xml"), vehicles, work)
        write_logics(_sorted(made), method.name.replace("+", "-"), folder / "plan.add.xml")


def _sorted(logics: dict[str, Logic]) -> dict[str, Logic]:
    return {name: logics[name] for name in sorted(logics)}


def settings_of(method: Method, folder: Path) -> Path:
    """The settings a method runs under: defaults but for its left turns."""
    path = folder / "settings.toml"
    path.write_text(f'[rules]\nleft_turns = "{method.left_turns}"\n', encoding="utf-8")
    return path


def _optimize(method: Method, inputs: Inputs, folder: Path) -> None:
    case = inputs.case
    options: list[object] = ["--detectors", inputs.detectors, "--counts", inputs.counts]
    options += ["--begin", case.begin_s, "--end", case.end_s, "--settings", settings_of(method, folder)]
    options += ["--plans", case.field_plan] if case.field_plan is not None else []
    options += ["--time-limit", method.time_limit_s, "--out", folder]
    done = subprocess.run(
        its_command("optimize", case.network, *options), capture_output=True, text=True, check=False, cwd=ROOT
    )
    if done.returncode != 0:
        raise OutsideProgramError(f"its optimize ended with {done.returncode}: {last_line(done.stderr)}")


def last_line(text: str) -> str:
    """The last line that says something."""
    return next((line for line in reversed(text.splitlines()) if line.strip()), "nothing printed")
