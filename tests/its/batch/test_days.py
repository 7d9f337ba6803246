"""Which days plans are made from: good ones, the newest held out; days on which clocks change; what runs now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from its.batch.days import TypedDays, of_type, read_days
from its.batch.field import Running, laid_out, running_plans, same
from its.batch.task import PushedPlan, Task, task_of
from its.content import one_day
from its.project import Gates, load_project
from its.recognize import load_field_plan, load_network
from its.store import Store
from network_data.day_types import DayTypes
from network_data.detectors import Detector, read_detectors
from network_data.errors import DemandError
from network_data.formats.plan_json import plan_document
from network_data.network import RoadNetwork
from network_data.plans import TimingPlan
from network_data.settings import Settings
from tests.its.batch.places import write_project

GATES = Gates(days=1, held_out_days=1, sound_share=0.9)
HOUR_S = 3600


def times(day: date, begin_h: int, end_h: int) -> list[str]:
    """Begins and ends of quarters of an hour, local, without a zone."""
    clock = [f"{day}T{h:02d}:{m:02d}:00" for h in range(begin_h, end_h + 1) for m in (0, 15, 30, 45)]
    return [f"{a},{b}" for a, b in pairwise(clock[: 4 * (end_h - begin_h) + 1])]


def write_days(place: Path, days: dict[date, list[str]], lost: Sequence[tuple[date, str]] = ()) -> list[str]:
    """Counts at every loop: 30 vehicles, or none where a loop is lost; the loops' names."""
    loops = [line.split(",")[0] for line in (place / "detectors.csv").read_text(encoding="utf-8").splitlines()[1:]]
    rng = np.random.default_rng(1)
    for path in (place / "counts").iterdir():
        path.unlink()
    for day, spans in days.items():
        rows = [f"{loop},{span},{rng.poisson(30)}" for loop in loops for span in spans if (day, loop) not in set(lost)]
        (place / "counts" / f"{day}.csv").write_text("\n".join(["detector,begin,end,veh", *rows, ""]), encoding="utf-8")
    return loops


def typed(place: Path, kind: str, begin_h: int, end_h: int, *, zone: str = "Asia/Seoul") -> tuple[Task, TypedDays]:
    """The days of a type as a district's run sees them."""
    project = load_project(write_project(place))
    text = project.path.read_text(encoding="utf-8").replace("Asia/Seoul", zone)
    project.path.write_text(text, encoding="utf-8")
    project = load_project(project.path)
    store = Store.open(project.store)
    task = task_of(project, "centre", store)
    store.close()
    network, detectors = read(place)
    counted = read_days(task, detectors, network, Settings())
    found = of_type(counted, kind, DayTypes(), len(detectors), GATES, begin_h * HOUR_S, end_h * HOUR_S)
    return task, found


def read(place: Path) -> tuple[RoadNetwork, tuple[Detector, ...]]:
    """Network and loops."""
    network = load_network(place / "network.net.xml")
    return network, read_detectors(place / "detectors.csv", network)


