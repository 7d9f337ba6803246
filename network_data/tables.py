"""Reading tables of untrusted origin: CSV (gzipped or not) or parquet by content, with the row of each entry."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pa_parquet
from numpy.typing import NDArray

from network_data.errors import DemandError
from network_data.formats.files import open_bytes, read_bytes, read_start
from network_data.limits import MAX_BYTES, MAX_COLUMNS, MAX_ROWS, from_cell

PARQUET_MAGIC = b"PAR1"
BATCH_ROWS = 1 << 20
NUMBER = r"^\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\s*$"
NOT_FINITE = r"^\s*[+-]?(?i:nan|inf|infinity)\s*$"
MAX_NAMED = 20
"""Most rows an error or a note names one by one."""


@dataclass(frozen=True, eq=False)
class Table:
    """Columns of a file and the file row of each entry (the header is row 1)."""

    columns: dict[str, pa.Array]
    row: NDArray[np.int64]
    faults: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.row)


def read_table(path: Path | str) -> Table:
    """Read CSV, CSV.gz or parquet, whichever the content is; rows with too few or too many fields become faults."""
    parts = list(iter_tables(path))
    if len(parts) == 1:
        return parts[0]
    columns = {
        name: pa.concat_arrays([part.columns[name] for part in parts]) for name in (parts[0].columns if parts else ())
    }
    return Table(columns, np.concatenate([part.row for part in parts]), ())


def iter_tables(path: Path | str, wanted: set[str] | None = None) -> Iterator[Table]:
    """Read a table in pieces of at most `BATCH_ROWS` rows where its format allows; CSV comes in one piece.

    Parameters
    ----------
    path : path
        CSV, CSV.gz or parquet, whichever the content is.
    wanted : set of str, optional
        Columns to read of a parquet file, of those that are there; all by default.

    Raises
    ------
    DemandError
        Neither CSV nor parquet, damaged, or beyond the limits of rows, columns and size.
    """
    if read_start(path, len(PARQUET_MAGIC)) == PARQUET_MAGIC:
        yield from _parquet(path, wanted)
        return
    try:
        yield _csv(path, read_bytes(path))
    except pa.ArrowInvalid as error:
        raise DemandError(str(path), f"is neither CSV nor parquet: {error}; export it as UTF-8 CSV") from None


def _parquet(path: Path | str, wanted: set[str] | None) -> Iterator[Table]:
    try:
        with open_bytes(path) as stream:
            # gzip around parquet is unpacked within the limits; a plain file is read piece by piece
            source = (
                stream if hasattr(stream, "fileno") and not hasattr(stream, "fileobj") else io.BytesIO(read_bytes(path))
            )
            file = pa_parquet.ParquetFile(source)
            names = _sound_parquet(path, file)
            chosen = [raw for name, raw in names.items() if wanted is None or name in wanted]
            row = 2
            if file.metadata.num_rows == 0 or not chosen:
                empty = file.schema_arrow.empty_table()
                yield Table({name: empty.column(raw).combine_chunks() for name, raw in names.items()}, _rows(2, 0), ())
                return
            for batch in file.iter_batches(BATCH_ROWS, columns=chosen):
                batch.validate(full=True)  # texts that are no UTF-8 come through otherwise
                columns = {name: batch.column(raw) for name, raw in names.items() if raw in chosen}
                yield Table(columns, _rows(row, batch.num_rows), ())
                row += batch.num_rows
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise DemandError(str(path), f"is a damaged parquet file: {error}; write it again") from None


def _sound_parquet(path: Path | str, file: pa_parquet.ParquetFile) -> dict[str, str]:
    """The columns, by trimmed name; refused where the file is beyond the limits or its columns are nested."""
    about, schema = file.metadata, file.schema_arrow
    unpacked = sum(about.row_group(i).total_byte_size for i in range(about.num_row_groups))
    faults = []
    for what, value, most in (
        ("rows", about.num_rows, MAX_ROWS),
        ("columns", len(schema.names), MAX_COLUMNS),
        ("bytes unpacked", unpacked, MAX_BYTES),
    ):
        if not 0 <= value <= most:
            faults.append(f"has {value:,} {what}, more than {most:,}; split it or check what it is")
    faults += [
        f"column {field.name[:40]!r} holds {str(field.type)[:40]}, no plain values; flatten it"
        for field in schema
        if pa.types.is_nested(field.type)
    ]
    if faults:
        raise DemandError(str(path), capped(faults))
    return {name.strip(): name for name in dict.fromkeys(schema.names)}


def _rows(first: int, n: int) -> NDArray[np.int64]:
    return np.arange(first, first + n, dtype=np.int64)


def _csv(path: Path | str, content: bytes) -> Table:
    content = content.removeprefix(b"\xef\xbb\xbf")
    try:
        content.decode("utf-8")  # a row that is none would end the parser's callback, out of our hands
    except UnicodeDecodeError as error:
        fault = f"is neither CSV nor parquet: no UTF-8 at byte {error.start}; export it as UTF-8 CSV"
        raise DemandError(str(path), fault) from None
    header = content.split(b"\n", 1)[0].decode("utf-8", "replace")
    delimiter = max(",;\t", key=header.count)
    names = [name.strip().strip('"') for name in header.strip("\r").split(delimiter)]
    if len(names) > MAX_COLUMNS:
        raise DemandError(str(path), f"row 1: has {len(names)} columns, more than {MAX_COLUMNS}; check what it is")
    faults: list[str] = []
    skipped: list[int] = []

    def on_bad(row: pa_csv.InvalidRow) -> str:
        skipped.append(row.number)
        if row.text.strip():
            faults.append(
                f"row {row.number}: has {row.actual_columns} fields, the header {row.expected_columns}; mend the row"
            )
        return "skip"

    table = pa_csv.read_csv(
        io.BytesIO(content),
        read_options=pa_csv.ReadOptions(use_threads=False, column_names=names, skip_rows=1),
        parse_options=pa_csv.ParseOptions(delimiter=delimiter, ignore_empty_lines=False, invalid_row_handler=on_bad),
        convert_options=pa_csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
        ),
    )
    if table.num_rows > MAX_ROWS:
        raise DemandError(str(path), f"has {table.num_rows:,} rows, more than {MAX_ROWS:,}; split it")
    row = np.setdiff1d(np.arange(2, table.num_rows + len(skipped) + 2), np.asarray(skipped, dtype=np.int64))
    if b"\n\n" in content or b"\r\n\r\n" in content:  # empty lines come as rows of empty texts
        filled = np.zeros(table.num_rows, dtype=bool)
        for i in range(table.num_columns):
            filled |= pc.not_equal(table.column(i), "").to_numpy()
        table, row = table.filter(pa.array(filled)), row[filled]
    columns = {name: table.column(i).combine_chunks() for i, name in enumerate(names)}
    return Table(columns, row, tuple(faults))


def texts(column: pa.Array) -> pd.Categorical:
    """A column as trimmed text categories (few distinct values: names, times); nulls become the empty text."""
    if pa.types.is_timestamp(column.type) and column.type.tz is not None:
        column = pc.local_timestamp(column)  # the clock on the wall there
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    encoded = column.dictionary_encode(null_encoding="encode")
    words = pc.fill_null(pc.cast(encoded.dictionary, pa.string()), "")
    raw = pd.Index([from_cell(word.strip()) for word in words.to_pylist()], dtype=object)
    codes, unique = pd.factorize(raw)
    return pd.Categorical.from_codes(
        codes[encoded.indices.to_numpy(zero_copy_only=False)], pd.Index(unique, dtype=object)
    )


def numbers(column: pa.Array) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_]]:
    """A column as numbers: the values, where the text is no number, and where it is nan or inf.

    Only plain ASCII numbers count: full-width digits and thousands separators are no numbers. Blank entries are NaN
    without being a fault.
    """
    none = np.zeros(len(column), dtype=bool)
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        blank = column.is_null().to_numpy(zero_copy_only=False)
        value = column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False).copy()
        return np.where(np.isinf(value), np.nan, value), none, ~np.isfinite(value) & ~blank
    text = pc.fill_null(pc.cast(column, pa.string()), "")
    good = pc.match_substring_regex(text, NUMBER)
    value = pc.if_else(good, pc.utf8_trim_whitespace(text), pa.scalar(None, pa.string())).cast(pa.float64())
    out = value.to_numpy(zero_copy_only=False).copy()
    good_np = good.to_numpy(zero_copy_only=False)
    if good_np.all():
        return out, none, ~np.isfinite(out)
    blank = pc.equal(pc.utf8_trim_whitespace(text), "").to_numpy(zero_copy_only=False)
    odd = pc.match_substring_regex(text, NOT_FINITE).to_numpy(zero_copy_only=False)
    return np.where(np.isinf(out), np.nan, out), ~good_np & ~blank & ~odd, odd | np.isinf(out)


def need_columns(path: Path | str, table: Table, wanted: tuple[str, ...], example: str) -> None:
    """Refuse a table that lacks columns."""
    missing = [name for name in wanted if name not in table.columns]
    if missing:
        found = ", ".join(repr(name[:40]) for name in list(table.columns)[:12])
        raise DemandError(
            str(path), f"row 1: lacks the columns {', '.join(missing)} (found {found}); needed: {example}"
        )


def capped(faults: list[str], what: str = "faults") -> list[str]:
    """At most MAX_NAMED of them, in order of their rows, and how many more there are."""
    faults = sorted(faults, key=_row_of)
    if len(faults) <= MAX_NAMED:
        return faults
    return [*faults[:MAX_NAMED], f"and {len(faults) - MAX_NAMED} more {what}"]


def _row_of(fault: str) -> int:
    number = fault.removeprefix("row ").split(":", 1)[0]
    return int(number) if fault.startswith("row ") and number.isdigit() else 0


def name_rows(rows: NDArray[np.int64]) -> str:
    """Row numbers for people: the first ones and how many more."""
    text = ", ".join(str(row) for row in rows[:MAX_NAMED])
    return text + (f" and {len(rows) - MAX_NAMED} more" if len(rows) > MAX_NAMED else "")
