"""The six networks that plans are judged on: where their files are, and for which period.

Bologna lies in the data pack (environment variable SIGNAL_DATA, else ../shared/data); its programs are real. The RESCO
networks come with the package sumo-rl; their programs are invented.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from network_data.errors import InputError, OutsideProgramError
from network_data.formats.files import GZIP_MAGIC, read_bytes

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A network with traffic for SUMO, and what the optimizer gets of it: counts alone.

    `field_plan` is the file with the programs in force, None where the network holds them; `counts` are None where
    they are to be made with SUMO. `expected_s_per_veh` is the delay of the shipped plan as known before. [s/veh]
    Of the routes' vehicles the share `share` drives.
    """

    name: str
    network: Path
    routes: tuple[Path, ...]
    begin_s: float
    end_s: float
    expected_s_per_veh: float
    additional: tuple[Path, ...] = ()
    field_plan: Path | None = None
    detectors: Path | None = None
    counts: Path | None = None
    programs: str = "invented"
    share: float = 1.0

    @property
    def base_additional(self) -> tuple[Path, ...]:
        """All additional files of the scenario: types, stops and the programs in force."""
        return (*self.additional, *([self.field_plan] if self.field_plan else []))

    @property
    def files(self) -> tuple[Path, ...]:
        """Everything the case reads."""
        measured = [path for path in (self.detectors, self.counts) if path is not None]
        return (self.network, *self.routes, *self.base_additional, *measured)

    def missing(self) -> str:
        """Why the case cannot run here; empty where it can."""
        absent = [path for path in self.files if not path.is_file()]
        if not absent:
            return ""
        hint = "set SIGNAL_DATA" if self.counts is not None else "pip install --no-deps sumo-rl"
        return f"{absent[0]} is not there ({hint})"


def data_pack() -> Path:
    """Folder of the data pack, whether it is there or not."""
    return Path(os.environ.get("SIGNAL_DATA") or ROOT.parent / "shared" / "data")


def _resco_folder() -> Path:
    spec = importlib.util.find_spec("sumo_rl")
    parent = Path(spec.origin).parent if spec is not None and spec.origin is not None else Path("sumo_rl")
    return parent / "nets" / "RESCO"


def _bologna(area: str, expected_s_per_veh: float) -> Case:
    folder = data_pack() / f"bologna_{area}"
    return Case(
        name=f"bologna_{area}",
        network=folder / f"{area}_buslanes.net.xml",
        routes=(folder / f"{area}.rou.xml.gz", folder / f"{area}_busses.rou.xml.gz"),
        # the hour of the demand; vehicles still on the way or waiting at its end count as they stand
        begin_s=0,
        end_s=3600,
        expected_s_per_veh=expected_s_per_veh,
        additional=(folder / f"{area}_vtypes.add.xml", folder / f"{area}_bus_stops.add.xml"),
        field_plan=folder / f"{area}_tls.add.xml",
        detectors=folder / f"{area}_detectors.add.xml",
        counts=folder / "simulated_loop_counts_5min.csv.gz",
        programs="real",
    )


def resco_case(name: str, routes: str, begin_s: float, end_s: float, expected_s_per_veh: float) -> Case:
    """A network of the package sumo-rl."""
    folder = _resco_folder() / name
    return Case(
        name=name,
        network=folder / f"{name}.net.xml",
        routes=(folder / routes,),
        begin_s=begin_s,
        end_s=end_s,
        expected_s_per_veh=expected_s_per_veh,
    )


def cases() -> dict[str, Case]:
    """The cases by name, those with real programs first."""
    known = [
        _bologna("acosta", 251),
        _bologna("pasubio", 197),
        resco_case("cologne8", "cologne8.rou.xml", 25200, 28800, 49),
        resco_case("cologne3", "cologne3.rou.xml", 25200, 28800, 36.1),
        resco_case("cologne1", "cologne1.rou.xml", 25200, 28800, 42.9),
        resco_case("grid4x4", "grid4x4_1.rou.xml", 0, 3600, 91.5),
    ]
    return {case.name: case for case in known}


LOW_SHARES = {"acosta": {0.6: 90.5, 0.8: 164.0}, "pasubio": {0.6: 74.1, 0.8: 96.4}}
"""Shares of the demand at which the two Bologna networks, saturated at 100 %, are cases of their own, and the delay of
the shipped plan there. [s/veh]"""


def low_cases() -> dict[str, Case]:
    """Hours with less traffic: the real loops count it (in SUMO under the programs in force), plans are made for it."""
    out = {}
    for area, shares in LOW_SHARES.items():
        for share, expected_s_per_veh in shares.items():
            full = _bologna(area, expected_s_per_veh)
            name = f"{full.name}_{100 * share:.0f}"
            out[name] = replace(full, name=name, counts=None, share=share)
    return out


def referee() -> Path | None:
    """The independent referee beside the data pack; None where it is absent."""
    path = data_pack().parent / "tools" / "referee.py"
    return path if path.is_file() else None


def its_command(*options: object) -> list[str]:
    """A command line of `its`, run by this interpreter."""
    return [sys.executable, "-m", "its", *map(str, options)]


def counts_of(case: Case, folder: Path) -> tuple[Path, Path]:
    """Detectors and counts of a case: those it has, else made with SUMO in `folder`.

    Raises
    ------
    InputError
        A file of the case is not there.
    OutsideProgramError
        The counts could not be made.
    """
    if reason := case.missing():
        raise InputError(case.name, reason)
    if case.detectors is not None and case.counts is not None:
        return case.detectors, case.counts
    options = ["--routes", ",".join(map(str, case.routes)), "--begin", case.begin_s, "--end", case.end_s]
    options += ["--additional", ",".join(map(str, case.base_additional))] if case.base_additional else []
    options += ["--detectors", case.detectors] if case.detectors is not None else []
    options += ["--scale", case.share]
    done = subprocess.run(
        its_command("makecounts", case.network, *options, "--out", folder),
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    if done.returncode != 0:
        raise OutsideProgramError(f"makecounts of {case.name} ended with {done.returncode}: {done.stderr[-2000:]}")
    return folder / "detectors.csv", folder / "counts.csv.gz"


def unpacked(paths: tuple[Path, ...], folder: Path) -> tuple[Path, ...]:
    """The files without gzip (the referee reads plain files only); plain ones stay where they are."""
    out = []
    for path in paths:
        with path.open("rb") as stream:
            packed = stream.read(2) == GZIP_MAGIC
        if packed:
            target = folder / path.name.removesuffix(".gz")
            target.write_bytes(read_bytes(path))
            out.append(target)
        else:
            out.append(path)
    return tuple(out)


def copy_results(source: Path, target: Path) -> None:
    """Keep the files of a run."""
    shutil.copytree(source, target, dirs_exist_ok=True)
