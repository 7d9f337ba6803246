"""MAXBAND and MULTIBAND against worked instances, and their bands against the signals they came from."""

import itertools

import numpy as np
import pytest

from network_data.errors import InputError
from optimizer.bandwidth.maxband import BandPlan, maxband, multiband
from optimizer.bandwidth.street import Street, StreetLink, StreetSignal

V_MPS = 50 / 3.6
REDS = (0.45, 0.5, 0.4, 0.55, 0.48)
METRES = (400.0, 320.0, 510.0, 260.0)


def street(metres: tuple[float, ...], reds: tuple[float, ...], cycle_s: float, *, v_mps: float = V_MPS) -> Street:
    """One speed, the same reds in both directions, no left turns."""
    speed = (v_mps, v_mps)
    return Street(
        signals=tuple(StreetSignal(red_out=red, red_in=red) for red in reds),
        links=tuple(StreetLink(out_m=m, in_m=m, speed_out_mps=speed, speed_in_mps=speed) for m in metres),
        cycle_s=(cycle_s, cycle_s),
    )


def both(plan: BandPlan) -> float:
    """Sum of both bands. [-]"""
    return min(plan.out) + min(plan.back)


def test_ideal_spacing_gives_whole_greens() -> None:
    """Half a cycle from signal to signal: both bands are as wide as the greens."""
    plan = maxband(street((50.0,) * 3, (0.5,) * 4, 100.0, v_mps=1.0))
    assert plan.out[0] == pytest.approx(0.5)
    assert plan.back[0] == pytest.approx(0.5)
    assert plan.status == "optimal"


@pytest.mark.parametrize("travel", [0.25, 0.35, 0.1, 0.77])
def test_two_signals_by_the_formula(travel: float) -> None:
    """Two equal signals: the bands add up to 2 g − min |t + t̄ − m| (0.5 at a quarter of the cycle, 0.7 at 0.35)."""
    plan = maxband(street((100 * travel,), (0.5, 0.5), 100.0, v_mps=1.0))
    assert both(plan) == pytest.approx(1.0 - min(abs(2 * travel - m) for m in range(3)))


def test_five_signals() -> None:
    """Worked instance (cross-checked by hill climbs): 0.476 of 120 s, that is 57.1 s."""
    plan = maxband(street(METRES, REDS, 120.0))
    assert both(plan) == pytest.approx(0.476, abs=5e-4)
    assert sum(plan.band_s) == pytest.approx(57.1, abs=0.05)
    assert plan.bound == pytest.approx(plan.objective)


@pytest.mark.parametrize(("cycle_s", "share", "seconds"), [(60, 0.594, 35.64), (110, 0.5736, 63.1), (180, 0.458, 82.4)])
def test_share_and_seconds_disagree_about_the_cycle(cycle_s: float, share: float, seconds: float) -> None:
    """The best share of 60 to 180 s is at 60 s; in seconds longer cycles win. Both are told."""
    plan = maxband(street(METRES, REDS, cycle_s))
    assert both(plan) == pytest.approx(share, abs=5e-4)
    assert sum(plan.band_s) == pytest.approx(seconds, abs=0.05)


def test_a_free_cycle_finds_the_best_share() -> None:
    """With 60 to 180 s allowed the model takes a cycle no worse than any of the scan."""
    fixed = street(METRES, REDS, 60.0)
    free = Street(signals=fixed.signals, links=fixed.links, cycle_s=(60.0, 180.0))
    assert both(maxband(free)) >= 0.594 - 1e-4


def test_whoever_drives_in_the_band_meets_green() -> None:
    """Offsets and travel times alone: everybody who leaves within the outbound band passes every signal in green."""
    problem = street(METRES, REDS, 120.0)
    plan = maxband(problem)
    clock = np.concatenate([[0.0], np.cumsum(plan.travel_out_s)])
    starts = np.linspace(0, 120, 2401)[:-1]
    green = np.ones(len(starts), bool)
    for signal, centre, at in zip(problem.signals, plan.offset_s, clock, strict=True):
        away = (starts + at - centre + 60) % 120 - 60
        green &= np.abs(away) >= 120 * signal.red_out / 2 - 1e-6
    assert green.mean() * 120 == pytest.approx(120 * plan.out[0], abs=0.2)


