"""The signal programs in the field: fixed-time, set by hand some years ago, their splits and offsets grown old.

A stage lists the turns that go (leg and turns, `W:sr`) and the crossings that walk with it. Greens become `G` or `g`
by the junction's own rules of priority; a turn that loses its protection is stopped for yellow and all-red first.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from examples._district_network import Layout
from examples._district_streets import CROSSINGS
from network_data.controllers import Controller
from network_data.network import RoadNetwork

WALK_MIN_S = 7
WALK_SPEED_MPS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What goes together, for how long, and how it is cleared."""

    go: str
    walk: str
    green_s: int
    yellow_s: int
    all_red_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldProgram:
    """A signal's program as the engineer left it."""

    offset_s: int
    stages: tuple[Stage, ...]


def _stage(go: str, green_s: int, *, walk: str = "", yellow_s: int = 3, all_red_s: int = 1) -> Stage:
    return Stage(go=go, walk=walk, green_s=green_s, yellow_s=yellow_s, all_red_s=all_red_s)


PROGRAMS: dict[str, FieldProgram] = {
    # Main Street: 100 s. M1, M5 and M6 protect its left turns only, M2 and M3 protect and permit them, M4 permits.
    "M1": FieldProgram(offset_s=12, stages=(
        _stage("W:sr E:s", 41, walk="S", yellow_s=4, all_red_s=2),
        _stage("E:sl S:r", 13),
        _stage("S:rl", 31, walk="W", all_red_s=2),
    )),
    "M2": FieldProgram(offset_s=26, stages=(
        _stage("W:l E:l", 9),
        _stage("W:srl E:srl", 40, walk="NS", all_red_s=2),
        _stage("N:srl S:srl", 37, walk="WE", all_red_s=2),
    )),
    "M3": FieldProgram(offset_s=63, stages=(
        _stage("W:sl", 10),
        _stage("W:sl E:sr", 47, walk="N", all_red_s=2),
        _stage("N:rl", 29, walk="E", all_red_s=2),
    )),
    "M4": FieldProgram(offset_s=71, stages=(
        _stage("W:sl E:sr", 48, walk="NS", all_red_s=2),
        _stage("S:srl", 42, walk="WE", all_red_s=2),
    )),
    "M5": FieldProgram(offset_s=45, stages=(
        _stage("W:lr E:l", 13),
        _stage("W:sr E:sr", 34, walk="NS", all_red_s=2),
        _stage("N:l S:l", 7),
        _stage("N:srl S:srl", 28, walk="WE", all_red_s=2),
    )),
    "M6": FieldProgram(offset_s=24, stages=(
        _stage("W:l E:l", 8),
        _stage("W:sr E:sr", 42, walk="NS", yellow_s=4, all_red_s=2),
        _stage("N:srl S:srl", 35, walk="W", all_red_s=2),
    )),
    # The parallel streets: 90 s, left turns permitted; East Avenue protects its own.
    "N2": FieldProgram(offset_s=0, stages=(
        _stage("W:srl E:srl", 40, walk="NS", all_red_s=2), _stage("N:srl S:srl", 40, walk="WE", all_red_s=2),
    )),
    "N4": FieldProgram(offset_s=20, stages=(
        _stage("W:sl E:sr", 46, walk="NS", all_red_s=2), _stage("S:srl", 34, walk="WE", all_red_s=2),
    )),
    "N5": FieldProgram(offset_s=65, stages=(
        _stage("N:l S:l", 10), _stage("N:srl S:srl", 33, walk="WE", all_red_s=2),
        _stage("W:srl E:srl", 33, walk="S", all_red_s=2),
    )),
    "S2": FieldProgram(offset_s=37, stages=(
        _stage("W:srl E:srl", 44, walk="NS", all_red_s=2), _stage("N:srl S:srl", 36, walk="WE", all_red_s=2),
    )),
    "S4": FieldProgram(offset_s=52, stages=(
        _stage("W:sl E:sr", 42, walk="NS", all_red_s=2), _stage("S:srl", 38, walk="E", all_red_s=2),
    )),
    "S5": FieldProgram(offset_s=8, stages=(
        _stage("N:l S:l", 10), _stage("N:srl S:srl", 33, walk="WE", all_red_s=2),
        _stage("W:srl E:srl", 33, walk="NS", all_red_s=2),
    )),
}  # fmt: skip


