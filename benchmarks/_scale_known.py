"""The best plan known of each case, kept with its value: `best_known.json` only ever improves."""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.tables import commit
from network_data.formats.files import write_aside
from network_data.network import RoadNetwork
from network_data.plans import ControllerPlan, Interval, TimingPlan

BEST_KNOWN = Path(__file__).resolve().parent / "best_known.json"


@dataclass(frozen=True, eq=False)
class Known:
    """A plan with its delay in the engine's simulation, on the draws of the judge, as of the commit that found it."""

    delay_s_per_veh: float
    plan: TimingPlan
    found: dict[str, Any]


def packed(plan: TimingPlan) -> str:
    """A plan as text: offsets, and durations with numbers of states; the states stand once."""
    states: dict[str, int] = {}
    controllers = {}
    for name, program in plan.controllers.items():
        rows: list[float] = []
        for interval in program.intervals:
            rows += [interval.duration_s, states.setdefault(interval.state, len(states))]
        controllers[name] = [program.offset_s, *(round(x, 3) if x % 1 else int(x) for x in rows)]
    text = json.dumps({"states": list(states), "controllers": controllers}, separators=(",", ":"))
    return base64.b85encode(zlib.compress(text.encode(), 9)).decode()


def unpacked_plan(text: str) -> TimingPlan:
    """The plan again."""
    table = json.loads(zlib.decompress(base64.b85decode(text)))
    states = table["states"]
    return TimingPlan(
        controllers={
            name: ControllerPlan(
                controller_id=name,
                program_id="best",
                offset_s=float(row[0]),
                intervals=tuple(Interval(float(s), states[int(n)]) for s, n in zip(row[1::2], row[2::2], strict=True)),
            )
            for name, row in table["controllers"].items()
        }
    )


def best_known(name: str, network: RoadNetwork, path: Path = BEST_KNOWN) -> Known | None:
    """The plan kept for a case; None where there is none for this network (its content counts)."""
    row = _rows(path).get(name)
    if row is None or row["network_hash"] != network.hash:
        return None
    return Known(row["delay_s_per_veh"], unpacked_plan(row["plan"]), row["found"])


def keep(
    name: str, network: RoadNetwork, plan: TimingPlan, delay_s_per_veh: float, *, how: str, path: Path = BEST_KNOWN
) -> None:
    """Write a plan that is better than the one kept; the caller has compared them in one and the same engine."""
    rows, text = _rows(path), packed(plan)
    rows[name] = {
        "delay_s_per_veh": round(delay_s_per_veh, 4),
        "signals": len(plan.controllers),
        "network_hash": network.hash,
        "found": {"commit": commit(), "how": how},
        "plan_sha256": hashlib.sha256(text.encode()).hexdigest(),
        "plan": text,
    }
    write_aside(path, json.dumps(dict(sorted(rows.items())), indent=1) + "\n")


def _rows(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}
