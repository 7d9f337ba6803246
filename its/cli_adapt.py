"""`its adapt` on the command line."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from its.console import guarded
from network_data.errors import InputError


class AdaptMode(StrEnum):
    """What decides within a cycle."""

    plan = "plan"
    local = "local"
    lookahead = "lookahead"


def _seconds(text: str) -> float:
    from its.cli import seconds

    return seconds(text)


def _paths(text: str) -> tuple[Path, ...]:
    from its.cli import paths

    return paths(text)


Time = Annotated[
    float | None, typer.Option(parser=_seconds, metavar="S", help="Seconds after midnight, or HH:MM[:SS].")
]


def adapt(
    sumo: Annotated[
        Path | None, typer.Option(metavar="NET", help="SUMO network: the field.", show_default=False)
    ] = None,
    routes: Annotated[str | None, typer.Option(metavar="R[,R…]", help="Its route files.", show_default=False)] = None,
    detectors: Annotated[
        Path | None,
        typer.Option(metavar="D", help="Loops that the engine sees: CSV or SUMO additional file.", show_default=False),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where logs and SUMO's records go.", show_default=False)
    ] = None,
    additional: Annotated[str | None, typer.Option(metavar="A[,A…]", help="SUMO additional files.")] = None,
    begin: Time = None,
    end: Time = None,
    seeds: Annotated[int, typer.Option(min=1, max=1000, metavar="N", help="Seeds 1 to N.")] = 1,
    scale: Annotated[float, typer.Option(min=0.01, max=100, metavar="F", help="Demand factor.")] = 1.0,
    mode: Annotated[
        AdaptMode, typer.Option(help="plan: once a cycle; local: with actuated functions; lookahead: plan ahead.")
    ] = AdaptMode.lookahead,
    rolling: Annotated[
        bool | None,
        typer.Option(
            "--rolling/--no-rolling", help="Re-optimize the running plan. [default: where a signal is run by its plan]"
        ),
    ] = None,
    settings: Annotated[Path | None, typer.Option(metavar="T.toml", help="Limits and rules: TOML.")] = None,
    replay: Annotated[
        Path | None, typer.Option(metavar="LOG", help="Folder of a run: decide everything again and compare.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Run the closed loop: loops in, signals out, every second; exit code 3 where a rule was broken."""

    def job() -> int:
        from its.adapt.job import AdaptRequest, adapt_job, replay_job

        if replay is not None:
            return replay_job(replay, as_json=as_json)
        given = {"--sumo": sumo, "--routes": routes, "--detectors": detectors, "--out": out}
        missing = [f"{name} is missing" for name, value in given.items() if value is None]
        if sumo is None or routes is None or detectors is None or out is None:
            raise InputError("adapt", [*missing, "give all four, or --replay with the log of a run"])
        if begin is not None and end is not None and begin >= end:
            raise InputError("--begin/--end", f"begin {begin:g} s is not before end {end:g} s; mend it")
        out.mkdir(parents=True, exist_ok=True)
        return adapt_job(
            AdaptRequest(
                network=sumo,
                routes=_paths(routes),
                detectors=detectors,
                out=out,
                additional=_paths(additional) if additional is not None else (),
                settings=settings,
                begin_s=begin,
                end_s=end,
                seeds=seeds,
                scale=scale,
                mode=mode.value,
                rolling=rolling,
                as_json=as_json,
            )
        )

    code = guarded(job)
    sys.stdout.flush()
    raise typer.Exit(code)
