"""From the tallies of all realizations to the measures of movements, lane groups, signals and network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim import _tables as k
from sim._statistics import Estimate, by_group, mean_of, queue_estimates, ratio_of, rows_of
from sim._tallies import Scene, Tally
from sim.emissions import FuelRates, co2_kg, fuel_rates
from sim.lane_groups import lane_groups
from sim.measured import AreaMeasures, ClassMeasures, LaneGroupMeasures, MovementMeasures
from sim.pedestrians import CrossingMeasures
from sim.persons import People
from sim.service import hcm_levels, khcm_levels

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
CLASSES = ("car", "bus")


class Summary:
    """All tallies of a plan; C connections, L lanes, R realizations, G groups."""

    def __init__(
        self,
        scene: Scene,
        tallies: Sequence[Tally],
        people: People,
        crossings: Mapping[str, CrossingMeasures],
        weights: Sequence[float] | None = None,
    ) -> None:
        self._scene, self._tallies = scene, tallies
        self._weights = None if weights is None else np.array(weights, np.float64)
        self._people, self._crossings = people, crossings
        self._network = scene.simulator.compiled.network
        self._hours = (scene.simulator.end_s - scene.simulator.begin_s) / 3600
        self._storage = scene.simulator.compiled.arrays.lane[: scene.n_lane, k.STORAGE].astype(np.int64)
        self._queues = queue_estimates([t.queues for t in tallies], self._weights)
        self._full = self._mean_of(self._all("full_s"))

    def _mean_of(self, values: Floats) -> Estimate:
        return mean_of(values, self._weights)

    def _ratio_of(self, total: Floats, count: Floats) -> Estimate:
        return ratio_of(total, count, self._weights)

    def _mean(self, values: Sequence[float]) -> Estimate:
        return self._mean_of(np.array(values, np.float64)[:, None])

    def _load(self, came: Floats, capacity: Floats) -> Estimate:
        """Demand over capacity; infinite where somebody came and nobody could have passed, NaN without a capacity."""
        load = self._ratio_of(came, capacity)
        shut = (capacity.sum(axis=0) <= 0) & (came.sum(axis=0) > 0)
        return Estimate(np.where(np.isnan(capacity.sum(axis=0)), np.nan, np.where(shut, np.inf, load.value)), load.se)

    def _all(self, name: str) -> Floats:
        """One field of all tallies, (R, C) or (R, L)."""
        return np.array([getattr(t, name) for t in self._tallies])

    def by_lane(self, values: Sequence[Floats]) -> dict[tuple[str, int], float]:
        """Mean over realizations of values (L,), by link and lane."""
        mean = np.mean(values, axis=0) if self._weights is None else self._weights @ np.array(values)
        return {key: float(mean[lane]) for key, lane in self._scene.simulator.compiled.lane_of.items()}

    @cached_property
    def _fuel_l(self) -> Floats:
        """Fuel burnt on the lane and the connection behind it, (R, C)."""
        scene, came, passed = self._scene, self._all("came_veh"), self._all("passed_veh")
        across_m = np.array([c.length_m for c in self._network.connections])
        distance_m = came * scene.length_m[scene.lane_of] + passed * across_m
        cruise, stop = self._rates.cruise_l_per_m[scene.lane_of], self._rates.stop_l[scene.lane_of]
        fuel_l = cruise * distance_m + self._rates.idle_l_per_s * self._all("delay_s") + stop * self._all("stops")
        return np.asarray(fuel_l, np.float64)

    @cached_property
    def _rates(self) -> FuelRates:
        return fuel_rates(self._scene.speed_mps)

    @cached_property
    def _lane_load(self) -> Estimate:
        """Demand over capacity of every lane, (L,); NaN without a signal, infinite where nobody could pass."""
        came = by_group(self._all("came_veh"), self._scene.lane_of, self._scene.n_lane)
        return self._load(came, self._all("capacity_veh"))

    def _person(self, delay_s: Floats, veh: Floats, bus_delay_s: Floats, bus_veh: Floats) -> tuple[Floats, Floats]:
        """Person-seconds of delay, and persons."""
        car, bus = self._people.car_persons, self._people.bus_persons
        return (delay_s - bus_delay_s) * car + bus_delay_s * bus, (veh - bus_veh) * car + bus_veh * bus

    def _estimates(self, group: Ints, n: int) -> dict[str, Estimate]:
        """What all groups of connections (C,) have, by the name of the figure."""
        sums = {
            name: by_group(self._all(name), group, n)
            for name in ("came_veh", "passed_veh", "delay_s", "stops", "on_green", "travel_s", "bus_veh", "bus_delay_s")
        }
        veh = sums["came_veh"]
        persons = self._person(sums["delay_s"], veh, sums["bus_delay_s"], sums["bus_veh"])
        return {
            "veh": self._mean_of(veh),
            "demand_vph": self._mean_of(veh / self._hours),
            "flow_vph": self._mean_of(sums["passed_veh"] / self._hours),
            "delay_s_per_veh": self._ratio_of(sums["delay_s"], veh),
            "bus_delay_s_per_veh": self._ratio_of(sums["bus_delay_s"], sums["bus_veh"]),
            "bus_veh": self._mean_of(sums["bus_veh"]),
            "person_delay_s": self._ratio_of(*persons),
            "stops_per_veh": self._ratio_of(sums["stops"], veh),
            "travel_time_s": self._ratio_of(sums["travel_s"], veh),
            "on_green": self._ratio_of(sums["on_green"], veh),
            "fuel_l": self._mean_of(by_group(self._fuel_l, group, n)),
        }

    def movements(self) -> dict[str, MovementMeasures]:
        """Every movement, by id."""
        movements = list(self._network.movements.values())
        group = np.full(len(self._network.connections), -1)
        for n, movement in enumerate(movements):
            group[list(movement.connections)] = n
        estimates = self._estimates(group, len(movements))
        estimates |= self._movement_loads(group, estimates["demand_vph"].value)
        rows = self._rows(
            estimates,
            [{int(self._scene.lane_of[i]) for i in m.connections} for m in movements],
            [m.controller_id is not None for m in movements],
        )
        return {
            m.id: MovementMeasures(
                movement_id=m.id,
                from_link=m.from_link,
                to_link=m.to_link,
                controller_id=m.controller_id,
                links=m.link_indices,
                **row,
            )
            for m, row in zip(movements, rows, strict=True)
        }

    def _movement_loads(self, group: Ints, demand_vph: Floats) -> dict[str, Estimate]:
        """v/c of a movement: that of its lanes, weighted with how many of its vehicles use each."""
        came, n = self._all("came_veh").sum(axis=0), len(demand_vph)
        weight = came / np.maximum(1e-9, np.bincount(group, weights=came, minlength=n))[group]
        load, error = (
            np.bincount(group, np.where(came > 0, weight * x[self._scene.lane_of], 0.0), n).astype(np.float64)
            for x in self._lane_load
        )
        if len(self._tallies) == 1:
            error = np.full(n, np.nan)
        with np.errstate(divide="ignore", invalid="ignore"):
            capacity = np.where(load > 0, demand_vph / load, np.nan)
            return {"v_over_c": Estimate(load, error), "capacity_vph": Estimate(capacity, capacity * error / load)}

    @cached_property
    def lane_groups(self) -> dict[str, LaneGroupMeasures]:
        """Every lane group whose lanes are driven on, by id."""
        scene = self._scene
        lane_of = scene.simulator.compiled.lane_of
        groups = [g for g in lane_groups(self._network).values() if all((g.link, x) in lane_of for x in g.lanes)]
        group, of_lane = np.full(len(self._network.connections), -1), np.full(scene.n_lane, -1)
        lanes = [{lane_of[g.link, x] for x in g.lanes} for g in groups]
        for n, g in enumerate(groups):
            group[list(g.connections)] = n
            of_lane[list(lanes[n])] = n
        estimates = self._estimates(group, len(groups))
        capacity = by_group(self._all("capacity_veh"), of_lane, len(groups))
        estimates["v_over_c"] = self._load(by_group(self._all("came_veh"), group, len(groups)), capacity)
        estimates["capacity_vph"] = self._mean_of(capacity / self._hours)
        rows = self._rows(estimates, lanes, [g.controller_id is not None for g in groups])
        return {
            g.id: LaneGroupMeasures(
                group_id=g.id,
                link=g.link,
                lanes=g.lanes,
                movements=g.movements,
                controller_id=g.controller_id,
                links=self._link_indices(g.connections),
                **row,
            )
            for g, row in zip(groups, rows, strict=True)
        }

    def _link_indices(self, connections: Sequence[int]) -> tuple[int, ...]:
        indices = {self._network.connections[i].link_index for i in connections}
        return tuple(sorted(i for i in indices if i is not None))

    def _rows(
        self, estimates: dict[str, Estimate], lanes: Sequence[set[int]], signalled: Sequence[bool]
    ) -> list[dict[str, Any]]:
        """The common fields of every group, as arguments of its record."""
        load = np.nan_to_num(estimates["v_over_c"].value, nan=0.0, posinf=99.0)
        delay_s = np.maximum(0.0, estimates["delay_s_per_veh"].value)
        levels = hcm_levels(delay_s, load), khcm_levels(delay_s)
        rows, by_lane = [], self._queue_rows
        for n, (values, errors) in enumerate(rows_of(estimates)):
            members, has_signal = lanes[n], signalled[n]
            del values["veh"]
            if not values.pop("bus_veh"):
                values["bus_delay_s_per_veh"] = None
            if not has_signal:
                values |= dict.fromkeys(("on_green", "v_over_c", "capacity_vph"))
            elif np.isnan(values["capacity_vph"]):
                values["capacity_vph"] = None
            queue, queue_errors = by_lane[max(members, key=self._fullness.__getitem__)]
            values |= queue
            told = {name: error for name, error in (errors | queue_errors).items() if values.get(name) is not None}
            letters = [str(level[n]) if has_signal else None for level in levels]
            rows.append(
                values | {"co2_kg": co2_kg(values["fuel_l"]), "los_hcm": letters[0], "los_khcm": letters[1], "se": told}
            )
        return rows

    @cached_property
    def _fullness(self) -> list[tuple[float, float]]:
        """By which the fullest of some lanes is found: share of the storage that is taken, longest queue; (L,)."""
        share = self._queues.p95.value / np.maximum(1, self._storage)
        return list(zip(share.tolist(), self._queues.longest.value.tolist(), strict=True))

    @cached_property
    def _queue_rows(self) -> list[tuple[dict[str, Any], dict[str, float | None]]]:
        """Queue figures of every lane, and their errors."""
        rows = rows_of(
            {
                "queue_mean_veh": self._queues.mean,
                "queue_p95_veh": self._queues.p95,
                "queue_max_veh": self._queues.longest,
                "spillback_s": self._full,
            }
        )
        return [(v | {"storage_veh": s}, e) for (v, e), s in zip(rows, self._storage.tolist(), strict=True)]

    def signals(self) -> dict[str, AreaMeasures]:
        """Every signal, by controller id."""
        scene, ids = self._scene, list(self._network.controllers)
        row_of = {c: n for n, c in enumerate(ids)}
        group = np.array([row_of.get(c.controller_id or "", -1) for c in self._network.connections], np.int64)
        estimates = self._estimates(group, len(ids))
        estimates["person_delay_s"], persons = self._signal_persons(group, ids)
        lanes = [self._approach_lanes(c) for c in ids]
        of_lane = np.full(scene.n_lane, -1)
        for n, members in enumerate(lanes):
            of_lane[list(members)] = n
        estimates["spillback_s"] = self._mean_of(by_group(self._all("full_s"), of_lane, len(ids)))
        worst, rows, out = self._worst_loads(), rows_of(estimates), {}
        for n, c in enumerate(ids):
            values, errors = rows[n]
            queue, queue_error = self._longest(lanes[n])
            out[c] = self._area(values, errors, queue, queue_error, float(persons[n]), worst.get(c))
        return out

    def _area(
        self,
        values: dict[str, Any],
        errors: dict[str, float | None],
        queue_veh: float,
        queue_error: float | None,
        persons: float,
        worst: float | None,
    ) -> AreaMeasures:
        served = max(0.0, values["delay_s_per_veh"])
        names = (
            "veh",
            "delay_s_per_veh",
            "stops_per_veh",
            "spillback_s",
            "travel_time_s",
            "on_green",
            "person_delay_s",
            "fuel_l",
        )
        buses = values["bus_veh"] > 0
        shown = (*names, "bus_delay_s_per_veh") if buses else names
        return AreaMeasures(
            **{name: values[name] for name in names},
            bus_delay_s_per_veh=values["bus_delay_s_per_veh"] if buses else None,
            queue_max_veh=queue_veh,
            v_over_c=worst,
            persons=persons,
            co2_kg=co2_kg(values["fuel_l"]),
            los_hcm=str(hcm_levels(served)),
            los_khcm=str(khcm_levels(served)),
            se={name: errors[name] for name in shown} | {"queue_max_veh": queue_error},
        )

    def _approach_lanes(self, controller: str) -> list[int]:
        lane_of, links = self._scene.simulator.compiled.lane_of, self._network.links
        keys = ((link, lane.index) for link in self._network.approaches[controller] for lane in links[link].lanes)
        return [lane_of[key] for key in keys if key in lane_of]

    def _longest(self, lanes: Sequence[int]) -> tuple[float, float | None]:
        """Longest back of queue of any of the lanes."""
        if not lanes:
            return 0.0, None
        longest = self._queues.longest
        return longest.at(max(lanes, key=lambda x: longest.value[x]))

    def _worst_loads(self) -> dict[str, float]:
        """Highest v/c of any lane group, by controller."""
        out: dict[str, float] = {}
        for group in self.lane_groups.values():
            if group.controller_id is not None and group.v_over_c is not None:
                out[group.controller_id] = max(out.get(group.controller_id, 0.0), group.v_over_c)
        return out

    def _signal_persons(self, group: Ints, ids: Sequence[str]) -> tuple[Estimate, Floats]:
        """Delay per person at every signal, people on foot included, and how many they are."""
        n = len(ids)
        names = ("delay_s", "came_veh", "bus_delay_s", "bus_veh")
        delay_s, persons = self._person(*(by_group(self._all(name), group, n) for name in names))
        row_of = {c: i for i, c in enumerate(ids)}
        for crossing in self._crossings.values():
            walking = crossing.pedestrians_ph * self._hours
            delay_s[:, row_of[crossing.controller_id]] += walking * (crossing.wait_mean_s or 0.0)
            persons[:, row_of[crossing.controller_id]] += walking
        return self._ratio_of(delay_s, persons), self._mean_of(persons).value

    def network(self) -> AreaMeasures:
        """All vehicles due to enter in the period."""
        totals = [t.totals for t in self._tallies]
        walking = sum(x.pedestrians_ph for x in self._crossings.values()) * self._hours
        waits = sum(x.pedestrians_ph * self._hours * (x.wait_mean_s or 0.0) for x in self._crossings.values())
        veh, delay_s = self._all("class_veh"), self._all("class_delay_s")
        per = np.array([self._people.car_persons, self._people.bus_persons])
        persons = (veh * per).sum(axis=1, keepdims=True) + walking
        queue, queue_error = self._longest(range(self._scene.n_lane))
        signalled = np.where(self._scene.signal_of >= 0, 0, -1)
        estimates = {
            "veh": self._mean([t.veh for t in totals]),
            "delay_s_per_veh": self._mean([t.delay_s_per_veh for t in totals]),
            "stops_per_veh": self._mean([t.stops / max(1, t.veh) for t in totals]),
            "spillback_s": self._mean([t.blocked_s for t in totals]),
            "travel_time_s": self._mean([t.travel_time_s for t in self._tallies]),
            "on_green": self._estimates(signalled, 1)["on_green"],
            "person_delay_s": self._ratio_of((delay_s * per).sum(axis=1, keepdims=True) + waits, persons),
            "bus_delay_s_per_veh": self._ratio_of(delay_s[:, 1:], veh[:, 1:]),
            "bus_veh": self._mean_of(veh[:, 1:]),
            "fuel_l": self._mean_of(self._network_fuel_l()[:, None]),
        }
        values, errors = rows_of(estimates)[0]
        worst = max(self._worst_loads().values(), default=None)
        return self._area(values, errors, queue, queue_error, float(self._mean_of(persons).value[0]), worst)

    def _network_fuel_l(self) -> Floats:
        """Fuel of all that moved or waited in the period, (R,)."""
        rates, scene = self._rates, self._scene
        on_exits = (
            rates.cruise_l_per_m * scene.length_m * self._all("exit_veh")
            + rates.idle_l_per_s * self._all("exit_delay_s")
            + rates.stop_l * self._all("exit_stops")
        )
        at_gates = rates.idle_l_per_s * np.array([t.totals.gate_delay_s for t in self._tallies])
        return np.asarray(self._fuel_l.sum(axis=1) + on_exits.sum(axis=1) + at_gates)

    def classes(self) -> dict[str, ClassMeasures]:
        """Cars and buses, as far as there are any."""
        veh, delay_s = self._all("class_veh"), self._all("class_delay_s")
        count, delay = self._mean_of(veh), self._ratio_of(delay_s, veh)
        per = (self._people.car_persons, self._people.bus_persons)
        rows, out = rows_of({"veh": count, "delay_s_per_veh": delay}), {}
        for n, name in enumerate(CLASSES):
            if count.value[n] > 0:
                values, errors = rows[n]
                out[name] = ClassMeasures(persons_per_veh=per[n], se=errors, **values)
        return out
