"""Run SUMO, the referee of our plans, in a process of its own: find it, start it, say what it complains about."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from network_data.errors import InputError, OutsideProgramError

INSTALL = "install it with: pip install 'its-signals[sumo]' (or point SUMO_HOME at your own)"
UNLOCK_S = 60
"""Vehicles that block each other inside a junction this long ignore each other, else SUMO can lock for ever. [s]"""
COMMON_OPTIONS = (
    "--time-to-teleport", "-1", "--ignore-junction-blocker", str(UNLOCK_S), "--no-step-log", "true",
    "--no-warnings", "true",
)  # fmt: skip
"""No vehicle is taken out of a jam, and only errors are printed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A SUMO scenario: the network, its traffic, the files that belong to it, and the period.

    `shift_s` moves every departure by 0 to so many seconds, drawn anew under each seed.
    """

    network: Path
    routes: tuple[Path, ...]
    additional: tuple[Path, ...] = ()
    begin_s: float | None = None
    end_s: float | None = None
    scale: float = 1.0
    shift_s: float = 0.0

    def check_files(self) -> None:
        """Refuse what SUMO would only fail on later: files that are missing or whose name it would split."""
        faults = []
        for path in (self.network, *self.routes, *self.additional):
            if not path.is_file():
                faults.append(f"{path}: no such file; check the path")
            elif "," in str(path):
                faults.append(f"{path}: SUMO splits names at commas; rename it")
        if faults:
            raise InputError("files for SUMO", faults)

    def options(self, *more_additional: Path) -> list[str]:
        """The options that load the scenario; further additional files come behind its own."""
        out = ["-n", str(self.network), "-r", ",".join(map(str, self.routes))]
        additional = (*self.additional, *more_additional)
        out += ["-a", ",".join(map(str, additional))] if additional else []
        out += ["--begin", f"{self.begin_s:.10g}"] if self.begin_s is not None else []
        out += ["--end", f"{self.end_s:.10g}"] if self.end_s is not None else []
        out += ["--scale", f"{self.scale:.10g}"] if self.scale != 1 else []
        out += ["--random-depart-offset", f"{self.shift_s:.10g}"] if self.shift_s else []
        return out


def sumo_home() -> Path:
    """Folder of the SUMO installation: SUMO_HOME, else the installed package, else what the path finds.

    Raises
    ------
    OutsideProgramError
        SUMO is not installed; the text names the extra that brings it.
    """
    stated = os.environ.get("SUMO_HOME")
    if stated:
        if not _binary_in(Path(stated)).is_file():
            raise OutsideProgramError(f"SUMO_HOME is {stated!r}, which has no bin/sumo; mend or unset it, or {INSTALL}")
        return Path(stated)
    spec = importlib.util.find_spec("sumo")
    if spec is not None and spec.origin is not None and _binary_in(Path(spec.origin).parent).is_file():
        return Path(spec.origin).parent
    found = shutil.which("sumo")
    if found is None:
        raise OutsideProgramError(f"SUMO is not installed; {INSTALL}")
    return Path(found).resolve().parent.parent


def _binary_in(home: Path) -> Path:
    return home / "bin" / ("sumo.exe" if os.name == "nt" else "sumo")


def sumo_environment() -> dict[str, str]:
    """Environment variables that SUMO wants."""
    home = sumo_home()
    environment = {**os.environ, "SUMO_HOME": str(home)}
    projections = home / "data" / "proj"
    if projections.is_dir():
        environment.setdefault("PROJ_LIB", str(projections))
        environment.setdefault("PROJ_DATA", str(projections))
    return environment


def sumo_binary() -> str:
    """The program to start."""
    home = sumo_home()
    return str(_binary_in(home)) if _binary_in(home).is_file() else shutil.which("sumo") or "sumo"


def _start(options: Sequence[str]) -> subprocess.CompletedProcess[str]:
    environment, binary = sumo_environment(), sumo_binary()
    try:
        return subprocess.run(
            [binary, *options], env=environment, capture_output=True, text=True, errors="replace", check=False
        )
    except OSError as error:
        raise OutsideProgramError(f"SUMO at {binary} cannot be started: {error.strerror}; {INSTALL}") from None


def run_sumo(options: Sequence[str]) -> None:
    """Run SUMO to its end.

    Raises
    ------
    OutsideProgramError
        SUMO is missing, or failed: then with what it wrote.
    """
    done = _start(options)
    if done.returncode != 0:
        lines = [line.strip() for line in done.stderr.splitlines()]
        told = [line for line in lines if line and not line.startswith(("Quitting", "pj_obj_create"))]
        what = "\n  ".join(told[-12:]) or f"exit status {done.returncode}, nothing printed"
        raise OutsideProgramError(f"SUMO failed:\n  {what}")


def sumo_version() -> str:
    """Version of the SUMO in use, such as 1.28.0."""
    found = re.search(r"\b(\d+\.\d+\.\d+\S*)", _start(["--version"]).stdout)
    return found[1] if found else "unknown"
