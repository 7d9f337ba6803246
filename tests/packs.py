"""Where tests find data that is not part of the repository; they skip with the reason where it is absent."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def data_pack() -> Path:
    """Folder of the data pack: the environment variable SIGNAL_DATA, else ../shared/data beside the repository."""
    path = Path(os.environ.get("SIGNAL_DATA") or ROOT.parent / "shared" / "data")
    if not path.is_dir():
        pytest.skip(f"the data pack is not at {path}; set SIGNAL_DATA")
    return path


def tool(name: str) -> Path:
    """A program of the tools folder beside the data pack, such as `referee.py`."""
    path = data_pack().parent / "tools" / name
    if not path.is_file():
        pytest.skip(f"the tool {name} is not at {path}")
    return path


def resco(name: str) -> Path:
    """Folder of a RESCO network out of the package sumo-rl."""
    spec = importlib.util.find_spec("sumo_rl")
    if spec is None or spec.origin is None:
        pytest.skip("sumo-rl is not installed (pip install --no-deps sumo-rl)")
    path = Path(spec.origin).parent / "nets" / "RESCO" / name
    if not path.is_dir():
        pytest.skip(f"sumo-rl has no network at {path}")
    return path


def sumo() -> None:
    """Skip where SUMO is not installed."""
    if importlib.util.find_spec("sumo") is None and not os.environ.get("SUMO_HOME"):
        pytest.skip("SUMO is not installed (pip install 'its-signals[sumo]')")
