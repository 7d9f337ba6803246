"""The course of counts: turns told apart by it, unused turns seen as such, waits on the way."""

import numpy as np
import pytest

from network_data.detectors import Detector
from network_data.turning_flows.estimate import Estimator
from network_data.turning_flows.layout import Layout
from network_data.turning_flows.mixing import lay_out_mixing
from network_data.turning_flows.series import day_series
from network_data.turning_flows.unknowns import unknowns_of
from network_data.turning_flows.waits import mean_waits_s, waits_before_s
from tests.network_data.crossroads import FIELD, crossroads, timing
from tests.network_data.turning_flows.test_estimate import HOUR, counts

RISE = np.linspace(5, 60, 12).round()
FALL = RISE[::-1]
LINKS = ("wi", "ei", "ni", "si")


def loops(*exits):
    """Stop-line loops on all approaches, and loops just behind the junction on some exits."""
    network = crossroads()
    at_line = [
        Detector(id=x, link_id=x, lane=0, pos_m=network.links[x].lanes[0].length_m - 2, kind="stopbar") for x in LINKS
    ]
    return (*at_line, *(Detector(id=x, link_id=x, lane=0, pos_m=5.0, kind="advance") for x in exits))


def shared(left_west):
    """West rises, south falls; so many of west's vehicles turn left onto the north exit."""
    return counts(wi=RISE, ei=10, ni=10, si=FALL, no=(left_west * RISE + FALL).round())


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6])
def test_true_flows_fit_the_courses_and_wrong_ones_do_not(share):
    """North's exit is a mixture of a rising and a falling lane; exchanging their parts leaves residuals."""
    network, table = crossroads(), shared(share)
    estimator = Estimator(network, loops("no"), plan=timing(FIELD))
    begin_s = np.arange(0.0, HOUR, 300.0)
    unknowns = estimator.layout.unknowns
    mixing = lay_out_mixing(unknowns, estimator.sensors, day_series(table), begin_s, begin_s + 300, None)
    assert mixing is not None
    flow = np.zeros(unknowns.n)
    turn = {(a, b): j for j, (a, _, b) in enumerate(unknowns.turns)}
    left, straight = turn["wi", "no"], turn["si", "no"]
    misfit = {}
    for part in (share, share + 0.3):
        flow[left], flow[straight] = part * RISE.sum(), FALL.sum() - (part - share) * RISE.sum()
        flow[turn["wi", "eo"]] = (1 - part) * RISE.sum()
        rows = mixing.rows(flow)
        misfit[part] = float(np.sqrt(((rows.matrix @ flow / rows.sd) ** 2).mean()))
    assert misfit[share] < 0.8
    assert misfit[share + 0.3] > 1.5 * misfit[share]


def test_one_interval_has_no_course():
    """Nothing is said where counts are too few to vary."""
    estimator = Estimator(crossroads(), loops("no"), plan=None)
    whole = (np.array([0.0]), np.array([HOUR]))
    assert lay_out_mixing(estimator.layout.unknowns, estimator.sensors, day_series(shared(0.3)), *whole, None) is None


def test_streets_that_do_not_fit_lose_weight():
    """Twice the usual misfit: a quarter of the weight; a street that fits keeps all of it."""
    estimator = Estimator(crossroads(), loops("no", "so"), plan=None)
    begin_s = np.arange(0.0, HOUR, 300.0)
    table = counts(wi=RISE, ei=RISE, ni=FALL, si=FALL, no=RISE, so=RISE)
    args = (estimator.layout.unknowns, estimator.sensors, day_series(table), begin_s, begin_s + 300, None)
    mixing = lay_out_mixing(*args)
    assert mixing is not None
    residual = np.where(mixing.street == 0, 3.0, 0.5)
    np.testing.assert_allclose(mixing.trust(residual), np.where(mixing.street == 0, 0.25, 1.0))


def test_an_unused_turn_is_seen_as_such():
    """All exits counted, nobody turns left from the west: less than a handful is left there, within a range that
    begins at 0."""
    table = counts(wi=30, ei=20, ni=10, si=15, no=15, eo=30, so=10, wo=20)
    demand = Estimator(crossroads(), loops("no", "eo", "so", "wo"), plan=timing(FIELD)).estimate(table, 0, HOUR).demand
    n = demand.pairs.index(("wi", "no"))
    assert demand.veh[n].sum() < 4.5
    assert demand.total_low_veh[n] == 0


def test_waits_add_up_along_the_way():
    """Nobody has waited on an entry; an exit's vehicles have waited at the one signal; without a plan nobody waits."""
    layout = Layout(unknowns_of(crossroads()))
    waits_s = mean_waits_s(layout.unknowns, timing(FIELD))
    before_s = waits_before_s(layout, timing(FIELD))
    number = layout.unknowns.index
    assert before_s[number["wi"]] == 0
    assert min(waits_s.values()) - 1e-9 <= before_s[number["no"]] <= max(waits_s.values()) + 1e-9
    assert not waits_before_s(layout, None).any()