class _Signal:
    """A controller's heads by leg and turn, and the letters they show."""

    def __init__(self, network: RoadNetwork, controller: Controller, layout: Layout) -> None:
        node = controller.id
        leg_of = {edge: leg for (at, leg), edge in layout.incoming.items() if at == node}
        self.controller = controller
        self.turn: dict[int, str] = {}  # link index → "W:l"
        self.walk: dict[str, int] = {}  # leg → link index of its crossing
        self.walk_m: dict[str, float] = {}
        leg_of_exit = {edge: leg for (at, leg), (edge, _) in layout.outgoing.items() if at == node}
        for head in controller.heads:
            if head.kind == "crossing":
                crossing = next(x for x in network.crossings if x.id == head.crossing_ids[0])
                edge = crossing.crossed_links[0]
                leg = leg_of.get(edge) or leg_of_exit[edge]
                self.walk[leg], self.walk_m[leg] = head.index, crossing.length_m
            else:
                connection = network.connections[head.connections[0]]
                self.turn[head.index] = f"{leg_of[connection.from_link]}:{connection.direction.lower()}"
        if set(self.walk) != set(CROSSINGS[node]):
            raise ValueError(f"signal {node}: crossings {sorted(self.walk)}, wanted {sorted(CROSSINGS[node])}")

    def greens(self, stage: Stage) -> set[int]:
        """Link indices that go in a stage, crossings left out."""
        wanted = {f"{leg}:{turn}" for leg, _, turns in (x.partition(":") for x in stage.go.split()) for turn in turns}
        missing = wanted - set(self.turn.values())
        if missing:
            raise ValueError(f"signal {self.controller.id}: no turn {sorted(missing)}")
        return {i for i, turn in self.turn.items() if turn in wanted}

    def letter(self, i: int, open_heads: set[int]) -> str:
        """`g` where somebody open goes before `i`, else `G`."""
        return "g" if any((i, j) in self.controller.yields for j in open_heads if j != i) else "G"

    def state(self, go: set[int], walk: set[int], yellow: set[int]) -> str:
        """One state of the whole signal."""
        heads = range(self.controller.n_heads)
        opened = go | walk | yellow
        return "".join(
            "G" if i in walk else self.letter(i, opened) if i in go else "y" if i in yellow else "r" for i in heads
        )

    def kept(self, now: set[int], walk: set[int], following: set[int], walk_next: set[int]) -> set[int]:
        """Heads that stay green over a change of stage: left turns only if they do not lose protection."""
        return {
            i
            for i in now & following
            if not self.turn[i].endswith(":l")
            or (self.letter(i, now | walk), self.letter(i, following | walk_next)) != ("G", "g")
        }


def _phases(signal: _Signal, program: FieldProgram) -> list[tuple[int, str]]:
    out: list[tuple[int, str]] = []
    stages = program.stages
    for n, stage in enumerate(stages):
        go, following = signal.greens(stage), signal.greens(stages[(n + 1) % len(stages)])
        walk = {signal.walk[leg] for leg in stage.walk}
        walk_next = {signal.walk[leg] for leg in stages[(n + 1) % len(stages)].walk}
        kept = signal.kept(go, walk, following, walk_next)
        walk_s = 0
        if walk:
            clear_s = math.ceil(max(signal.walk_m[leg] for leg in stage.walk) / WALK_SPEED_MPS)
            walk_s = min(stage.green_s, stage.green_s + stage.yellow_s + stage.all_red_s - clear_s)
            if walk_s < WALK_MIN_S:
                raise ValueError(f"signal {signal.controller.id} stage {n}: walk of {walk_s} s is too short")
            out.append((walk_s, signal.state(go, walk, set())))
        if stage.green_s > walk_s:
            out.append((stage.green_s - walk_s, signal.state(go, set(), set())))
        out.append((stage.yellow_s, signal.state(kept, set(), go - kept)))
        out.append((stage.all_red_s, signal.state(kept, set(), set())))
    return out


def field_programs(network: RoadNetwork, layout: Layout) -> dict[str, str]:
    """The `tlLogic` of every signal, as XML text by controller id."""
    out = {}
    for controller_id, controller in network.controllers.items():
        program = PROGRAMS[controller_id]
        phases = _phases(_Signal(network, controller, layout), program)
        lines = [f'        <phase duration="{seconds}" state="{state}"/>' for seconds, state in phases]
        head = f'<tlLogic id="{controller_id}" type="static" programID="field" offset="{program.offset_s}">'
        out[controller_id] = "\n".join([head, *lines, "    </tlLogic>"])
    return out
