"""`its check`: whether a plan keeps the rules of the street."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from its.console import DONE, RULES_NOT_MET
from its.recognize import load_field_plan, load_network
from network_data.errors import PlanError
from network_data.formats.files import root_tag
from network_data.formats.kinds import first_bytes
from network_data.formats.plan_json import load_document, read_plan_json
from network_data.formats.sumo_tls import read_sumo_programs
from network_data.network import RoadNetwork
from network_data.plans import TimingPlan
from network_data.rings import merge_equal
from network_data.rules import Finding, check_plan
from network_data.settings import Settings, load_settings
from network_data.settings_names import check_names
from optimizer.infeasible import Conflict
from optimizer.infeasible.whole import impossible


def check_job(
    plan_path: Path, network_path: Path, settings_path: Path | None, as_json: bool, *, against: Path | None = None
) -> int:
    """Check a plan against the field plan and print what was found.

    Parameters
    ----------
    plan_path : Path
        `plan.json`, a SUMO additional file, a SUMO network with programs, or a folder of SALT or GMNS files.
    network_path : Path
        The network it is for.
    settings_path : Path, optional
        Settings; the defaults without.
    as_json : bool
        Print JSON in place of a table.
    against : Path, optional
        The plan in the field, in any of these forms; the programs in the network without.

    Returns
    -------
    int
        Exit code: 0 where no rule is broken, 3 where one is.
    """
    settings = load_settings(settings_path) if settings_path is not None else Settings()
    network = load_network(network_path)
    field = load_field_plan(against, network)
    check_names(settings, network, field, str(settings_path))
    plan = read_plan(plan_path, network)
    findings = [
        *check_plan(network, plan, field, settings, warrants=_recorded_warrants(plan_path)),
        *_program_ids(network, plan, field),
        *_not_covered(network, plan),
    ]
    wrong = {finding.controller for finding in findings if finding.severity == "error"}
    conflicts = impossible(network, field, settings, [c for c in network.controllers if c in wrong])
    if as_json:
        print(json.dumps(report(plan, findings, not wrong, conflicts), indent=1, ensure_ascii=False))
    else:
        _print_table(plan, findings, not wrong)
        for conflict in conflicts:
            print(f"no plan keeps these settings: {conflict.text}")
    return DONE if not wrong else RULES_NOT_MET


def report(plan: TimingPlan, findings: list[Finding], ok: bool, conflicts: Sequence[Conflict] = ()) -> dict[str, Any]:
    """The JSON of `its check --json`."""
    names = ("rule", "severity", "controller", "where", "value", "limit", "text")
    rows = [{name: getattr(finding, name) for name in names} for finding in findings]
    impossible_rules = [{"text": c.sentence, "rules": [asdict(one) for one in c.rules]} for c in conflicts]
    told = {"impossible": impossible_rules} if impossible_rules else {}
    return {"ok": ok, "signals": len(plan.controllers), "findings": rows, **told}


def read_plan(path: Path, network: RoadNetwork) -> TimingPlan:
    """The plan to check, from `plan.json`, a SUMO additional file or a network with programs.

    Nothing is completed or compared here beyond what makes the file readable: faults of the plan are findings.

    Raises
    ------
    InputError
        No plan in any of these forms, or one that is malformed.
    """
    if path.is_dir():
        return load_field_plan(None, load_network(path))
    if is_json(path):
        return read_plan_json(path, network)
    if not first_bytes(path).startswith(b"<"):
        raise PlanError(str(path), "is no plan; give a plan.json, a SUMO additional file with <tlLogic>s or a network")
    if root_tag(path) == "net":
        return load_field_plan(None, load_network(path))
    return TimingPlan(controllers=read_sumo_programs(path))


def is_json(path: Path) -> bool:
    """Whether the content begins like a JSON object."""
    return path.is_file() and first_bytes(path).startswith(b"{")


def _recorded_warrants(path: Path) -> Mapping[tuple[str, int], float]:
    """Warrants that a plan document brings along; its demand is not at hand here."""
    if not is_json(path):
        return {}
    return {(w["controller"], w["link_index"]): w["product"] for w in load_document(path)["warrants"]}


def _program_ids(network: RoadNetwork, plan: TimingPlan, field: TimingPlan) -> list[Finding]:
    """SUMO stops at a program id that the network uses already, and `off` switches a signal off."""
    out = []
    for controller_id, program in plan.controllers.items():
        controller = network.controllers.get(controller_id)
        known = [*(controller.programs if controller else ()), *filter(None, [field.controllers.get(controller_id)])]
        same_id = [p for p in known if p.program_id == program.program_id]
        differs = [p for p in same_id if merge_equal(p.intervals) != merge_equal(program.intervals)]
        if program.program_id == "off":
            out.append(_program_finding(controller_id, "off", "switches the signal off; give the programs another id"))
        elif differs:
            text = f"program id {program.program_id!r} is taken by another program of the field; give it a new one"
            out.append(_program_finding(controller_id, program.program_id, text))
    return out


def _program_finding(controller_id: str, program_id: str, text: str) -> Finding:
    return Finding(
        rule="program-id",
        severity="error",
        controller=controller_id,
        where=f"program {program_id}",
        value=program_id,
        limit=None,
        text=text,
    )


def _not_covered(network: RoadNetwork, plan: TimingPlan) -> list[Finding]:
    missing = [x for x in network.controllers if x not in plan.controllers]
    return [
        Finding(
            rule="controller",
            severity="warning",
            controller=x,
            where="",
            value=None,
            limit=None,
            text="the plan does not name this controller; it stays as in the field",
        )
        for x in missing
    ]


def _print_table(plan: TimingPlan, findings: list[Finding], ok: bool) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    if findings:
        table = Table(box=None, pad_edge=False)
        for name in ("", "signal", "rule", "finding"):
            table.add_column(name, overflow="fold", no_wrap=False)
        for f in sorted(findings, key=lambda f: (f.severity != "error", f.controller)):
            table.add_row(*(Text(x) for x in (f.severity, f.controller, f.rule, f.text)))
        console.print(table)
    n_errors = sum(f.severity == "error" for f in findings)
    verdict = "the rules are kept" if ok else "THE RULES ARE NOT KEPT"
    print(f"{verdict}: {len(plan.controllers)} signals, {n_errors} errors, {len(findings) - n_errors} warnings")
