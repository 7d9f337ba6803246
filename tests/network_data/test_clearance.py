"""The clearance matrix: what the field shows, what it never shows, least greens, formulas."""

import importlib.util
import sys

import numpy as np
import pytest

from network_data.change_intervals import ite_red_s, ite_yellow_s, korea_raw_s, korea_red_s, korea_yellow_s
from network_data.clearance import clearance_matrix, conflict_pairs
from network_data.errors import PlanError
from tests.network_data.crossroads import FIELD, crossroads, program
from tests.network_data.real_networks import REAL, files, load
from tests.packs import tool

MPH = 0.44704
FOOT = 0.3048


def matrix_of(rows=FIELD, **options):
    network = crossroads(field=rows)
    controller = network.controllers["c"]
    return clearance_matrix(controller, controller.programs[0], network=network, **options)


def test_direct_changes_give_the_fields_seconds():
    """The left turn ends at 51 s and the side street starts at 56 s: 5 s; back again from 85 to 90 s: 5 s."""
    matrix = matrix_of()

    assert matrix[1, 4] == matrix[3, 5] == 5.0
    assert matrix[4, 0] == matrix[5, 2] == 5.0
    assert matrix.sources[1, 4] == "field program"


def test_a_stage_in_between_says_nothing():
    """Between main street (ends at 38 s) and side street (56 s) lies the left turns' stage: only yellow counts."""
    matrix = matrix_of()

    assert matrix[0, 4] == 3.0
    assert "never changes so" in matrix.sources[0, 4]


def test_a_crossing_that_the_field_never_shows_directly_needs_its_length():
    """Behind the walk lies the left turns' stage, so its 8 m at 1.0 m/s are required."""
    assert matrix_of()[6, 4] == 8.0


def test_no_conflict_is_zero():
    """Opposing through movements never wait for each other; the table is zero there and on its diagonal."""
    matrix = matrix_of()

    assert matrix[0, 2] == matrix[4, 5] == 0.0
    assert not np.diag(matrix.seconds).any()
    assert (0, 2) not in matrix.pairs
    assert matrix.pairs == {p for i, j in crossroads().controllers["c"].conflicts for p in ((i, j), (j, i))}


def test_yellow_is_the_fields_and_at_least_three_seconds():
    """4 s in the field stay 4 s, 2 s become 3 s, crossings have none."""
    rows = [list(row) for row in FIELD]
    rows[4][0], rows[7][0] = 4, 2

    matrix = matrix_of(rows)

    assert matrix.yellow_s[1] == 4.0
    assert matrix.yellow_s[4] == 3.0
    assert matrix.yellow_s[6] == 0.0


def test_least_green_is_what_the_field_states():
    """A green over three intervals has the sum of their minima; where one is missing the floor of 5 s holds."""
    controller = crossroads().controllers["c"]
    minima = (20.0, 8.0, 3.0, 10.0, 3.0, 2.0, None, 3.0, 2.0)

    matrix = clearance_matrix(controller, program(FIELD, min_durations_s=minima))

    assert matrix.min_green_s[0] == 28.0
    assert matrix.min_green_s[1] == 41.0
    assert matrix.min_green_s[4] == 5.0


def test_a_stated_minimum_is_never_longer_than_the_fields_green():
    """A minimum above the green that runs today is cut to it."""
    controller = crossroads().controllers["c"]

    matrix = clearance_matrix(controller, program(FIELD, min_durations_s=(60.0,) * len(FIELD)))

    assert matrix.min_green_s[4] == 29.0


def test_a_link_index_without_ways_conflicts_with_all_it_never_runs_with():
    """What looks dead but turns green may be a tram: it keeps its distance from all it never ran with."""
    network = crossroads(field=[(d, s + ("G" if n == 6 else "r")) for n, (d, s) in enumerate(FIELD)], dead=1)
    controller = network.controllers["c"]

    pairs = conflict_pairs(controller, controller.programs[0])

    assert {i for i, j in pairs if j == 7} == {0, 1, 2, 3, 6}


