"""A SUMO simulation as the field, in a process of its own, over TraCI.

What passes to the engine is what loops tell: fronts that passed and the share of time covered. SUMO keeps its own
records (trips, signal states second by second), which the judge reads afterwards.
"""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import numpy as np

from its.sumo import COMMON_OPTIONS, Scenario, sumo_binary, sumo_environment
from network_data.detectors import Detector
from network_data.errors import InputError, OutsideProgramError
from network_data.observations import Observation

PREFIX = "its:"
"""Before the ids of our loops, so that they meet no detector of the scenario."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """Files that SUMO writes of one run."""

    trips: Path
    totals: Path
    edges: Path
    signals: Path
    complaints: Path

    @classmethod
    def in_folder(cls, folder: Path) -> Records:
        """Their names within a folder."""
        return cls(
            trips=folder / "tripinfo.xml",
            totals=folder / "statistics.xml",
            edges=folder / "edges.xml",
            signals=folder / "signal_states.xml",
            complaints=folder / "sumo.log",
        )


class SumoField:
    """One run of a scenario; see `Field`.

    Parameters
    ----------
    scenario : Scenario
        Network, traffic, period.
    detectors : sequence of Detector
        Loops to be laid.
    controller_ids : sequence of str
        Signals whose states are to be recorded.
    records : Records
        Where SUMO writes.
    seed : int
        SUMO's seed.
    plan : sequence of Path
        Additional files with programs on top of the scenario's own.

    Raises
    ------
    InputError
        TraCI is not installed.
    OutsideProgramError
        SUMO is missing or fails.
    """

    def __init__(
        self,
        scenario: Scenario,
        detectors: Sequence[Detector],
        controller_ids: Sequence[str],
        records: Records,
        *,
        seed: int,
        plan: Sequence[Path] = (),
    ) -> None:
        try:
            import traci
        except ModuleNotFoundError:
            raise InputError("adapt", "needs traci; install it with: pip install 'its-signals[sumo]'") from None
        from traci import constants

        self._records = records
        self.detector_ids = tuple(detector.id for detector in detectors)
        self._index = {PREFIX + name: k for k, name in enumerate(self.detector_ids)}
        probe = records.trips.with_name("adapt.add.xml")
        probe.write_text(_additional(detectors, controller_ids, records), encoding="utf-8")
        port = _free_port()
        options = [*scenario.options(*plan, probe), "--seed", str(seed), *COMMON_OPTIONS, *_outputs(records)]
        with records.complaints.open("w", encoding="utf-8") as log:
            self._process = subprocess.Popen(
                [sumo_binary(), *options, "--remote-port", str(port)],
                env=sumo_environment(),
                stdout=subprocess.DEVNULL,
                stderr=log,
            )
        self._failures = (traci.exceptions.FatalTraCIError, traci.exceptions.TraCIException, OSError)
        try:
            with redirect_stdout(StringIO()):  # it prints every try
                self._sumo: Any = traci.connect(port=port, numRetries=200, proc=self._process, waitBetweenRetries=0.1)
        except (*self._failures, AttributeError) as error:
            raise self._failed(error) from None
        self._data = constants.LAST_STEP_VEHICLE_DATA
        self._occupancy = constants.LAST_STEP_OCCUPANCY
        for name in self._index:
            self._sumo.inductionloop.subscribe(name, (self._data, self._occupancy))
        self.time_s = float(self._sumo.simulation.getTime())
        self._end_s = scenario.end_s

    def programs(self) -> dict[str, str]:
        """What every signal shows now."""
        lights = self._sumo.trafficlight
        return {name: lights.getRedYellowGreenState(name) for name in lights.getIDList()}

    def observe(self) -> Observation | None:
        """See `Field`. [s]"""
        if self._end_s is not None and self.time_s >= self._end_s:
            return None
        try:
            self._sumo.simulationStep()
            told = self._sumo.inductionloop.getAllSubscriptionResults()
        except self._failures as error:
            raise self._failed(error) from None
        before_s, self.time_s = self.time_s, self.time_s + 1.0
        counts = np.zeros(len(self.detector_ids), np.float32)
        occupancy = np.zeros(len(self.detector_ids), np.float32)
        for name, values in told.items():
            k = self._index.get(name)
            if k is None:
                continue
            vehicles = values[self._data]
            if vehicles:
                # a loop knows when a front came onto it; who it was it does not know
                counts[k] = sum(vehicle[2] > before_s for vehicle in vehicles)
                occupancy[k] = min(1.0, values[self._occupancy] / 100)
        return Observation(
            time_s=self.time_s,
            interval_s=1.0,
            detector_ids=self.detector_ids,
            count_veh=counts,
            occupancy=occupancy,
            health=np.zeros(len(counts), np.uint8),
        )

    def show(self, states: Mapping[str, str]) -> None:
        """See `Field`."""
        try:
            for name, state in states.items():
                self._sumo.trafficlight.setRedYellowGreenState(name, state)
        except self._failures as error:
            raise self._failed(error) from None

    def close(self) -> None:
        """End the run; SUMO writes its records."""
        try:
            self._sumo.close()
        except self._failures as error:
            raise self._failed(error) from None

    def _failed(self, error: object) -> OutsideProgramError:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        lines = self._records.complaints.read_text(encoding="utf-8", errors="replace").splitlines()
        told = [line.strip() for line in lines if line.strip() and not line.startswith(("Quitting", "pj_obj_create"))]
        return OutsideProgramError("SUMO failed:\n  " + ("\n  ".join(told[-12:]) or str(error)))


def _outputs(records: Records) -> list[str]:
    return [
        "--tripinfo-output", str(records.trips), "--statistic-output", str(records.totals),
        "--tripinfo-output.write-unfinished", "true", "--tripinfo-output.write-undeparted", "true",
        "--duration-log.statistics", "true",
    ]  # fmt: skip


def _additional(detectors: Sequence[Detector], controller_ids: Sequence[str], records: Records) -> str:
    """Our loops, and what SUMO is to record."""
    lines = [
        f"<inductionLoop id={quoteattr(PREFIX + x.id)} lane={quoteattr(f'{x.link_id}_{x.lane}')} "
        f'pos="{x.pos_m:.2f}" friendlyPos="true" period="86400" file="NUL"/>'
        for x in detectors
    ]
    lines += [
        f'<timedEvent type="SaveTLSStates" source={quoteattr(name)} dest={quoteattr(str(records.signals))}/>'
        for name in controller_ids
    ]
    lines.append(f'<edgeData id="its" file={quoteattr(str(records.edges))} excludeEmpty="true"/>')
    return "\n".join(["<additional>", *lines, "</additional>", ""])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


__all__ = ["PREFIX", "Records", "SumoField"]
