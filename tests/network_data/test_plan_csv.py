"""plan.csv: one row per phase, times that add up."""

import csv
import io

import pytest

from network_data.formats.plan_csv import plan_csv
from tests.network_data.crossroads import FIELD, crossroads, timing
from tests.network_data.real_networks import load


def rows_of(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_one_row_per_phase():
    """The crossroads has three phases, each with its times and its movements."""
    rows = rows_of(plan_csv(crossroads(), timing(FIELD, offset_s=12.0)))

    assert [(r["phase"], r["start_s"], r["green_s"], r["split_s"]) for r in rows] == [
        ("1", "0", "38", "41"),
        ("2", "41", "10", "15"),
        ("3", "56", "29", "34"),
    ]
    assert rows[0]["movements"] == "wi>eo ei>wo"
    assert rows[0]["crossings"] == "x:c:0"
    assert {r["offset_s"] for r in rows} == {"12"}


def test_without_stages_the_intervals_are_listed():
    """A program that fits no rings is written interval by interval."""
    rows = rows_of(plan_csv(crossroads(), timing([(40, "yyyyyyr"), (20, "rrrrrrr")])))

    assert [(r["phase"], r["green_s"], r["movements"]) for r in rows] == [
        ("interval 1", "40", "yyyyyyr"),
        ("interval 2", "20", "rrrrrrr"),
    ]


@pytest.mark.parametrize("name", ["acosta", "grid4x4"])
def test_splits_add_up(name):
    """Splits of every real controller add up to its cycle."""
    network, field = load(name)
    total = dict.fromkeys(field.controllers, 0.0)
    for row in rows_of(plan_csv(network, field)):
        total[row["controller"]] += float(row["split_s"])

    assert total == {x: pytest.approx(p.cycle_s) for x, p in field.controllers.items()}
