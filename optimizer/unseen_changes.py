"""Changes between greens that the field never shows: built as long as the field takes for those it does show.

Where the field never changes from one movement to a foe, the rules ask for the yellow alone: nobody can say more.
Stages in another order would then run without the all-red that the field gives every change of its own. No gain:
whoever waits inside the junction for a gap, or passes on yellow, is still there when the foes start.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

from network_data.clearance import ClearanceMatrix, is_unseen


def with_usual_clearances(matrix: ClearanceMatrix) -> ClearanceMatrix:
    """The clearances that new stage sequences are built with; never shorter than those of the rules.

    From i to j, which the field never changes so directly: the least that it takes from i to any foe it changes to,
    else from any foe to j, else from any movement to any. A program without direct changes leaves the yellow.
    """
    ending: dict[int, list[float]] = defaultdict(list)
    starting: dict[int, list[float]] = defaultdict(list)
    unseen = []
    for (i, j), source in matrix.sources.items():
        if is_unseen(source):
            unseen.append((i, j))
        else:
            ending[i].append(matrix[i, j])
            starting[j].append(matrix[i, j])
    every = [seconds for row in ending.values() for seconds in row]
    longer = matrix.seconds.copy()
    for i, j in unseen:
        known = ending.get(i) or starting.get(j) or every
        longer[i, j] = max(matrix[i, j], min(known, default=0.0))
    return replace(matrix, seconds=longer)