def test_the_newest_good_day_is_held_out(place: Path) -> None:
    """Bad days are left out, wherever they stand; other types of day do not count."""
    week = [date(2026, 11, 2) + timedelta(days=n) for n in range(7)]
    loops = write_days(place, {day: times(day, 7, 9) for day in week}, [])
    write_days(place, {day: times(day, 7, 9) for day in week}, [(week[4], loop) for loop in loops[: len(loops) // 2]])
    _, found = typed(place, "weekday", 7, 9)
    assert found.training.labels == tuple(str(day) for day in week[:3])
    assert [x.labels for x in found.held_out] == [(str(week[3]),)]
    assert (found.figures.n_day, found.figures.good) == (5, tuple(str(day) for day in week[:4]))
    assert found.figures.measured == 1.0
    _, saturday = typed(place, "sat", 7, 9)
    assert saturday.figures.good == (str(week[5]),)
    assert saturday.held_out == ()  # one day alone is for making
    with pytest.raises(DemandError, match="cover nothing of"):
        typed(place, "weekday", 12, 13)


@pytest.mark.parametrize("change", [date(2026, 10, 25), date(2026, 3, 29)])
def test_days_on_which_clocks_change(place: Path, change: date) -> None:
    """Neither the hour that comes twice nor the one that is left out makes traffic of itself; other hours are used."""
    days = {change - timedelta(days=7 * n): [] for n in (3, 2, 1, 0)}
    for day in days:
        days[day] = times(day, 1, 5)
    if change.month == 10:
        days[change] = times(change, 1, 3) + times(change, 2, 5)
    else:
        days[change] = times(change, 1, 2) + times(change, 3, 5)
    write_days(place, days)
    _, night = typed(place, "sun", 2, 3, zone="Europe/Berlin")
    assert str(change) not in night.figures.good
    assert len(night.figures.good) == 3
    _, morning = typed(place, "sun", 3, 5, zone="Europe/Berlin")
    assert [x.labels for x in morning.held_out] == [(str(change),)]
    veh = morning.held_out[0].checked.block
    inside = (veh.begin_s >= 3 * HOUR_S) & (veh.begin_s < 5 * HOUR_S)
    assert np.nanmean(veh.veh[:, 0, inside]) == pytest.approx(30, rel=0.1)


def test_what_runs_now(place: Path) -> None:
    """A pushed plan stands for the field's at its controllers, in its hours, on its days; not in another network."""
    network, _ = read(place)
    field = load_field_plan(place / "field.add.xml", network)
    later = {c: replace(p, offset_s=(p.offset_s + 1) % p.cycle_s) for c, p in field.controllers.items()}
    other = TimingPlan(controllers=later)
    document = plan_document(
        network, other, field, inputs={}, engine={}, seed=0, period=(25_200, 32_400), objective={}, bounds=[], checks=[]
    )
    (first, second) = network.controllers
    pushed = PushedPlan(
        days="weekday", begin_s=25_200, end_s=32_400, controllers=(first,), document=document, plan_id="a" * 64
    )
    running = running_plans(place / "field.add.xml", network, [pushed], "weekday")
    assert running.plan_at(28_800).controllers[first].program_id.startswith("its-")
    assert running.plan_at(28_800).controllers[second].program_id == field.controllers[second].program_id
    assert same(running.plan_at(20_000), field)
    assert running.times_s(0, 86_400) == [0, 25_200, 32_400]
    assert running_plans(place / "field.add.xml", network, [pushed], "sat").pushed == ()
    strange = {**document, "network_hash": "0" * 64}
    left_out = running_plans(place / "field.add.xml", network, [replace(pushed, document=strange)], "weekday")
    assert left_out.pushed == ()
    assert "made for another network" in left_out.notes[0]


def test_switches_are_laid_out_with_their_transitions(place: Path) -> None:
    """Controllers that keep their program are as they were; the others run one long program that ends in step."""
    network, _ = read(place)
    field = load_field_plan(place / "field.add.xml", network)
    first = next(iter(network.controllers))
    program = field.controllers[first]
    later = replace(program, offset_s=(program.offset_s + 20) % program.cycle_s)
    plan = TimingPlan(controllers={**field.controllers, first: later})
    shown, n = laid_out(network, [(25_199, field), (25_200, plan)], 25_200, 27_000, method="shortway")
    assert n == 1
    assert shown.controllers[first].cycle_s == pytest.approx(1_800)
    assert [c for c in field.controllers if shown.controllers[c] != field.controllers[c]] == [first]
    same_plan, none = laid_out(network, [(25_199, field), (25_200, field)], 25_200, 27_000, method="shortway")
    assert none == 0
    assert same(same_plan, field)
    day = Running(field=one_day(field.controllers))
    assert day.parts(25_200, 27_000) == [(25_200, field)]
