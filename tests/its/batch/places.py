"""Small projects: two signals, a quarter of an hour of three days, hardly any search."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from benchmarks._batch_districts import FIRST_DAY, Recipe, write_counts, write_place

RECIPE = Recipe(columns=2, rows=1, days=3, iterations=4)
NEW_DAY = 3
EASY = "gain = 0.0\nheld_out_gain = 0.0\nheld_out_better = 0.0\nsumo = 'off'"
"""Gates that only a plan worse than today's fails."""


def make_place(folder: Path) -> None:
    """Network, field plan, loops, counts of three days and, apart, of a fourth."""
    write_place(folder, RECIPE, seed=3)
    write_counts(folder, RECIPE, 3, seed=5)
    later = folder / "later"
    later.mkdir()
    shutil.copy(folder / "network.net.xml", later)
    write_counts(later, RECIPE, 3, seed=5, days=[NEW_DAY])


def add_new_day(folder: Path) -> str:
    """Another file of counts arrives; its name."""
    (path,) = (folder / "later" / "counts").iterdir()
    shutil.copy(path, folder / "counts")
    assert path.stem == FIRST_DAY.replace(day=FIRST_DAY.day + NEW_DAY).isoformat()
    return path.name


def district(name: str, extra: str = "", *, counts: str = "counts/*.csv") -> str:
    """A district of a project file."""
    return (
        f"[district.{name}]\nnetwork = 'network.net.xml'\ndetectors = 'detectors.csv'\ncounts = ['{counts}']\n"
        f"field = 'field.add.xml'\n{extra}\n"
    )


def write_project(
    folder: Path,
    districts: Sequence[str] = ("",),
    *,
    gates: str = EASY,
    days: int = 2,
    schedule: str = "begin = '07:00'\nend = '07:15'",
    head: str = "",
) -> Path:
    """A project file; without districts named otherwise there is one, `centre`."""
    blocks = [one or district("centre") for one in districts]
    text = (
        f"name = 'Test'\nzone = 'Asia/Seoul'\n{head}\n[search]\niterations = {RECIPE.iterations}\n"
        f"[schedule]\n{schedule}\n"
        f"[gates]\ndays = {days}\nheld_out_days = 1\n{gates}\n" + "\n".join(blocks)
    )
    path = folder / "project.toml"
    path.write_text(text, encoding="utf-8")
    return path
