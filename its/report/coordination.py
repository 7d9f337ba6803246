"""Green bands and offsets as the report tells them: widths before and after, and how near offsets are to the best."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from its.report.data import ReportData, as_list, as_mapping, as_number


@dataclass(frozen=True, slots=True)
class BandLine:
    """One direction of a street under both plans; shares of the cycle and of the shortest green. [s], [-]"""

    street: str
    direction: str
    before_s: float | None
    after_s: float | None
    efficiency_before: float | None
    efficiency_after: float | None
    attainability_before: float | None
    attainability_after: float | None


@dataclass(frozen=True, slots=True)
class OffsetLine:
    """The offsets of the signals of one cycle in their link cost tables. [veh·s], gap [-]"""

    signals: int
    cycle_s: float | None
    tables: str
    model: str
    reached: float | None
    bound: float | None
    gap: float | None


def band_lines(data: ReportData) -> list[BandLine]:
    """Bands of run.json; none where it lacks them."""
    out = []
    for row in map(as_mapping, data.rows("bands")):
        numbers = {
            key: as_number(row.get(key))
            for key in (
                "width_before_s", "width_after_s", "efficiency_before", "efficiency_after",
                "attainability_before", "attainability_after",
            )
        }  # fmt: skip
        out.append(BandLine(str(row.get("street", "")), _towards(row.get("direction")), *numbers.values()))
    return out


def _towards(direction: Any) -> str:
    return {"forth": "there", "back": "back"}.get(str(direction), str(direction or ""))


def least_band_s(data: ReportData) -> float:
    """The width that was asked for; 0 where none was. [s]"""
    asked = [as_number(as_mapping(row).get("least_s")) or 0.0 for row in data.rows("bands")]
    return max(asked, default=0.0)


def offset_lines(data: ReportData) -> list[OffsetLine]:
    """What run.json says about the plan's offsets."""
    return [
        OffsetLine(
            signals=len(as_list(row.get("signals"))),
            cycle_s=as_number(row.get("cycle_s")),
            tables=str(row.get("tables", "")),
            model=str(row.get("model", "")),
            reached=as_number(row.get("reached")),
            bound=as_number(row.get("bound")),
            gap=as_number(row.get("gap")),
        )
        for row in map(as_mapping, as_list(data.part("offsets").get("plan")))
    ]
