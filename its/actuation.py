"""Which controllers decide themselves in the simulation, why others do not, and what a plan gains over them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from its.measures_json import area_json
from network_data.actuation import ActuatedController
from network_data.actuation_build import Actuation, from_rings
from network_data.clearance import clearance_matrix
from network_data.errors import PlanError, SettingsError
from network_data.formats.kinds import SUMO_ADDITIONAL, SUMO_NET, kind_of
from network_data.formats.sumo_actuated import read_sumo_actuated
from network_data.network import RoadNetwork
from network_data.plans import ControllerPlan, TimingPlan
from network_data.settings import Settings
from sim.measures import Measures


@dataclass(frozen=True, kw_only=True)
class ActuatedPlan:
    """Controllers that decide themselves, and in words why others that are actuated do not."""

    controllers: dict[str, ActuatedController]
    notes: tuple[str, ...] = ()


def load_actuated(
    network_path: Path, plans: Path | None, network: RoadNetwork, plan: TimingPlan, settings: Settings, where: str
) -> ActuatedPlan:
    """Actuated controllers of SUMO programs of type `actuated`, and of plans with rings that the settings name.

    Parameters
    ----------
    network_path : Path
        Holds the programs that count where `plans` has none.
    plans : Path, optional
        As `--plans`.
    plan : TimingPlan
        What was read of both.
    where : str
        Names the settings in errors.

    Raises
    ------
    InputError
        All faults of the programs, or of what the settings say of them.
    """
    made: dict[str, ActuatedController] = {}
    left_out: dict[str, str] = {}
    for path in (network_path, *([plans] if plans is not None else [])):
        if kind_of(path) in (SUMO_NET, SUMO_ADDITIONAL):
            read = read_sumo_actuated(path, network)
            made |= read.controllers
            left_out |= read.left_out
    flagged = {c: program for c, program in plan.controllers.items() if program.actuated}
    made = {c: one for c, one in made.items() if c in flagged}
    made |= _of_rings(network, plan, settings, where)
    notes = [f"controller {c!r}: {why}" for c, why in left_out.items() if c in flagged and c not in made]
    notes += [
        f"controller {c!r}: is marked actuated, but nothing says how; its interval table is simulated"
        for c in flagged
        if c not in made and c not in left_out
    ]
    return ActuatedPlan(controllers=made, notes=tuple(notes))


def _of_rings(network: RoadNetwork, plan: TimingPlan, settings: Settings, where: str) -> dict[str, ActuatedController]:
    """Plans with rings and barriers whose phases the settings coordinate or recall."""
    rules, faults, out = settings.actuation, [], {}
    for c in sorted({*rules.coordinated, *rules.recall}):
        program = plan.controllers.get(c)
        if program is None:
            faults.append(f"[actuation] names controller {c!r}, which the network does not have; correct it")
        elif not program.barrier_groups:
            faults.append(f"[actuation] names controller {c!r}, whose plan has no rings; give a plan.json with rings")
        else:
            try:
                out[c] = _ring_controller(network, c, program, settings)
            except PlanError as error:
                faults += error.faults
    if faults:
        raise SettingsError(where, faults)
    return out


def _ring_controller(network: RoadNetwork, c: str, program: ControllerPlan, settings: Settings) -> ActuatedController:
    rules, controller = settings.actuation, network.controllers[c]
    field = controller.programs[-1] if controller.programs else program
    return from_rings(
        program.barrier_groups,
        network,
        controller,
        clearance_matrix(
            controller,
            field,
            source=settings.rules.clearance,
            min_green_s=settings.limits.min_green_s,
            network=network,
        ),
        Actuation(
            gap_s=rules.gap_s,
            detector_gap_s=rules.detector_gap_s,
            stop_line=rules.stop_line,
            recall=rules.recall.get(c, {}),
            coordinated=frozenset(rules.coordinated.get(c, ())),
            force_off=rules.force_off,
        ),
        offset_s=program.offset_s,
        program_id=program.program_id,
    )


def over_actuated(
    actuated: ActuatedPlan, shown: Measures | None, fixed: Measures, after: Measures
) -> dict[str, Any] | None:
    """The field as its actuated controllers really run it, beside the same plan run as fixed time and the new plan.

    Parameters
    ----------
    shown, fixed, after : Measures
        The field plan with its actuated controllers deciding, without, and the new plan; None where nothing decides.
    """
    if shown is None:
        return None
    before_s, after_s = shown.network.delay_s_per_veh, after.network.delay_s_per_veh
    return {
        "controllers": sorted(actuated.controllers),
        **area_json(shown.network),
        "signals": {c: area_json(shown.signals[c]) for c in sorted(actuated.controllers) if c in shown.signals},
        "fixed_delay_s_per_veh": fixed.network.delay_s_per_veh,
        "after_delay_s_per_veh": after_s,
        "change": after_s / before_s - 1 if before_s > 0 else None,
    }


def said_over_actuated(over: dict[str, Any] | None) -> list[str]:
    """What the new, fixed-time plan gains over the field's actuated control, in one sentence."""
    if over is None:
        return []
    change = "" if over["change"] is None else f" ({100 * over['change']:+.0f} %)"
    return [
        f"with {', '.join(over['controllers'])} actuated as in the field, today costs "
        f"{over['delay_s_per_veh']:.1f} s/veh (as fixed time {over['fixed_delay_s_per_veh']:.1f}); "
        f"the new fixed-time plan {over['after_delay_s_per_veh']:.1f}{change}"
    ]
