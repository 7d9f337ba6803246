"""The plot of the cycle budget: CPU time by part over the number of signals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.tables import Cell
from network_data.errors import InputError
from optimizer.rolling.rolling import PARTS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MARKS = {60: "s", 90: "o", 120: "^"}


def plot_budget(rows: Sequence[Mapping[str, Cell]], *, ax: Axes | None = None) -> Axes:
    """99th percentile of a step over the signals, one line per cycle, and the median of each part at 90 s.

    Raises
    ------
    InputError
        matplotlib is not installed.
    """
    try:
        import matplotlib.pyplot as plt
    except ImportError:
        raise InputError("plot", "needs matplotlib; install the extra: pip install 'its-signals[report]'") from None
    if ax is None:
        _, ax = plt.subplots(figsize=(7, 5))
    for cycle_s in sorted({int(str(row["cycle_s"])) for row in rows}):
        own = sorted((_number(row, "signals"), _number(row, "p99_ms")) for row in rows if row["cycle_s"] == cycle_s)
        mark = MARKS.get(cycle_s, "x")
        ax.plot([n for n, _ in own], [ms for _, ms in own], f"{mark}-", label=f"step, p99, {cycle_s} s", color="black")
    for part in PARTS:
        own = sorted((_number(r, "signals"), _number(r, f"{part}_ms")) for r in rows if r["cycle_s"] == 90)
        ax.plot([n for n, _ in own], [max(ms, 1e-2) for _, ms in own], ".--", label=f"{part.replace('_', '-')}, median")
    for share, text in ((0.02, "2 % of 90 s"), (0.10, "10 % of 90 s")):
        ax.axhline(share * 90e3, color="grey", linewidth=0.8)
        ax.annotate(text, (1.1, share * 90e3 * 1.1), fontsize=8, color="grey")
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlabel("signals")
    ax.set_ylabel("CPU time per cycle [ms]")
    ax.legend(fontsize=7)
    return ax


def save_plot(rows: Sequence[Mapping[str, Cell]], path: Path) -> None:
    """Draw the plot into a file; its ending (svg, png) names the format."""
    ax = plot_budget(rows)
    figure = ax.figure
    figure.savefig(path, bbox_inches="tight")  # type: ignore[union-attr]


def _number(row: Mapping[str, Cell], key: str) -> float:
    value = row[key]
    return float(value) if isinstance(value, int | float) else float("nan")
