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
        assert 0 <= found["queue_p95_veh"] <= found["queue_max_veh"] <= found["storage_veh"]
        assert found["storage_use"] == pytest.approx(found["queue_max_veh"] / found["storage_veh"], abs=1e-4)
        assert (found["v_over_c"] is None) == (movement.controller_id is None)


def test_who_came_to_a_signal_are_those_of_its_movements(counted: dict[str, Any]) -> None:
    """Vehicles of a signal add up from its movements and from its lane groups; whoever passed had come."""
    for name, signal in counted["signals"].items():
        for part in ("movements", "lane_groups"):
            mine = [m for m in counted[part] if m["controller"] == name]
            # flows are rounded to 0.01 per hour, the vehicles to 0.01
            assert signal["veh"] == pytest.approx(sum(m["demand_vph"] for m in mine) / 4, abs=0.06)
            assert all(m["flow_vph"] <= m["demand_vph"] for m in mine)
        assert signal["fuel_l"] == pytest.approx(sum(m["fuel_l"] for m in mine), abs=0.05)


def test_every_figure_has_its_standard_error(counted: dict[str, Any]) -> None:
    """Of four realizations all errors are known; a figure that follows from others names none."""
    for part in ("movements", "lane_groups"):
        for row in counted[part]:
            told = {"flow_vph", "demand_vph", "delay_s_per_veh", "stops_per_veh", "travel_time_s", "queue_mean_veh",
                    "queue_p95_veh", "queue_max_veh", "spillback_s", "fuel_l", "person_delay_s"}  # fmt: skip
            assert set(row["se"]) >= told | ({"v_over_c", "on_green"} if row["v_over_c"] is not None else set())
            assert all(row["se"][name] >= 0 for name in told)
    assert all(
        error >= 0 for area in (counted["network"], *counted["signals"].values()) for error in area["se"].values()
    )


def test_levels_of_service_belong_to_the_delays(counted: dict[str, Any]) -> None:
    """Letters of both manuals at every signal and its movements; without a signal none."""
    for row in (*counted["signals"].values(), *counted["lane_groups"], *counted["movements"]):
        if row["v_over_c"] is None:
            assert row["los_hcm"] is row["los_khcm"] is None
        else:
            assert row["los_hcm"] == "F" or row["delay_s_per_veh"] <= 80
            assert (row["los_khcm"] == "A") == (row["delay_s_per_veh"] <= 15)


def test_buses_and_people(tmp_path: Path, counted: dict[str, Any]) -> None:
    """Cars alone: a person's delay is a vehicle's; the settings say how many people sit in one."""
    assert set(counted["classes"]) == {"car"}
    network = counted["network"]
    assert network["bus_delay_s_per_veh"] is None
    assert network["persons"] == pytest.approx(1.5 * network["veh"], abs=0.1)
    assert network["person_delay_s"] == pytest.approx(network["delay_s_per_veh"], rel=0.01)
    path = tmp_path / "s.toml"
    path.write_text("[people]\ncar_persons = 2.0\n", encoding="utf-8")
    fuller = simulated(*COUNTED, "--settings", path)
    assert fuller["network"]["persons"] == pytest.approx(2 * network["veh"], abs=0.1)
    for then, now in zip(counted["movements"], fuller["movements"], strict=True):
        assert then["delay_s_per_veh"] == now["delay_s_per_veh"]
        assert then["person_delay_s"] == pytest.approx(now["person_delay_s"], abs=0.0011)


def test_pedestrians_at_crossings_that_are_not_there(tmp_path: Path) -> None:
    """Every one of them is named."""
    path = tmp_path / "s.toml"
    path.write_text('[people.pedestrians_ph]\n"x:a:0" = 100\n"x:b:0" = 50\n', encoding="utf-8")
    result = its("simulate", NETWORK, *COUNTED, "--settings", path)
    assert result.exit_code == 2
    assert "x:a:0" in result.stderr
    assert "x:b:0" in result.stderr


def test_a_seed_fixes_the_numbers(counted: dict[str, Any]) -> None:
    """The same seed gives the same numbers, another one others."""
    assert simulated(*COUNTED) == counted
    assert simulated(*COUNTED, "--seed", "1")["network"] != counted["network"]


def test_realizations_are_the_draws(counted: dict[str, Any]) -> None:
    """Four by default; one has no spread to tell an error from."""
    said = counted["simulated"]
    assert said["controllers"] == "fixed time"
    assert set(said["readings"].values()) == {"fixed time"}
    assert set(said["readings"]) == set(counted["signals"])
    assert (said["realizations"], said["begin_s"], said["end_s"]) == (4, 27_000, 27_900)
    assert (said["demand"], said["parameters"]) == ("drawn from turning flows", "street")
    assert (said["transitions"], said["notes"], said["queued_veh"]) == ([], [], 0)
    assert counted["network"]["delay_se_s"] > 0
    one = simulated(*COUNTED, "--realizations", "1")
    assert one["simulated"]["realizations"] == 1
    assert one["network"]["delay_se_s"] is None
    assert all(error is None for m in one["movements"] for error in m["se"].values())
    assert one["network"]["veh"] == round(one["network"]["veh"])


def test_a_warm_up_fills_the_streets() -> None:
    """Vehicles that are there at --begin get in the way of the same others; only those of the period count."""
    empty, full = simulated(*PEAK), simulated(*PEAK, "--warmup", "900")
    assert full["network"]["veh"] == empty["network"]["veh"]
    assert full["network"]["delay_s_per_veh"] > empty["network"]["delay_s_per_veh"]
    assert sum(m["flow_vph"] for m in full["movements"]) > sum(m["flow_vph"] for m in empty["movements"])
    assert full["network"]["travel_time_s"] > empty["network"]["travel_time_s"]


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
    """Without --json one row for the network and one per signal, then lane groups and people."""
    result = its("simulate", NETWORK, *COUNTED)
    assert result.exit_code == 0
    first, groups, crossings, people, said = result.stdout.strip().split("\n\n")
    assert said.startswith("simulated: 4 realizations, drawn from turning flows\nfixed time: ")
    rows = {line.split()[0]: line.split()[1:] for line in first.splitlines()[2:]}
    assert len(groups.splitlines()) == min(20, sum(g["demand_vph"] > 0 for g in counted["lane_groups"])) + 3
    for line in crossings.splitlines()[2:22]:
        name, _, walk, wait, *_ = line.split()
        assert float(walk) == pytest.approx(counted["crossings"][name]["walk_s"], abs=0.5)
        assert float(wait) == pytest.approx(counted["crossings"][name]["wait_mean_s"], abs=0.051)
    assert "VT-Micro" in people
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
