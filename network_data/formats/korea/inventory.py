"""The signal inventory (신호 표준데이터): phases in words and lengths of a signal, without offset, yellow or hours."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from network_data.errors import DemandError
from network_data.formats.korea.tables import read_rows
from network_data.limits import number
from network_data.tables import capped

NAME, FROM, TO, PHASES, LENGTHS = "교차로명", "출발", "도착", "신호현시 방식", "신호등화시간"
MAIN, CONTROL, TIMING, MANAGED = "주도로여부", "신호제어방식", "신호시간결정방식", "신호등관리번호"
WORDS = {
    "직좌동시": "through and left together", "양직": "both throughs", "좌회전": "lefts", "오버랩": "overlap",
    "동시신호": "through and left together", "직진": "through", "직진후좌회전": "through, then left",
    "좌회전후직진": "left, then through",
}  # fmt: skip
"""Names of phases and what they let go."""
SHORTEST_S, LONGEST_S = 1.0, 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalEntry:
    """One signal as listed; lengths hold yellow (and red) inside. [s]"""

    row: int
    name: str
    managed_id: str
    from_place: str
    to_place: str
    phase_names: tuple[str, ...]
    lengths_s: tuple[float, ...]
    main_road: str
    control: str
    timing: str

    @property
    def cycle_s(self) -> float:
        """Sum of the lengths. [s]"""
        return sum(self.lengths_s)

    @property
    def finding(self) -> str:
        """What does not agree in it, empty where all does."""
        if self.phase_names and self.lengths_s and len(self.phase_names) != len(self.lengths_s):
            return (
                f"row {self.row}: {self.name}: {len(self.phase_names)} phase names and {len(self.lengths_s)} lengths: "
                "which length belongs to which phase is not known"
            )
        return ""


def read_inventory(path: Path | str) -> tuple[SignalEntry, ...]:
    """Read the inventory: UTF-8 or CP949.

    Raises
    ------
    DemandError
        Missing columns, and every row with lengths that are none.
    """
    names, rows = read_rows(path)
    columns = {"".join(name.split()): name for name in names}
    missing = [name for name in (NAME, LENGTHS) if "".join(name.split()) not in columns]
    if missing:
        raise DemandError(str(path), f"row 1: lacks the columns {', '.join(missing)} (found {', '.join(names[:12])})")

    def cell(values: dict[str, str], name: str) -> str:
        return values.get(columns.get("".join(name.split()), ""), "")

    faults: list[str] = []
    out = []
    for row, values in rows:
        lengths = _lengths(cell(values, LENGTHS), row, faults)
        out.append(
            SignalEntry(
                row=row,
                name=cell(values, NAME),
                managed_id=cell(values, MANAGED),
                from_place=cell(values, FROM),
                to_place=cell(values, TO),
                phase_names=tuple(part.strip() for part in cell(values, PHASES).split("+") if part.strip()),
                lengths_s=lengths,
                main_road=cell(values, MAIN),
                control=cell(values, CONTROL),
                timing=cell(values, TIMING),
            )
        )
    if faults:
        raise DemandError(str(path), capped(faults))
    return tuple(out)


def _lengths(text: str, row: int, faults: list[str]) -> tuple[float, ...]:
    if not text:
        return ()
    try:
        return tuple(number(part, low=SHORTEST_S, high=LONGEST_S) for part in text.split("+"))
    except ValueError as error:
        faults.append(
            f"row {row}: {LENGTHS} is {text[:40]!r}: {error}; needs seconds joined by plus signs, as 45+35+35+45"
        )
        return ()
