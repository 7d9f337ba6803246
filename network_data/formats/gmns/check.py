"""Hold a folder of GMNS tables against the specification: every fault with its table, row and column."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from network_data.errors import InputError
from network_data.formats.files import read_bytes
from network_data.formats.gmns.spec import NEEDED, Field, Table, tables_of
from network_data.formats.kinds import gmns_tables
from network_data.limits import MAX_COLUMNS, from_cell, name_fault, number

MISSING = ("", "NaN")
"""What the specification reads as no value."""
MAX_TABLE_BYTES = 512 << 20
TIME_DAY = re.compile(r"[01]{8}_([01]\d|2[0-4]):?[0-5]\d_([01]\d|2[0-4]):?[0-5]\d")
TRUE_FALSE = {"0", "1", "true", "false", "True", "False", "TRUE", "FALSE"}
LONG_FIELD = 10 << 20
"""Most characters of a cell: outlines of zones are long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault: its kind, where it stands (row 1 is the header, 0 the table), and what to do."""

    code: str
    table: str
    row: int
    column: str
    text: str

    def __str__(self) -> str:
        place = f"row {self.row}: " if self.row else ""
        column = f"{self.column} " if self.column else ""
        return f"{self.table}.csv: {place}{column}{self.text}"


@dataclass(frozen=True, kw_only=True)
class Rows:
    """A table as it stands in the file: values by column, and the file row of each."""

    columns: tuple[str, ...]
    values: list[dict[str, str]]
    row: list[int]

    def __iter__(self) -> Iterator[tuple[int, dict[str, str]]]:
        return iter(zip(self.row, self.values, strict=True))


@dataclass(frozen=True, kw_only=True)
class Package:
    """All tables of a folder, every fault of them, and the version they claim."""

    folder: Path
    tables: dict[str, Rows]
    faults: tuple[Fault, ...]
    version: float | None

    def rows(self, name: str) -> Rows:
        """A table, empty where it is not there."""
        return self.tables.get(name, Rows(columns=(), values=[], row=[]))


def read_package(folder: Path | str) -> Package:
    """Read and check all tables of a folder.

    Raises
    ------
    InputError
        The folder holds no GMNS network, or a file cannot be read as a table at all.
    """
    folder = Path(folder)
    paths = gmns_tables(folder) if folder.is_dir() else {}
    if not paths:
        raise InputError(str(folder), "holds no GMNS network; it needs node.csv and link.csv with their ids")
    faults: list[Fault] = []
    unreadable: list[str] = []
    tables: dict[str, Rows] = {}
    for name, path in paths.items():
        try:
            tables[name] = _read(path, name, faults)
        except InputError as error:
            unreadable += error.faults
    if unreadable:
        raise InputError(str(folder), unreadable)
    version = _version(tables)
    spec = tables_of(version)
    for name, table in spec.items():
        if name in tables:
            faults += _check(table, tables[name], tables)
    faults += [
        Fault(code="missing-table", table=name, row=0, column="", text="is missing; add it")
        for name in NEEDED
        if name not in tables
    ]
    order = {name: n for n, name in enumerate(spec)}
    faults.sort(key=lambda f: (order.get(f.table, 99), f.row, f.column))
    return Package(folder=folder, tables=tables, faults=tuple(faults), version=version)


def _version(tables: Mapping[str, Rows]) -> float | None:
    for _, values in tables.get("config", Rows(columns=(), values=[], row=[])):
        try:
            return number(values.get("version_number", ""))
        except ValueError:
            return None
    return None


def _read(path: Path, name: str, faults: list[Fault]) -> Rows:
    content = read_bytes(path, MAX_TABLE_BYTES)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(str(path), f"{path.name}: is not UTF-8 at byte {error.start}; export it as UTF-8") from None
    old = csv.field_size_limit(LONG_FIELD)
    try:
        return _rows(csv.reader(io.StringIO(text, newline=""), strict=True, skipinitialspace=True), name, faults)
    except csv.Error as error:
        raise InputError(str(path), f"{path.name}: {error}; export it as plain CSV") from None
    finally:
        csv.field_size_limit(old)


def _rows(reader: Iterator[list[str]], name: str, faults: list[Fault]) -> Rows:
    columns = tuple(cell.strip() for cell in next(reader, []))
    if len(columns) > MAX_COLUMNS:
        raise InputError(name, f"{name}.csv: has {len(columns)} columns, more than {MAX_COLUMNS}; check what it is")
    twice = sorted({c for c in columns if c and columns.count(c) > 1})
    faults += [Fault(code="column-twice", table=name, row=1, column=c, text="is there twice; keep one") for c in twice]
    values, rows = [], []
    for cells in reader:
        line = reader.line_num  # type: ignore[attr-defined]
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) > len(columns) and any(cell.strip() for cell in cells[len(columns) :]):
            text = f"has {len(cells)} fields, the header {len(columns)}; mend the row"
            faults.append(Fault(code="fields", table=name, row=line, column="", text=text))
        values.append({c: from_cell(cell.strip()) for c, cell in zip(columns, cells, strict=False)})
        rows.append(line)
    return Rows(columns=columns, values=values, row=rows)


def _check(table: Table, rows: Rows, tables: Mapping[str, Rows]) -> Iterator[Fault]:
    for field in table.fields:
        if field.required and field.name not in rows.columns:
            text = "is required and not there; add the column"
            yield Fault(code="missing-column", table=table.name, row=1, column=field.name, text=text)
    if table.name == "signal_phase_mvmt":
        yield from _either(rows)
    for field in table.fields:
        if field.name in rows.columns:
            yield from _column(table, field, rows, tables)
    yield from _keys(table, rows)


def _either(rows: Rows) -> Iterator[Fault]:
    for row, values in rows:
        if values.get("mvmt_id", "") in MISSING and values.get("link_id", "") in MISSING:
            text = "names neither a movement nor a crossing; give one of them"
            yield Fault(code="missing-key", table="signal_phase_mvmt", row=row, column="mvmt_id", text=text)


def _keys(table: Table, rows: Rows) -> Iterator[Fault]:
    seen: dict[str, int] = {}
    for row, values in rows:
        key = values.get(table.key, "")
        if not table.key or key in MISSING:
            continue
        if key in seen:
            text = f"{key[:40]!r} stands in row {seen[key]} too; give each row a key of its own"
            yield Fault(code="duplicate-key", table=table.name, row=row, column=table.key, text=text)
        else:
            seen[key] = row


def _column(table: Table, field: Field, rows: Rows, tables: Mapping[str, Rows]) -> Iterator[Fault]:
    targets = _targets(field, tables)
    for row, values in rows:
        text = values.get(field.name, "")
        code = fault = ""
        if text in MISSING:
            if field.required:
                code, fault = "missing-value", "is empty and required; fill it in"
        elif (found := _value_fault(field, text)) is not None:
            code, fault = found
        elif targets is not None and text not in targets:
            target = ".".join(field.refers or ())
            code, fault = "dangling-reference", f"{text[:40]!r} is not in {target}; correct it or add the row"
        if code:
            yield Fault(code=code, table=table.name, row=row, column=field.name, text=fault)


def _targets(field: Field, tables: Mapping[str, Rows]) -> set[str] | None:
    """The keys a column may hold; None where it refers to nothing, nothing at all where the table is missing."""
    if field.refers is None:
        return None
    name, column = field.refers
    if name not in tables:
        return set()
    return {values.get(column, "") for values in tables[name].values}


def _value_fault(field: Field, text: str) -> tuple[str, str] | None:
    """The kind of fault and its text."""
    if field.kind in ("number", "integer"):
        try:
            value = number(text)
        except ValueError as error:
            return "type", str(error)
        if field.kind == "integer" and value != int(value):
            return "type", f"{text[:40]!r} is no whole number; correct it"
        low, high = field.low, field.high
        if not (low if low is not None else -math.inf) <= value <= (high if high is not None else math.inf):
            bounds = f"{low:g} or more" if high is None else f"{low:g} to {high:g}"
            return "range", f"is {text[:40]}; needs {bounds}"
        if field.choices and f"{value:g}" not in field.choices:
            return "enumeration", f"is {text[:40]!r}; known are {', '.join(field.choices)}"
        return None
    if field.kind == "boolean" and text not in TRUE_FALSE:
        return "type", f"is {text[:40]!r}; needs 0, 1, true or false"
    if field.kind == "timeday" and TIME_DAY.fullmatch(text) is None:
        return "format", f"is {text[:40]!r}; needs eight day flags (Sunday to Saturday, holiday), then from_to as HHMM"
    if field.kind == "any" and (fault := name_fault(text)) is not None:
        return "name", fault
    if field.choices and field.kind == "text" and text not in field.choices:
        return "enumeration", f"is {text[:40]!r}; known are {', '.join(field.choices)}"
    return None
