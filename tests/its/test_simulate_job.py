"""`its simulate`: what its JSON holds, from every source of demand, and that a seed fixes the numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from network_data.network import RoadNetwork
from tests.its.jobs import COUNTED, NETWORK, NO_CROSSINGS, ROUTES, Job, its, strict_json, write_turns

AREA = {"delay_s_per_veh", "stops_per_veh", "veh", "queue_max_veh", "spillback_s"}
MOVEMENT = {"from_link", "to_link", "links", "flow_vph", "delay_s_per_veh", "v_over_c", "queue_p95_veh"}
PEAK = ("--routes", str(ROUTES), "--begin", "07:45", "--end", "08:00")


def simulated(*args: str | Path) -> dict[str, Any]:
    """The JSON of a run that must go well, with nothing but JSON on stdout and nothing on stderr."""
    result = its("simulate", NETWORK, *args, "--json")
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    return strict_json(result.stdout)


@pytest.fixture(scope="module")
def counted() -> dict[str, Any]:
    """A quarter of an hour from counts."""
    return simulated(*COUNTED)


def test_network_and_signals_have_the_figures_of_the_contract(
    counted: dict[str, Any], district: RoadNetwork, district_field: Any
) -> None:
    """Delay, stops, vehicles, worst queue and spillback; signals by controller id with their cycle."""
    assert set(counted["network"]) >= AREA
    assert list(counted["signals"]) == list(district.controllers)
    for name, signal in counted["signals"].items():
        assert set(signal) >= {*AREA, "cycle_s"}
        assert signal["cycle_s"] == district_field.controllers[name].cycle_s
    for area in (counted["network"], *counted["signals"].values()):
        assert area["veh"] > 0
        assert area["delay_s_per_veh"] > 0
        assert area["spillback_s"] >= 0
    assert max(s["queue_max_veh"] for s in counted["signals"].values()) <= counted["network"]["queue_max_veh"]


def test_movements_are_those_of_the_network(counted: dict[str, Any], district: RoadNetwork) -> None:
    """Every movement with its link indices; flow, delay, v/c and queue."""
    movements = {(m["from_link"], m["to_link"]): m for m in counted["movements"]}
    assert set(movements) == {m.pair for m in district.movements.values()}
    for movement in district.movements.values():
        found = movements[movement.pair]
        assert set(found) >= MOVEMENT
        assert tuple(found["links"]) == movement.link_indices
        assert found["flow_vph"] >= 0
        assert found["delay_s_per_veh"] > -0.5  # some drive faster than the limit, times are tenths of seconds
        assert 0 <= found["queue_p95_veh"] <= found["queue_max_veh"]
        assert (found["v_over_c"] is None) == (movement.controller_id is None)


def test_what_passed_at_a_signal_are_the_flows_of_its_movements(counted: dict[str, Any]) -> None:
    """Vehicles of a signal add up from its movements: 15 minutes of their hourly flows."""
    for name, signal in counted["signals"].items():
        flow_vph = sum(m["flow_vph"] for m in counted["movements"] if m["controller"] == name)
        # flows are rounded to 0.01 per hour, the vehicles to 0.01
        assert signal["veh"] == pytest.approx(flow_vph / 4, abs=0.06)


def test_a_seed_fixes_the_numbers(counted: dict[str, Any]) -> None:
    """The same seed gives the same numbers, another one others."""
    assert simulated(*COUNTED) == counted
    assert simulated(*COUNTED, "--seed", "1")["network"] != counted["network"]


def test_realizations_are_the_draws(counted: dict[str, Any]) -> None:
    """Four by default; one has no spread to tell an error from."""
    assert counted["simulated"] == {
        "controllers": "fixed time",
        "realizations": 4,
        "begin_s": 27_000,
        "end_s": 27_900,
    }
    assert counted["network"]["delay_se_s"] > 0
    one = simulated(*COUNTED, "--realizations", "1")
    assert one["simulated"]["realizations"] == 1
    assert one["network"]["delay_se_s"] == 0
    assert one["network"]["veh"] == round(one["network"]["veh"])


def test_a_warm_up_fills_the_streets() -> None:
    """Vehicles that are there at --begin get in the way of the same others; only those of the period count."""
    empty, full = simulated(*PEAK), simulated(*PEAK, "--warmup", "900")
    assert full["network"]["veh"] == empty["network"]["veh"]
    assert full["network"]["delay_s_per_veh"] > empty["network"]["delay_s_per_veh"]
    assert sum(m["flow_vph"] for m in full["movements"]) > sum(m["flow_vph"] for m in empty["movements"])


def test_routes_are_driven_vehicle_by_vehicle() -> None:
    """Every vehicle that departs in the period counts in each realization; without --end all of the file."""
    report = simulated("--routes", ROUTES, "--begin", "08:00", "--realizations", "2")
    assert report["simulated"]["begin_s"] == 28_800
    assert 30_500 < report["simulated"]["end_s"] < 30_601
    first = simulated("--routes", ROUTES, "--begin", "08:00", "--end", "08:15", "--realizations", "2")
    second = simulated("--routes", ROUTES, "--begin", "08:15", "--realizations", "2")
    assert first["network"]["veh"] + second["network"]["veh"] == report["network"]["veh"]


def test_turns_and_all_three(job: Job, turns: Path, tmp_path: Path, counted: dict[str, Any]) -> None:
    """Turns alone bring their own period; beside counts the demand hardly moves where they say the same."""
    alone = simulated("--turns", turns)
    assert (alone["simulated"]["begin_s"], alone["simulated"]["end_s"]) == (27_000, 27_300)
    assert alone["network"]["veh"] > 100
    three = simulated(*COUNTED, "--turns", write_turns(tmp_path / "turns.csv", job.run, intervals=3))
    assert three["network"]["veh"] == pytest.approx(counted["network"]["veh"], rel=0.1)


def test_a_plan_is_simulated_in_place_of_the_networks(job: Job, counted: dict[str, Any]) -> None:
    """plan.json and plan.add.xml are the same plan, and not the one in the network."""
    document, additional = (simulated(*COUNTED, "--plans", job.out / name) for name in ("plan.json", "plan.add.xml"))
    assert document == additional
    assert document["network"] != counted["network"]


def test_the_table_shows_what_the_json_says(counted: dict[str, Any]) -> None:
    """Without --json one row for the network and one per signal."""
    result = its("simulate", NETWORK, *COUNTED)
    assert result.exit_code == 0
    rows = {line.split()[0]: line.split()[1:] for line in result.stdout.splitlines()[2:]}
    areas = {"network": counted["network"], **counted["signals"]}
    assert list(rows) == list(areas)
    for name, area in areas.items():
        assert rows[name][0] == f"{area['veh']:.0f}"
        assert float(rows[name][1]) == pytest.approx(area["delay_s_per_veh"], abs=0.051)
    assert NO_CROSSINGS not in result.output


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("--routes", str(ROUTES), "--begin", "12:00", "--end", "13:00"), "depart from 26100"),
        (("--routes", str(NETWORK)), "network.net.xml.gz"),
        (("--turns", "missing.csv"), "missing.csv"),
        ((*COUNTED, "--plans", str(ROUTES)), "routes_peak.rou.xml.gz"),
        ((*COUNTED[:4], "--days", "2031-01-01"), "2031-01-01"),
    ],
)
def test_bad_input_ends_with_2(args: tuple[str, ...], says: str) -> None:
    """What is wrong and where, on stderr; stdout stays empty even with --json."""
    result = its("simulate", NETWORK, *args, "--json")
    assert result.exit_code == 2
    assert says in result.stderr
    assert result.stdout == ""
    assert "Traceback" not in result.output
