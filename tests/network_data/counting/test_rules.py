"""Rules beyond single counts: clocks, lasting changes, sums, swaps of like lanes; and stand-ins with errors."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest

from network_data.counting.block import CountBlock
from network_data.counting.groups import Groups, groups_of
from network_data.counting.options import QualityLimits
from network_data.counting.quality import check_block
from network_data.counting.rules_history import best_segment, fitted_line

N_TIME = 96
FIRST = date(2026, 3, 9)  # a Monday; clocks go forward on 29 March
ROAD = Groups(sections=((0, 1), (2, 3)), balances=(((0, 1), (2, 3)),))
ZONE = "Europe/Berlin"


def block_of(veh, days):
    """A block of these counts."""
    return CountBlock(
        detectors=tuple("abcdef"[: len(veh)]),
        days=days,
        begin_s=np.arange(N_TIME) * 900.0,
        interval_s=900.0,
        veh=veh.astype(np.float32),
        occupancy_pct=None,
        speed_mps=None,
        row=np.ones(veh.shape, dtype=np.int32),
        lanes=np.ones(len(veh), dtype=np.int64),
    )


@pytest.fixture(scope="module")
def sound():
    """Four weeks of two cross-sections of two lanes and two loops elsewhere; the hour left out has no counts."""
    rng = np.random.default_rng(4)
    hour = np.arange(N_TIME) / 4
    course = 0.06 + np.exp(-(((hour - 7.7) / 1.3) ** 2)) + 0.9 * np.exp(-(((hour - 17) / 2) ** 2)) + 0.3 * (hour > 6)
    days = tuple(FIRST + timedelta(days=k) for k in range(28))
    level = np.array([1.0 if day.weekday() < 5 else 0.6 for day in days]) * rng.normal(1, 0.03, 28)
    road = rng.poisson(130 * level[:, None] * course)
    right = rng.binomial(road, 0.62)
    veh = [right, road - right, rng.binomial(road, 0.62), None, *rng.poisson(60 * level[:, None] * course, (2, 28, 96))]
    veh[3] = road - veh[2]
    veh = np.stack(veh).astype(float)
    veh[:, 20, 8:12] = np.nan
    return block_of(veh, days)


def verdicts(block, zone=ZONE):
    """Code, detector and day of each verdict."""
    return {(v.code, v.detector, v.day) for v in check_block(block, ROAD, zone=zone).verdicts}


def changed(block, change):
    """The block after a change of its counts."""
    veh = block.veh.copy()
    change(veh)
    return replace(block, veh=veh)


def test_sound_counts_have_no_verdict(sound):
    """Nothing is found, the hour that the clocks leave out included, and nothing is filled into that hour."""
    found = check_block(sound, ROAD, zone=ZONE)
    assert found.verdicts == ()
    assert np.isnan(found.block.veh[:, 20, 8:12]).all()


def test_a_day_at_another_hour(sound):
    """Two days that lie five hours late are said with their hours."""

    def shift(veh):
        whole = np.nan_to_num(veh[4]).ravel()
        veh[4, 8:10] = np.roll(whole, 20).reshape(28, -1)[8:10]

    found = check_block(changed(sound, shift), ROAD, zone=ZONE).verdicts
    assert {(v.code, v.detector, v.day) for v in found} == {("time_zone", "e", sound.days[n]) for n in (8, 9)}
    assert "5 h later" in found[0].text


def test_a_change_of_the_clocks_that_a_loop_did_not_follow(sound):
    """Its days after the change are moved back to their hour."""

    def stay(veh):
        veh[4, 21:] = np.roll(veh[4, 21:].ravel(), -4).reshape(7, -1)

    found = check_block(changed(sound, stay), ROAD, zone=ZONE)
    assert {(v.code, v.detector) for v in found.verdicts} == {("clock_change", "e")}
    assert len(found.verdicts) == 7
    np.testing.assert_array_equal(found.block.veh[4, 22:27], sound.veh[4, 22:27])


def test_counts_in_an_hour_that_does_not_exist(sound):
    """From 2 to 3 on the day the clocks go forward."""
    faulty = changed(sound, lambda veh: veh.__setitem__((5, 20, slice(8, 12)), 3))
    assert verdicts(faulty) == {("clock_change", "f", sound.days[20])}
    assert verdicts(faulty, zone=None) >= {("missing", "a", sound.days[20])}


def test_an_hour_that_comes_twice_and_holds_both(sound):
    """When the clocks go back, the hour from 2 to 3 with the vehicles of two is said."""
    days = tuple(day + timedelta(days=210) for day in sound.days)  # 25 October is a Sunday of the third week
    autumn = replace(sound, days=days, veh=np.nan_to_num(sound.veh, nan=9.0))
    night = 8 + np.arange(4)
    autumn.veh[:, :, night] += 30
    n = days.index(date(2026, 10, 25))
    faulty = changed(autumn, lambda veh: veh.__setitem__((0, n, night), 2 * veh[0, n, night]))
    assert ("clock_change", "a", days[n]) in verdicts(faulty)
    assert not any(code == "clock_change" for code, *_ in verdicts(autumn))


def test_all_loops_quiet_by_day(sound):
    """Counts whose quietest hours lie in the afternoon have another clock, all of them."""
    days = check_block(replace(sound, veh=np.roll(sound.veh, 48, axis=2)), ROAD).verdicts
    assert [(v.code, v.detector) for v in days if not v.detector] == [("time_zone", "")]


def test_a_lasting_change_is_said_and_kept(sound):
    """From a day on a loop counts half as much: each later day is said, the counts stay."""
    faulty = changed(sound, lambda veh: veh.__setitem__((4, slice(12, None)), np.round(veh[4, 12:] * 0.5)))
    found = check_block(faulty, ROAD, zone=ZONE)
    assert {(v.code, v.detector, v.day) for v in found.verdicts} == {("level", "e", day) for day in sound.days[12:]}
    np.testing.assert_array_equal(found.block.veh[4, 12:20], faulty.veh[4, 12:20])


def test_like_lanes_that_trade_places(sound):
    """Lanes of 62 and 38 % of the same traffic are told apart by their shares."""
    faulty = changed(sound, lambda veh: veh.__setitem__(([0, 1], 9), veh[[1, 0], 9]))
    found = check_block(faulty, ROAD, zone=ZONE)
    assert {(v.code, v.detector, v.day) for v in found.verdicts} == {("swapped", x, sound.days[9]) for x in "ab"}
    np.testing.assert_array_equal(found.block.veh[:, 9], sound.veh[:, 9])


@pytest.mark.parametrize("one_day", [False, True])
def test_sums_that_disagree(sound, one_day):
    """A lane that misses half for a day breaks the sum; a history tells which lane, alone it is one of four."""
    faulty = changed(sound, lambda veh: veh.__setitem__((0, 9), np.round(0.45 * veh[0, 9])))
    block = faulty.on([9]) if one_day else faulty
    (verdict,) = check_block(block, ROAD).verdicts if one_day else check_block(block, ROAD, zone=ZONE).verdicts
    assert verdict.code == "balance"
    if one_day:
        assert "one of 4 is wrong" in verdict.text
    else:
        assert (verdict.detector, verdict.day) == ("a", sound.days[9])


def test_stand_ins_carry_an_error_that_holds(sound):
    """Hidden days come back closer than the median of their weekday, and two thirds lie within the error stated."""
    rng = np.random.default_rng(1)
    hidden = np.zeros(sound.veh.shape, dtype=bool)
    hidden[:, :, 30:80] = rng.random((6, 28, 50)) < 0.05
    found = check_block(changed(sound, lambda veh: veh.__setitem__(hidden, np.nan)), ROAD, zone=ZONE)
    off = np.abs(found.block.veh - sound.veh)[hidden]
    assert found.repaired[hidden].all()
    weekday = np.stack([np.nanmedian(np.where(hidden, np.nan, sound.veh)[:, n % 7 :: 7], axis=1) for n in range(28)], 1)
    assert np.median(off) < np.median(np.abs(weekday - sound.veh)[hidden])
    assert 0.55 < (off <= found.sd_veh[hidden]).mean() < 0.9


def test_rules_that_are_turned_off(sound):
    """Thresholds of the settings decide; without repair nothing is filled."""
    faulty = changed(sound, lambda veh: veh.__setitem__((4, 9, slice(30, 60)), 7))
    off = check_block(faulty, ROAD, QualityLimits(stuck_chance=1e-300), ZONE)
    assert off.verdicts == ()
    bare = check_block(faulty, ROAD, QualityLimits(repair=False), ZONE)
    assert np.isnan(bare.block.veh[4, 9, 30:60]).all()


def test_groups_by_name():
    """Neighbours and balances of the settings; a balance with a loop that is not there is left out."""
    limits = QualityLimits(
        neighbours=(("a", "b"), ("x",)),
        balances=({"upstream": ("a",), "downstream": ("b",)}, {"upstream": ("a",), "downstream": ("x",)}),
    )
    groups = groups_of(("a", "b"), limits)
    assert groups == Groups(((0, 1),), (((0,), (1,)),))


def test_segments_and_lines():
    """The stretch that differs most, and the line of least squares, on numbers done by hand."""
    x = np.array([[0.0, 0, 1, 1, 1, 0, 0, 0], [0.0, 1, 2, 3, 4, 5, 6, 7]])
    use = np.ones(x.shape, dtype=bool)
    segment = best_segment(x, use, 2)
    assert (segment.first[0], segment.last[0]) == (2, 5)
    assert segment.change[0] == pytest.approx(1)
    assert segment.left[0] == pytest.approx(0, abs=1e-12)
    line = fitted_line(x, use)
    assert line.slope[1] == pytest.approx(1)
    assert line.change[1] == pytest.approx(7)
    assert line.left[1] == pytest.approx(0, abs=1e-12)
