"""`plan.json`: a timing plan as a document: what it was made from, what it passed, nothing of the day or the host."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from network_data.clearance import WALK_SPEED_MPS, clearance_matrix, crossing_length_m
from network_data.controllers import Controller
from network_data.errors import PlanError
from network_data.formats.files import read_bytes
from network_data.formats.plan_model import FORMAT, VERSION, ControllerModel, PhaseModel, PlanDocument
from network_data.network import RoadNetwork
from network_data.plans import GREEN, BarrierGroup, ControllerPlan, Interval, Phase, TimingPlan
from network_data.program_table import ProgramTable
from network_data.rings import phases_of, starting_at_stage
from network_data.rules_form import ring_faults
from network_data.rules_judged import Finding
from network_data.whole_seconds import to_sumo

__all__ = [
    "dump_plan",
    "green_windows",
    "load_document",
    "plan_document",
    "plan_hash",
    "plan_of_document",
    "program_id_of",
    "read_plan_json",
    "to_sumo",
]

DIGITS = 6
MAX_BYTES = 256 << 20
MAX_FAULTS = 50


def plan_document(
    network: RoadNetwork,
    plan: TimingPlan,
    field: TimingPlan,
    *,
    inputs: Mapping[str, str],
    engine: Mapping[str, Any],
    seed: int,
    period: tuple[float, float] | Mapping[str, Any],
    objective: Mapping[str, Any],
    bounds: Sequence[Mapping[str, Any]],
    checks: Sequence[Mapping[str, Any] | str],
    findings: Iterable[Finding] = (),
) -> dict[str, Any]:
    """The document of a plan.

    Parameters
    ----------
    network : RoadNetwork
        The network it is for.
    plan, field : TimingPlan
        The plan; the field plan states the shortest greens of phases.
    inputs : mapping
        Name of each input → SHA-256 of its content.
    engine : mapping
        Versions.
    seed : int
        Seed of the search.
    period : (begin_s, end_s) or mapping with `begin_s`, `end_s` and `days`
        Period planned for. [s after local midnight]
    objective, bounds
        Numbers of the search; every bound names its `model`.
    checks : sequence
        Rules passed: names, or records as `rules.passed_checks` gives them.
    findings : iterable of Finding
        What the check found; its warrants are recorded, so that the plan can be checked again without the demand.

    Raises
    ------
    PlanError
        The parts do not make a valid document.
    """
    span = period if isinstance(period, Mapping) else {"begin_s": period[0], "end_s": period[1]}
    document = {
        "format": FORMAT,
        "version": VERSION,
        "network_hash": network.hash,
        "inputs": dict(inputs),
        "engine": dict(engine),
        "seed": seed,
        "period": {"begin_s": float(span["begin_s"]), "end_s": float(span["end_s"]), "days": span.get("days") or ""},
        "objective": dict(objective),
        "bounds": [dict(bound) for bound in bounds],
        "checks": [{"rule": c, "passed": True} if isinstance(c, str) else dict(c) for c in checks],
        "warrants": _warrants(findings),
        "controllers": [
            _controller_document(network, program, field.controllers.get(controller_id))
            for controller_id, program in plan.controllers.items()
        ],
    }
    try:
        model = PlanDocument.model_validate(_stable(document))
    except ValidationError as error:
        raise PlanError("plan document", _faults(error)) from None
    content: dict[str, Any] = _stable(model.model_dump(mode="json"))
    return content


def dump_plan(document: Mapping[str, Any]) -> bytes:
    """The document as bytes: keys sorted, floats stable, a newline at the end."""
    return (
        json.dumps(_stable(document), indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"
    ).encode()


def plan_hash(document: Mapping[str, Any] | bytes) -> str:
    """SHA-256 of the document's content, or of its bytes; program ids are no part of it. [hex]"""
    return hashlib.sha256(document if isinstance(document, bytes) else dump_plan(document)).hexdigest()


def program_id_of(document: Mapping[str, Any] | bytes) -> str:
    """The id under which the plan's programs are exported: `its-` and 8 hex digits of its hash."""
    return f"its-{plan_hash(document)[:8]}"


def load_document(path: Path | str) -> dict[str, Any]:
    """Read and check the document itself (not yet against a network).

    Raises
    ------
    PlanError
        Every fault of the file: no JSON, unknown version, missing or wrong fields.
    """
    where = str(path)
    try:
        content = json.loads(read_bytes(path, MAX_BYTES).decode("utf-8"), parse_constant=_no_constant)
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise PlanError(where, f"is not JSON: {error}; give the plan.json that `its optimize` wrote") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise PlanError(
            where, f"is no plan document (no format {FORMAT!r}); give the plan.json that `its optimize` wrote"
        )
    if content.get("version") != VERSION:
        raise PlanError(
            where, f"has version {content.get('version')!r}, this engine reads {VERSION}; make the plan again"
        )
    try:
        PlanDocument.model_validate_json(json.dumps(content))
    except ValidationError as error:
        raise PlanError(where, _faults(error)) from None
    return content