def test_left_turn_patterns_widen_the_bands() -> None:
    """A free choice of lead and lag is never worse than any fixed one."""
    signals = [StreetSignal(red_out=0.5, red_in=0.45, left_out=0.15, left_in=0.1) for _ in METRES] * 1
    signals.append(StreetSignal(red_out=0.55, red_in=0.5, left_out=0.1, left_in=0.12))
    base = street(METRES, REDS, 100.0)
    free = Street(signals=tuple(signals), links=base.links, cycle_s=(100.0, 100.0))
    best = maxband(free)
    for pattern in ("lead-lead", "lag-lag", "lead-lag", "lag-lead"):
        held = tuple(
            StreetSignal(
                red_out=s.red_out, red_in=s.red_in, left_out=s.left_out, left_in=s.left_in, patterns=(pattern,)
            )
            for s in signals
        )
        one = maxband(Street(signals=held, links=base.links, cycle_s=(100.0, 100.0)))
        assert both(one) <= both(best) + 1e-6
        assert set(one.patterns) == {pattern}


def test_multiband_is_at_least_as_wide_on_every_sum() -> None:
    """Bands of their own on every link add up to no less than the uniform ones."""
    problem = street(METRES, REDS, 120.0)
    uniform, own = maxband(problem), multiband(problem)
    assert sum(own.out) + sum(own.back) >= 4 * both(uniform) - 1e-6
    assert own.model.startswith("MULTIBAND")


def test_multiband_follows_the_traffic() -> None:
    """Where one direction carries nearly everything, its bands are as wide as the greens let them be."""
    base = street(METRES, REDS, 120.0)
    links = tuple(
        StreetLink(out_m=m, in_m=m, speed_out_mps=(V_MPS, V_MPS), speed_in_mps=(V_MPS, V_MPS), load_in=0.01)
        for m in METRES
    )
    plan = multiband(Street(signals=base.signals, links=links, cycle_s=base.cycle_s))
    most = [1 - max(a, b) for a, b in itertools.pairwise(REDS)]
    assert plan.out == pytest.approx(most, abs=1e-4)


def test_twenty_signals_within_ten_seconds() -> None:
    """An arterial of 20 signals, cycle and speeds free, is solved to the optimum within the limit of 10 s."""
    rng = np.random.default_rng(0)
    speed = (0.9 * V_MPS, 1.1 * V_MPS)
    big = Street(
        signals=tuple(
            StreetSignal(red_out=r, red_in=r, left_out=lo, left_in=li)
            for r, lo, li in zip(rng.uniform(0.35, 0.6, 20), *rng.uniform(0.08, 0.2, (2, 20)), strict=True)
        ),
        links=tuple(
            StreetLink(out_m=m, in_m=m, speed_out_mps=speed, speed_in_mps=speed) for m in rng.uniform(150, 700, 19)
        ),
        cycle_s=(80.0, 120.0),
        slowness_change_s_per_m=0.01,
    )
    assert maxband(big, time_limit_s=10.0).status == "optimal"


def test_faults_of_a_street_are_told_together() -> None:
    """Counts, reds, ranges in one error."""
    link = StreetLink(out_m=0.0, in_m=5.0, speed_out_mps=(3.0, 2.0), speed_in_mps=(1.0, 2.0))
    with pytest.raises(InputError) as error:
        Street(signals=(StreetSignal(red_out=1.2, red_in=0.5),), links=(link,), cycle_s=(90.0, 60.0), ratio=0.0)
    text = str(error.value)
    assert all(
        words in text for words in ("1 signals and 1 links", "cycle_s is", "ratio is", "signal 0: reds", "link 0")
    )
