"""`its counts …` on the command line."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from its.console import guarded

counts_app = typer.Typer(
    name="counts",
    help="Detector counts: check them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@counts_app.callback()
def _counts() -> None:
    pass


@counts_app.command()
def check(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Counts: CSV, CSV.gz or parquet of one layout.")],
    settings: Annotated[
        Path | None, typer.Option(metavar="T.toml", help="[counts]: the files' layout; [quality]: limits of the rules.")
    ] = None,
    network: Annotated[Path | None, typer.Option(metavar="N", help="Road network, with --detectors.")] = None,
    detectors: Annotated[Path | None, typer.Option(metavar="D", help="Where the loops lie, with --network.")] = None,
    days: Annotated[str, typer.Option(metavar="D", help="weekday, sat, sun, all, DATE or DATE..DATE.")] = "all",
    out: Annotated[
        Path | None, typer.Option(metavar="C", help="Write repaired counts: .csv, .csv.gz or .parquet.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """What is wrong with counts: per detector and day, with reason and rows; and what stands in for it."""

    def job() -> int:
        from its.counts_job import CountsRequest, counts_job

        return counts_job(
            CountsRequest(
                files=tuple(files),
                settings=settings,
                network=network,
                detectors=detectors,
                days=days,
                out=out,
                as_json=as_json,
            )
        )

    code = guarded(job)
    sys.stdout.flush()
    raise typer.Exit(code)
