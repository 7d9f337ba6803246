"""Queues that stand when the simulation begins: vehicles per link and link they turn to."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from network_data.demand import Pair
from network_data.errors import DemandError
from network_data.network import RoadNetwork
from network_data.tables import capped, need_columns, numbers, read_table, texts

EXAMPLE = "from_link,to_link,veh"
MOST_VEH = 10_000


def read_queues(path: Path | str, network: RoadNetwork) -> dict[Pair, int]:
    """Read CSV, CSV.gz or parquet `from_link,to_link,veh`: whole vehicles that stand on a link at the begin.

    Raises
    ------
    DemandError
        Every row with links that do not meet, a number that is not whole or out of range, or a turn named before.
    """
    table = read_table(path)
    need_columns(path, table, ("from_link", "to_link", "veh"), EXAMPLE)
    faults = list(table.faults)
    veh, *_ = numbers(table.columns["veh"])
    columns = (texts(table.columns[name]).astype(object) for name in ("from_link", "to_link"))
    out: dict[Pair, int] = {}
    for row, here, there, n in zip(table.row, *columns, veh.tolist(), strict=True):
        if here not in network.links:
            faults.append(f"row {row}: the network has no link {here!r}; correct the name")
        elif there not in network.outgoing.get(here, ()):
            ways = ", ".join(repr(x) for x in network.outgoing.get(here, ()))
            faults.append(f"row {row}: no way leads from link {here!r} to {there!r}; it leads to {ways or 'no link'}")
        elif (here, there) in out:
            faults.append(f"row {row}: link {here!r} to {there!r} stands in a row above already; keep one")
        if np.isnan(n) or not 0 <= n <= MOST_VEH or n != int(n):
            faults.append(f"row {row}: veh must be a whole number from 0 to {MOST_VEH}")
        else:
            out[here, there] = int(n)
    if not len(table) and not faults:
        faults.append(f"holds no rows; needed: {EXAMPLE}")
    if faults:
        raise DemandError(str(path), capped(faults))
    return out
