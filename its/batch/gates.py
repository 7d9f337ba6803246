"""The gates: each looks at figures and says whether a plan goes on, and why. Nothing here simulates or reads files."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from its.project import Gates
from its.store.runs import GateRecord
from its.verify import VerifyResult
from network_data.rules import Finding

MOST_NAMED = 5
"""Findings and names that a reason spells out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFigures:
    """What the counts of one type of day are worth.

    `n_day` days were counted, of which `good` are sound enough; `measured` of all detectors are sound on half of these.
    """

    type: str
    n_day: int
    good: tuple[str, ...]
    measured: float
    repaired: int
    missing: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GainFigures:
    """Cost of all vehicles under both plans, [s], and on which share of the draws the new ones are better."""

    before_s: float
    after_s: float
    veh: float
    better: float
    labels: tuple[str, ...] = ()

    @property
    def gain(self) -> float:
        """Share of the cost that is saved. [-]"""
        return 1 - self.after_s / self.before_s if self.before_s > 0 else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeFigures:
    """Largest differences from the plan in force, and how many of `n_signal` signals differ."""

    n_signal: int
    cycle_s: float
    green_s: float
    changed: int
    new_stages: int
    at: str


def data_gate(found: DataFigures, limits: Gates) -> GateRecord:
    """Enough days with enough sound counts, at enough detectors."""
    need = limits.days + limits.held_out_days
    faults = []
    if len(found.good) < need:
        faults.append(
            f"{len(found.good)} of {found.n_day} days ({found.type}) have {limits.sound_share:.0%} sound counts "
            f"or more, {need} are needed"
        )
    if found.measured < limits.measured_share:
        faults.append(
            f"{found.measured:.0%} of the detectors are sound on half of these days, {limits.measured_share:.0%} needed"
        )
    reason = "; ".join(faults) or (
        f"{len(found.good)} of {found.n_day} days ({found.type}) are good, "
        f"{found.measured:.0%} of the detectors sound on half of them"
    )
    figures = {
        "days": found.n_day, "good_days": len(found.good), "measured": round(found.measured, 4),
        "repaired": found.repaired, "missing": found.missing,
    }  # fmt: skip
    return GateRecord(name="data", passed=not faults, reason=reason, figures=figures)


def gain_gate(found: GainFigures, limits: Gates) -> GateRecord:
    """Enough is saved on the days the plan was made from, with vehicles that it was not made with."""
    passed = found.gain >= limits.gain and found.after_s < found.before_s
    reason = f"saves {_percent(found.gain)} of the delay on its own days, {_percent(limits.gain)} needed"
    return GateRecord(name="gain", passed=passed, reason=reason, figures=_gain_json(found))


def held_out_gate(found: GainFigures | None, limits: Gates) -> GateRecord:
    """Enough is saved on days that the plan has not seen."""
    if found is None:
        return GateRecord(name="held-out", passed=True, reason="the project holds no days out", figures={})
    enough = found.gain >= limits.held_out_gain and found.after_s < found.before_s
    often = found.better >= limits.held_out_better
    reason = (
        f"saves {_percent(found.gain)} on {', '.join(found.labels)}, {_percent(limits.held_out_gain)} needed; "
        f"better on {found.better:.0%} of the draws, {limits.held_out_better:.0%} needed"
    )
    return GateRecord(name="held-out", passed=enough and often, reason=reason, figures=_gain_json(found))


def sumo_gate(runs: Sequence[tuple[str, VerifyResult]] | None, absent: str, limits: Gates) -> GateRecord:
    """SUMO confirms every plan beyond doubt; without SUMO only where the project does not require it."""
    if runs is None:
        passed = limits.sumo != "require"
        return GateRecord(name="sumo", passed=passed, reason=absent, figures={})
    faults = [f"{name}: {'; '.join(one.reasons)}" for name, one in runs if not one.confirmed]
    told = ", ".join(f"{name} {_percent(one.ratio - 1, sign=True)}" for name, one in runs)
    figures = {name: {"change": round(one.ratio - 1, 4), "draws": len(one.old)} for name, one in runs}
    reason = "; ".join(faults) or f"delay in SUMO: {told}"
    return GateRecord(name="sumo", passed=not faults, reason=reason, figures=figures)


def rules_gate(findings: Sequence[Finding]) -> GateRecord:
    """`check_plan` finds nothing wrong."""
    errors = [f for f in findings if f.severity == "error"]
    named = "; ".join(f"{f.controller}: {f.text}" for f in errors[:MOST_NAMED])
    more = f" and {len(errors) - MOST_NAMED} more" if len(errors) > MOST_NAMED else ""
    warnings = len(findings) - len(errors)
    reason = f"{named}{more}" if errors else f"all rules are kept, {warnings} warnings"
    return GateRecord(
        name="rules", passed=not errors, reason=reason, figures={"errors": len(errors), "warnings": warnings}
    )


def change_gate(found: ChangeFigures, limits: Gates) -> GateRecord:
    """No more is changed at once than the project allows."""
    n = max(1, found.n_signal)
    rows = (
        ("largest change of a cycle", found.cycle_s, limits.cycle_change_s, " s"),
        ("largest change of a green", found.green_s, limits.green_change_s, " s"),
        ("share of signals changed", found.changed / n, limits.changed_share, ""),
        ("share of signals with new stages", found.new_stages / n, limits.new_stages_share, ""),
    )
    faults = [
        f"{what} is {value:.3g}{unit}, at most {most:g}{unit}"
        for what, value, most, unit in rows
        if value > most + 1e-9
    ]
    reason = "; ".join(faults) or (
        f"{found.changed} of {found.n_signal} signals change, {found.new_stages} of them their stages; "
        f"cycles by {found.cycle_s:g} s, greens by {found.green_s:g} s at most"
    )
    figures = {
        "cycle_s": round(found.cycle_s, 3), "green_s": round(found.green_s, 3), "changed": found.changed,
        "new_stages": found.new_stages, "signals": found.n_signal, "at": found.at,
    }  # fmt: skip
    return GateRecord(name="change", passed=not faults, reason=reason, figures=figures)


def transition_gate(loss_s: float, gain_s: float, n_switch: int, limits: Gates, fault: str = "") -> GateRecord:
    """Switching into the plans and out of them costs less than they gain.

    Parameters
    ----------
    loss_s, gain_s : float
        Per day. [s]
    fault : str
        Why there is no legal way from one plan to the next, if so.
    """
    figures = {"loss_s": round(loss_s, 1), "gain_s": round(gain_s, 1), "switches": n_switch}
    if fault or not (math.isfinite(loss_s) and math.isfinite(gain_s)):
        return GateRecord(name="transitions", passed=False, reason=fault or "cannot be reckoned", figures={})
    most_s = limits.transition_share * gain_s
    reason = (
        f"{n_switch} switches a day cost {loss_s / 3600:.2f} vehicle hours of the {gain_s / 3600:.2f} gained, "
        f"at most {limits.transition_share:.0%} may be"
    )
    return GateRecord(name="transitions", passed=loss_s < most_s, reason=reason, figures=figures)


def _gain_json(found: GainFigures) -> dict[str, object]:
    veh = max(1.0, found.veh)
    return {
        "gain": round(found.gain, 5),
        "before_s_per_veh": round(found.before_s / veh, 3),
        "after_s_per_veh": round(found.after_s / veh, 3),
        "better": round(found.better, 4),
        "days": list(found.labels),
    }


def _percent(share: float, *, sign: bool = False) -> str:
    return f"{100 * share:+.1f} %" if sign else f"{100 * share:.1f} %"
