"""What a command was asked to do: its options, parsed and frozen, as the jobs take them."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from network_data.settings import Settings

Controllers = Literal["fixed", "actuated"]
Parameters = Literal["street", "sumo"]
Confirm = Literal["sumo"]
Standard = Literal["hcm", "khcm"]
DEFAULT_TIME_LIMIT_S = 60.0
DEFAULT_DAYS = "weekday"


@dataclass(frozen=True, slots=True, kw_only=True)
class DemandSource:
    """Where the demand comes from, and for which period. `begin_s` and `end_s` in seconds after local midnight."""

    detectors: Path | None = None
    counts: Path | None = None
    turns: Path | None = None
    routes: tuple[Path, ...] = ()
    begin_s: float | None = None
    end_s: float | None = None
    days: str = DEFAULT_DAYS

    @property
    def files(self) -> dict[str, Path]:
        """The files given, by the name of their option."""
        given = {"detectors": self.detectors, "counts": self.counts, "turns": self.turns}
        numbered = {f"routes{n or ''}": path for n, path in enumerate(self.routes)}
        return {name: path for name, path in given.items() if path is not None} | numbered


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimizeRequest:
    """`its optimize`: all its options. `started_s` is the monotonic second at which the process began to work."""

    network: Path
    source: DemandSource
    out: Path
    plans: Path | None = None
    settings: Path | None = None
    seed: int = 0
    time_limit_s: float | None = None
    iterations: int | None = None
    workers: int | None = None
    confirm: Confirm | None = None
    tradeoff: bool = False
    started_s: float = field(default_factory=time.monotonic)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainRequest:
    """`its explain`: all its options."""

    plan: Path
    network: Path
    source: DemandSource
    against: Path | None = None
    settings: Path | None = None
    seed: int = 0
    realizations: int = 4
    as_json: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulateRequest:
    """`its simulate`: all its options. `parameters` None: `sumo` for the vehicles of routes, else `street`."""

    network: Path
    source: DemandSource
    plans: Path | None = None
    schedule: Path | None = None
    queues: Path | None = None
    controllers: Controllers = "fixed"
    parameters: Parameters | None = None
    settings: Path | None = None
    warmup_s: float = 0.0
    seed: int = 0
    realizations: int = 4
    as_json: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How long to search: by iterations, by the clock (`time_limit_s` is None where there is no limit), or both."""

    iterations: int | None
    time_limit_s: float | None
    workers: int


def effort_of(request: OptimizeRequest, settings: Settings) -> Effort:
    """Command line before settings file before defaults.

    Iterations without a time limit are reproducible, so the default time limit holds only where neither is given.
    """
    iterations = request.iterations if request.iterations is not None else settings.search.iterations
    limit_s = request.time_limit_s
    if limit_s is None and iterations is None:
        limit_s = DEFAULT_TIME_LIMIT_S
    workers = request.workers if request.workers is not None else settings.search.workers
    return Effort(iterations=iterations, time_limit_s=limit_s, workers=workers)
