"""What a benchmark hands back: rows under headings, printed for people and written for programs."""

from __future__ import annotations

import json
import platform
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from rich.console import Console
from rich.table import Table as RichTable

from network_data.errors import InputError
from network_data.formats.files import write_aside

Cell = str | float | int | bool | None
VERSIONS_OF = ("its-signals", "numpy", "numba", "ortools", "eclipse-sumo", "uxsim")


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column: the key in the rows, its heading with unit, and how numbers look (a format specification)."""

    key: str
    heading: str
    spec: str = ""

    def text(self, value: Cell) -> str:
        """A cell as people read it."""
        if value is None:
            return "–"
        if isinstance(value, bool):
            return "yes" if value else "no"
        return format(value, self.spec) if self.spec and not isinstance(value, str) else str(value)


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows of a benchmark. `failed` says that a row could not be measured or broke a promise; notes say the rest.

    `parts` are further tables, printed below and written beside the rows.
    """

    title: str
    columns: Sequence[Column]
    rows: Sequence[Mapping[str, Cell]]
    notes: Sequence[str] = ()
    failed: bool = False
    parts: Sequence[Table] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a benchmark is to run: quickly (all of it within 2 minutes), one case only, keeping its files in a folder.

    `remake` asks for what is stored between runs to be completed first, which may take hours. `methods`, `scales` of
    the demand and number of `seeds` choose among the rows of the quality benchmark; empty and 0 stand for all. `soak`
    asks for one long run instead of the cases.
    """

    quick: bool = False
    only: str | None = None
    keep: Path | None = None
    remake: bool = False
    soak: bool = False
    methods: tuple[str, ...] = ()
    scales: tuple[float, ...] = ()
    seeds: int = 0
    say: Callable[[str], None] = field(default=print)

    def chosen(self, names: Sequence[str], quick_names: Sequence[str]) -> list[str]:
        """The cases to run out of those known.

        Raises
        ------
        InputError
            There is no such case; the text lists those there are.
        """
        if self.only is None:
            return list(quick_names if self.quick else names)
        if self.only not in names:
            raise InputError("--only", f"no case {self.only!r}; known are {', '.join(names)}")
        return [self.only]


def print_table(table: Table, console: Console | None = None) -> None:
    """Print a table, as wide as it needs to be."""
    grid = RichTable(title=table.title, title_justify="left")
    for column in table.columns:
        numeric = all(not isinstance(row.get(column.key), str) for row in table.rows)
        grid.add_column(column.heading, justify="right" if numeric else "left")
    for row in table.rows:
        grid.add_row(*(column.text(row.get(column.key)) for column in table.columns))
    out = console or Console()
    if not out.is_terminal:
        out = Console(file=out.file, width=200)
    out.print(grid)
    for note in table.notes:
        out.print(note, markup=False, highlight=False)
    for part in table.parts:
        print_table(part, out)


def write_rows(path: Path, name: str, table: Table, *, quick: bool) -> None:
    """Write the rows with what they depend on: commit, versions, processor."""
    content = {
        "benchmark": name,
        "quick": quick,
        "commit": commit(),
        "python": platform.python_version(),
        "processor": processor(),
        "versions": {package: _version(package) for package in VERSIONS_OF},
        "failed": table.failed,
        "notes": list(table.notes),
        "rows": [dict(row) for row in table.rows],
    }
    if table.parts:
        content["parts"] = [
            {"title": part.title, "notes": list(part.notes), "rows": [dict(row) for row in part.rows]}
            for part in table.parts
        ]
    write_aside(path, json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def commit() -> str | None:
    """The commit that is measured, with a + where files differ from it; None outside a git checkout."""
    root = Path(__file__).resolve().parent.parent
    try:
        done = subprocess.run(
            ["git", "-C", str(root), "describe", "--always", "--dirty=+", "--abbrev=12", "--exclude=*"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    except OSError:
        return None
    return done.stdout.strip() or None


def processor() -> str:
    """Name of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