def read_plan_json(path: Path | str, network: RoadNetwork | None = None) -> TimingPlan:
    """Read a plan document as a plan.

    Parameters
    ----------
    path : path
        The file.
    network : RoadNetwork, optional
        The network it must be for: its hash, controllers, movements and link indices are compared.

    Raises
    ------
    PlanError
        With every fault found.
    """
    return plan_of_document(load_document(path), network, where=str(path))


def plan_of_document(
    content: Mapping[str, Any], network: RoadNetwork | None = None, *, where: str = "plan document"
) -> TimingPlan:
    """The plan of a document that `load_document` read; as `read_plan_json`, without the file."""
    document = PlanDocument.model_validate_json(json.dumps(content))
    faults = [fault for controller in document.controllers for fault in _own_faults(controller)]
    ids = [controller.id for controller in document.controllers]
    faults += [
        f"controller {x!r} occurs {ids.count(x)} times; keep one" for x in dict.fromkeys(ids) if ids.count(x) > 1
    ]
    if network is not None:
        if document.network_hash != network.hash:
            faults.append(
                f"was made for another network (hash {document.network_hash[:12]}…, {network.source or 'this one'} has "
                f"{network.hash[:12]}…); give that network, or run `its optimize` again on this one"
            )
        faults += [fault for controller in document.controllers for fault in _network_faults(controller, network)]
    if faults:
        raise PlanError(where, faults[:MAX_FAULTS])
    program_id = program_id_of(content)
    return TimingPlan(controllers={c.id: _plan_of(c, program_id) for c in document.controllers})


def _no_constant(text: str) -> float:
    raise ValueError(f"{text} is no JSON number")


def _faults(error: ValidationError) -> list[str]:
    return [
        f"{'.'.join(str(part) for part in item['loc']) or 'document'}: {item['msg']}, got {str(item['input'])[:60]!r}"
        for item in error.errors()[:MAX_FAULTS]
    ]


def _stable(value: Any) -> Any:
    """Numbers as they are printed: floats to the microsecond, no negative zero, plain containers."""
    if isinstance(value, Mapping):
        return {str(key): _stable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_stable(item) for item in value]
    if isinstance(value, bool) or not hasattr(value, "__float__") or isinstance(value, int):
        return value
    return round(float(value), DIGITS) + 0.0


