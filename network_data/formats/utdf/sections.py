"""The sections of a combined UTDF file as tables: record → intersection → column → text, with the file row of each."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from network_data.errors import NetworkError
from network_data.formats.files import read_bytes
from network_data.limits import from_cell, number

MAX_FILE_BYTES = 256 << 20
SECTIONS = ("Network", "Nodes", "Links", "Lanes", "Timeplans", "Phases")
COMPASS = ("NB", "SB", "EB", "WB", "NE", "NW", "SE", "SW")
HEADING_DEG = {"NB": 90.0, "SB": 270.0, "EB": 0.0, "WB": 180.0, "NE": 45.0, "NW": 135.0, "SE": 315.0, "SW": 225.0}
"""Where traffic of a direction drives to, counter-clockwise from east."""


@dataclass
class Records:
    """A section with RECORDNAME and INTID: values by intersection, record and column."""

    columns: tuple[str, ...] = ()
    values: dict[str, dict[str, dict[str, str]]] = field(default_factory=lambda: defaultdict(dict))
    row: dict[tuple[str, str], int] = field(default_factory=dict)

    def get(self, intid: str, record: str, column: str = "DATA") -> str:
        """A cell as text, empty where there is none."""
        return self.values.get(intid, {}).get(record, {}).get(column, "")


@dataclass
class Utdf:
    """All sections of a file and every fault in reading them."""

    network: dict[str, str] = field(default_factory=dict)
    nodes: dict[str, dict[str, str]] = field(default_factory=dict)
    node_row: dict[str, int] = field(default_factory=dict)
    links: Records = field(default_factory=Records)
    lanes: Records = field(default_factory=Records)
    timeplans: Records = field(default_factory=Records)
    phases: Records = field(default_factory=Records)
    unknown: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def value(
        self, records: Records, intid: str, record: str, column: str = "DATA", *, low: float = 0.0, high: float = 1e6
    ) -> float | None:
        """A number, None where the cell is blank or `*`; what is no number in its range becomes a fault.

        A star before a number (`*3`) marks a default: the number counts.
        """
        text = records.get(intid, record, column).removeprefix("*").strip()
        if not text:
            return None
        try:
            return number(text, low=low, high=high)
        except ValueError as error:
            row = records.row.get((intid, record), 0)
            self.faults.append(f"row {row}: {record} of {intid} {column}: {error}")
            return None


def read_sections(path: Path | str) -> Utdf:
    """Split a combined file into its sections.

    Raises
    ------
    NetworkError
        The file is no text, or has no sections at all.
    """
    content = read_bytes(path, MAX_FILE_BYTES)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp1252", "replace")  # Synchro writes the code page of Windows
    return sections_of(text, str(path))


def sections_of(text: str, where: str) -> Utdf:
    """The sections of a file's text; `where` names it in errors."""
    out = Utdf()
    section = ""
    header: tuple[str, ...] = ()
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        for cells in reader:
            cells = [from_cell(cell.strip()) for cell in cells]
            first = cells[0] if cells else ""
            if first.startswith("[") and first.endswith("]"):
                section, header = first[1:-1], ()
                if section not in SECTIONS:
                    out.unknown.append(section)
            elif not any(cells) or not section:
                continue
            elif not header and first.upper() in ("RECORDNAME", "INTID"):
                header = tuple(cells)
            elif header:
                _row(out, section, header, cells, reader.line_num)
    except csv.Error as error:
        raise NetworkError(where, f"row {reader.line_num}: {error}; export it as plain CSV") from None
    if not out.nodes or not out.links.values:
        out.faults.append("holds no [Nodes] or no [Links]; give a combined UTDF file")
    return out


def _row(out: Utdf, section: str, header: tuple[str, ...], cells: list[str], line: int) -> None:
    values = dict(zip(header, cells, strict=False))
    if section == "Network":
        out.network[cells[0]] = cells[1] if len(cells) > 1 else ""
        return
    if section == "Nodes":
        name = values.get("INTID", "")
        if not name or name in out.nodes:
            out.faults.append(f"row {line}: node {name!r} has no INTID or is there twice; give each its own")
        out.nodes[name], out.node_row[name] = values, line
        return
    records = {"Links": out.links, "Lanes": out.lanes, "Timeplans": out.timeplans, "Phases": out.phases}.get(section)
    if records is None:
        return
    record, intid = values.get("RECORDNAME", ""), values.get("INTID", "")
    if not record or not intid:
        out.faults.append(f"row {line}: [{section}] has a row without RECORDNAME or INTID; fill them in")
        return
    records.columns = header
    records.values[intid][record] = values
    records.row[intid, record] = line
