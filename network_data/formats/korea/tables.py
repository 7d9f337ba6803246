"""CSV tables as Korean portals give them: UTF-8 with a mark or CP949, Korean headers, thousands separators."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from network_data.errors import DemandError
from network_data.formats.files import read_bytes
from network_data.limits import MAX_COLUMNS, number

MAX_TABLE_BYTES = 1 << 30
ENCODINGS = ("utf-8-sig", "cp949")


def read_rows(path: Path | str) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    """Column names, and rows with their numbers in the file (the header is row 1).

    Raises
    ------
    DemandError
        Neither UTF-8 nor CP949, or no table.
    """
    content = read_bytes(path, MAX_TABLE_BYTES)
    for encoding in ENCODINGS:
        try:
            text = content.decode(encoding)
            break
        except UnicodeDecodeError:
            continue
    else:
        raise DemandError(str(path), "is neither UTF-8 nor CP949; save it in one of them")
    header = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=header.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        names = [name.strip() for name in next(reader, [])]
        if len(names) > MAX_COLUMNS:
            raise DemandError(str(path), f"has {len(names)} columns, more than {MAX_COLUMNS}; check what it is")
        rows = [
            (reader.line_num, dict(zip(names, (cell.strip() for cell in cells), strict=False)))
            for cells in reader
            if any(cell.strip() for cell in cells)
        ]
    except csv.Error as error:
        raise DemandError(str(path), f"row {reader.line_num}: {error}; export it as plain CSV") from None
    return names, rows


def count(text: str, what: str, row: int, faults: list[str], *, high: float = 1e7) -> float | None:
    """A number of at least 0, thousands separators allowed; None where it is blank, a fault where it is none."""
    plain = text.replace(",", "")
    if not plain:
        return None
    try:
        return number(plain, low=0, high=high)
    except ValueError as error:
        faults.append(f"row {row}: {what}: {error}")
        return None