def _warrants(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    return [
        {"controller": f.controller, "link_index": f.link_index, "product": float(f.value), "text": f.text}
        for f in findings
        if f.rule == "protection"
        and f.severity == "warning"
        and f.link_index is not None
        and isinstance(f.value, float)
    ]


def _controller_document(network: RoadNetwork, plan: ControllerPlan, field: ControllerPlan | None) -> dict[str, Any]:
    controller = network.controllers[plan.controller_id]
    groups = plan.barrier_groups
    if not groups:
        plan = starting_at_stage(plan, controller)
        matrix = clearance_matrix(controller, field, network=network) if field is not None else None
        groups = phases_of(controller, network, plan, matrix)
    return {
        "id": plan.controller_id,
        "cycle_s": float(plan.cycle_s),
        "offset_s": float(plan.offset_s),
        "barrier_groups": [{"rings": [[_phase_document(p) for p in ring] for ring in g.rings]} for g in groups],
        "intervals": [{"duration_s": float(i.duration_s), "state": i.state} for i in plan.intervals],
        "green_windows": green_windows(network, controller, plan),
    }


def _phase_document(phase: Phase) -> dict[str, Any]:
    return {
        "name": phase.name,
        "movements": list(phase.movements),
        "permitted": list(phase.permitted),
        "crossings": list(phase.crossings),
        "green_s": float(phase.green_s),
        "yellow_s": float(phase.yellow_s),
        "red_clearance_s": float(phase.red_clearance_s),
        "min_green_s": float(phase.min_green_s),
        "max_green_s": float(phase.max_green_s),
    }


def green_windows(network: RoadNetwork, controller: Controller, plan: ControllerPlan) -> list[dict[str, Any]]:
    """Greens of every movement and crossing in cycle time; link indices of a movement with the same green share one.

    Returns
    -------
    list of dict
        movement (or crossing) id, link_indices, start_s in [0, cycle), end_s, and kind: protected, permitted, walk, or
        the clearance behind a walk.
    """
    table = ProgramTable(plan)
    out: dict[tuple[str, float, float, str], list[int]] = {}
    for head in controller.heads[: table.n_heads]:
        for start_s, end_s, letter in plan.windows(head.index):
            if letter not in GREEN:
                continue
            span = (round(start_s, DIGITS), round(end_s, DIGITS))
            for movement_id in head.movement_ids:
                kind = "protected" if letter == "G" else "permitted"
                out.setdefault((movement_id, *span, kind), []).append(head.index)
            for crossing_id in head.crossing_ids:
                out.setdefault((crossing_id, *span, "walk"), []).append(head.index)
        if head.kind == "crossing":
            for begin_s, end_s in _walk_clearances(network, controller, plan, table, head.index):
                for crossing_id in head.crossing_ids:
                    out.setdefault((crossing_id, begin_s, end_s, "clearance"), []).append(head.index)
    rows = sorted(out.items(), key=lambda item: (item[1][0], item[0][1], item[0][0]))
    return [
        {"movement": name, "link_indices": indices, "start_s": start_s, "end_s": end_s, "kind": kind}
        for (name, start_s, end_s, kind), indices in rows
    ]


def _walk_clearances(
    network: RoadNetwork, controller: Controller, plan: ControllerPlan, table: ProgramTable, index: int
) -> list[tuple[float, float]]:
    """(start, end) of the clearance behind each walk: the crossing's length, at most until the next walk."""
    need_s = crossing_length_m(network, controller.heads[index]) / WALK_SPEED_MPS
    out = []
    for n, before, after in table.letter_changes(index):
        if before in GREEN and after not in GREEN:
            red_s = sum(table.durations_s[(n + x) % table.n_intervals] for x in range(int(table.ahead[n, index])))
            start_s = round(table.starts_s[n] % plan.cycle_s, DIGITS)
            out.append((start_s, round(start_s + min(need_s, red_s), DIGITS)))
    return [(a, b) for a, b in out if b > a]


def _own_faults(controller: ControllerModel) -> list[str]:
    """Contradictions within one controller of a document."""
    where = f"controller {controller.id!r}"
    faults = []
    lengths = sorted({len(interval.state) for interval in controller.intervals})
    if len(lengths) > 1:
        faults.append(f"{where}: states have different lengths {lengths}; give one letter per link index")
    total_s = sum(interval.duration_s for interval in controller.intervals)
    if abs(total_s - controller.cycle_s) > 1e-3:
        faults.append(
            f"{where}: intervals add up to {total_s:g} s, cycle_s is {controller.cycle_s:g}; mend one of them"
        )
    if not controller.offset_s < controller.cycle_s:
        faults.append(f"{where}: offset_s {controller.offset_s:g} is not below cycle_s; take it modulo the cycle")
    groups = _groups_of(controller)
    if any(not group.rings or not all(group.rings) for group in groups):
        faults.append(f"{where}: a barrier group without rings or a ring without phases; leave it out")
    else:
        faults += [f"{where}: {text}" for _, text, _, _ in ring_faults(groups, controller.cycle_s)]
    return faults


def _network_faults(controller: ControllerModel, network: RoadNetwork) -> list[str]:
    """What a controller of a document names that the network does not have."""
    where = f"controller {controller.id!r}"
    known = network.controllers.get(controller.id)
    if known is None:
        return [f"{where}: is not in the network; give the network the plan was made for"]
    names = {x for head in known.heads for x in (*head.movement_ids, *head.crossing_ids)}
    phases = [phase for group in controller.barrier_groups for ring in group.rings for phase in ring]
    named = [x for phase in phases for x in (*phase.movements, *phase.permitted, *phase.crossings)]
    named += [window.movement for window in controller.green_windows]
    unknown = [x for x in dict.fromkeys(named) if x not in names]
    faults = [f"{where}: does not control {x!r}; take it out or mend its name" for x in unknown]
    got, want = len(controller.intervals[0].state), known.n_heads
    if got > want:
        faults.append(f"{where}: states have {got} letters, the controller has {want} link indices; shorten them")
    elif not unknown and len({len(interval.state) for interval in controller.intervals}) == 1:
        windows = [window.model_dump() for window in controller.green_windows]
        if _stable(green_windows(network, known, _plan_of(controller, "-"))) != _stable(windows):
            faults.append(f"{where}: green_windows do not follow from the intervals; make the plan again")
    return faults


def _groups_of(controller: ControllerModel) -> tuple[BarrierGroup, ...]:
    return tuple(
        BarrierGroup(rings=tuple(tuple(_phase_of(phase) for phase in ring) for ring in group.rings))
        for group in controller.barrier_groups
    )


def _phase_of(model: PhaseModel) -> Phase:
    return Phase(
        name=model.name,
        movements=tuple(model.movements),
        permitted=tuple(model.permitted),
        crossings=tuple(model.crossings),
        green_s=model.green_s,
        yellow_s=model.yellow_s,
        red_clearance_s=model.red_clearance_s,
        min_green_s=model.min_green_s,
        max_green_s=model.max_green_s,
    )


def _plan_of(model: ControllerModel, program_id: str) -> ControllerPlan:
    return ControllerPlan(
        controller_id=model.id,
        program_id=program_id,
        offset_s=model.offset_s,
        intervals=tuple(Interval(i.duration_s, i.state) for i in model.intervals),
        barrier_groups=_groups_of(model),
    )
