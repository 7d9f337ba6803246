"""`its day` on the command line."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from its.console import guarded


def day(
    network: Annotated[
        Path, typer.Argument(metavar="NETWORK", help="Road network of any format: file or folder.", show_default=False)
    ],
    detectors: Annotated[Path, typer.Option(metavar="D", help="Where the loops lie, as for optimize.")],
    counts: Annotated[Path, typer.Option(metavar="C", help="Counts of many days, as for optimize.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where plans and report go.", show_default=False)],
    plans: Annotated[
        Path | None, typer.Option(metavar="P", help="Plan in the field. [default: the programs in the network]")
    ] = None,
    begin: Annotated[str | None, typer.Option(metavar="S", help="Begin of the planned part of the day.")] = None,
    end: Annotated[str | None, typer.Option(metavar="S", help="Its end. [default: what the counts cover]")] = None,
    days: Annotated[str, typer.Option(metavar="D", help="weekday, sat, sun, all, DATE or DATE..DATE.")] = "all",
    settings: Annotated[
        Path | None, typer.Option(metavar="T.toml", help="As for optimize; [day]: how a day is cut into plans.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="Seed of everything random.")] = 0,
    time_limit: Annotated[
        float | None,
        typer.Option(
            min=10, max=1e6, metavar="S", help="Seconds for all of it. [default: 600; none with --iterations]"
        ),
    ] = None,
    iterations: Annotated[
        int | None, typer.Option(min=0, metavar="N", help="Iterations of the search for each plan.")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, max=64, metavar="N", help="Threads. [default: 2]")] = None,
) -> None:
    """How many plans a day, which, and when they switch: by type of day, out of counts of many days."""
    started_s = time.monotonic() - time.process_time()
    from its.cli import _check_period, _writable, seconds

    begin_s = seconds(begin) if begin is not None else None
    end_s = seconds(end) if end is not None else None
    _check_period(begin_s, end_s)
    target = _writable(out)

    def job() -> int:
        from its.day_job import DayRequest, day_job
        from its.requests import DemandSource

        return day_job(
            DayRequest(
                network=network,
                source=DemandSource(detectors=detectors, counts=counts, begin_s=begin_s, end_s=end_s, days=days),
                out=target,
                plans=plans,
                settings=settings,
                seed=seed,
                time_limit_s=time_limit,
                iterations=iterations,
                workers=workers,
                started_s=started_s,
            )
        )

    code = guarded(job)
    sys.stdout.flush()
    raise typer.Exit(code)