@pytest.mark.parametrize("name", REAL)
def test_equals_the_referees_reference(name):
    """Required clearance and yellow of every pair are those that the independent referee requires."""
    path = tool("referee.py")
    spec = importlib.util.spec_from_file_location("referee_for_clearance", path)
    referee = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = referee
    spec.loader.exec_module(referee)
    network_file, programs_file = files(name)
    signals = referee.NetSignals(str(network_file))
    shipped = referee.programs_of(signals, [str(programs_file)] if programs_file else [])
    network, field = load(name)
    for controller_id, controller in network.controllers.items():
        reference, foes = shipped[controller_id][-1], signals.foes(controller_id)
        direct = referee.clearances(reference, foes, referee.Rules(), direct=True)

        matrix = clearance_matrix(controller, field.controllers[controller_id])

        assert matrix.pairs == {p for i, j in foes for p in ((i, j), (j, i))}
        for i, j in matrix.pairs:
            assert matrix[i, j] == pytest.approx(direct.get((i, j), max(3.0, reference.yellow(i) or 0.0)))
        assert all(matrix.yellow_s[k] == max(3.0, reference.yellow(k) or 0.0) for k in range(controller.n_heads))


@pytest.mark.parametrize(
    ("mph", "grade", "yellow_s"),
    [
        (25, 0.04, 2.63),
        (25, 0.0, 2.84),
        (25, -0.04, 3.11),
        (35, 0.04, 3.28),
        (35, -0.04, 3.95),
        (45, 0.0, 4.31),
        (45, 0.04, 3.93),
        (55, 0.0, 5.04),
        (55, -0.04, 5.64),
    ],
)
def test_ite_yellow(mph, grade, yellow_s):
    """The table of the PASSER V-09 guide, within its rounding."""
    assert ite_yellow_s(mph * MPH, grade) == pytest.approx(yellow_s, abs=0.0051)


def test_ite_red():
    """25 and 45 mph over 20 and 120 ft with a car of 20 ft (PASSER V-09); 35 mph over 60 ft, car 16 ft."""
    assert ite_red_s(25 * MPH, 20 * FOOT) == pytest.approx(1.09, abs=0.005)
    assert ite_red_s(25 * MPH, 120 * FOOT) == pytest.approx(3.81, abs=0.005)
    assert ite_red_s(45 * MPH, 20 * FOOT) == pytest.approx(0.60, abs=0.006)
    assert ite_red_s(45 * MPH, 120 * FOOT) == pytest.approx(2.12, abs=0.005)
    assert ite_red_s(35 * MPH, 60 * FOOT, 16 * FOOT) == pytest.approx(1.477, abs=0.0005)


@pytest.mark.parametrize(
    ("kph", "width_m", "yellow_s"), [(50, 25, 3.05), (50, 40, 4.13), (60, 25, 3.0), (80, 40, 3.75)]
)
def test_korean_yellow(kph, width_m, yellow_s):
    """The police manual's formula with a car of 5 m, worked out by hand; 2.97 s rise to the floor of 3 s."""
    assert korea_yellow_s(kph / 3.6, width_m) == pytest.approx(yellow_s, abs=0.005)
    assert korea_red_s(kph / 3.6, width_m) == 0.0


def test_korean_excess_becomes_all_red():
    """On ice: 5.83 s are 5 s and 1 s of all-red, 6.13 s are 5 s and 2 s."""
    for kph, raw_s, red_s in ((35, 5.83, 1.0), (25, 6.13, 2.0)):
        assert korea_raw_s(kph / 3.6, 25, deceleration_mps2=1.5) == pytest.approx(raw_s, abs=0.005)
        assert korea_yellow_s(kph / 3.6, 25, deceleration_mps2=1.5) == 5.0
        assert korea_red_s(kph / 3.6, 25, deceleration_mps2=1.5) == red_s


def test_computed_clearances_replace_the_fields():
    """50 km/h over 15 m, by hand: ITE posted + 7 mph gives 3.80 s and 1.24 s; Korea 2.33 → 3 s without all-red."""
    ite, korea = matrix_of(source="ite"), matrix_of(source="korea")

    assert ite.yellow_s[0] == pytest.approx(3.80, abs=0.01)
    assert ite[0, 4] == pytest.approx(3.80 + 1.24, abs=0.01)
    assert ite.sources[0, 4] == "ITE"
    assert korea[0, 4] == korea.yellow_s[0] == 3.0
    assert ite[6, 4] == 8.0  # crossings stay


def test_computed_clearances_need_the_network():
    """Speeds and lengths come from the network; without it the error says so."""
    controller = crossroads().controllers["c"]

    with pytest.raises(PlanError, match="give the network"):
        clearance_matrix(controller, controller.programs[0], source="ite")


def test_longer_least_greens_do_not_lengthen_clearances():
    """What counts as a stage in the field does not depend on how long greens are to be from now on."""
    network = crossroads()
    controller, field = network.controllers["c"], network.controllers["c"].programs[-1]
    usual, long = (clearance_matrix(controller, field, min_green_s=s, network=network) for s in (5.0, 45.0))
    assert (long.seconds == usual.seconds).all()
    assert (long.min_green_s >= 45.0).all()
