"""Turning counts: read, checked, and spread over intervals and ways."""

import numpy as np
import pytest

from network_data.errors import DemandError
from network_data.turns import read_turns, spread
from tests.builders import road
from tests.network_data.crossroads import crossroads

HEAD = "from_link,to_link,begin_s,end_s,veh"


def write(tmp_path, *rows, head=HEAD):
    """A file of turning counts."""
    path = tmp_path / "turns.csv"
    path.write_text("\n".join([head, *rows, ""]), encoding="utf-8")
    return path


def test_turns_are_read_with_their_standard_errors(tmp_path):
    """A blank sd_veh is the root of veh; empty links are entries and exits."""
    turns = read_turns(
        write(
            tmp_path, "wi,eo,0,900,25,", "wi,no,0,900,9,1.5", ",wi,0,900,34,", "eo,,0,900,25,", head=f"{HEAD},sd_veh"
        ),
        crossroads(),
    )
    assert turns.pairs == (("wi", "eo"), ("wi", "no"), ("", "wi"), ("eo", ""))
    assert turns.sd_veh.tolist() == [5, 1.5, pytest.approx(34**0.5), 5]


def test_all_faults_come_together(tmp_path):
    """Unknown links, no way, rows without links, impossible numbers: one error in order of rows."""
    odd = ("wi,eo,900,0,5", "wi,eo,0,900,-1", "wi,eo,0,900,nan", "wi,eo,0,900,1e9")
    path = write(tmp_path, "wi,zz,0,900,5", "eo,wi,0,900,5", ",,0,900,5", *odd)
    with pytest.raises(DemandError) as caught:
        read_turns(path, crossroads())
    assert [fault.split(":")[0] for fault in caught.value.faults] == [f"row {n}" for n in range(2, 9)]
    assert "there is no way from 'eo' to 'wi'" in str(caught.value)


def test_rows_are_spread_over_the_grid(tmp_path):
    """A row of half an hour gives half its vehicles to each quarter, and says what it covers."""
    turns = read_turns(write(tmp_path, "wi,eo,0,1800,40"), crossroads())
    veh, sd_veh, covered = spread(turns, np.array([0.0, 900, 1800]), np.array([900.0, 1800, 2700]))["wi", "eo"]
    assert veh.tolist() == [20, 20, 0]
    assert covered.tolist() == [1, 1, 0]
    np.testing.assert_allclose(sd_veh[:2] ** 2, 20)  # the variance is shared out, not the standard error


def test_links_that_do_not_meet_stand_for_the_fastest_way(tmp_path):
    """Vehicles from the first to the last link of a road make every movement between; a row of one's own goes first."""
    network = road(4)
    links = list(network.links)
    turns = read_turns(write(tmp_path, f"{links[0]},{links[3]},0,900,30", f"{links[1]},{links[2]},0,900,44"), network)
    found = spread(turns, np.array([0.0]), np.array([900.0]))
    assert {pair: float(veh[0]) for pair, (veh, _, _) in found.items()} == {
        (links[0], links[1]): 30,
        (links[1], links[2]): 44,
        (links[2], links[3]): 30,
    }
    assert any("fastest way between them: rows 2" in note for note in turns.notes)
