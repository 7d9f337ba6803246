"""`its batch …` on the command line."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from its.cli_plans import Json
from its.console import guarded
from network_data.errors import InputError


def batch(
    project: Annotated[
        Path, typer.Argument(metavar="PROJECT", help="The project file: TOML, see docs/batch.md.", show_default=False)
    ],
    district: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only this district; may be repeated.")
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Dask scheduler, e.g. tcp://10.0.0.1:8786. [default: local]")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, max=1024, metavar="N", help="Local processes. [default: the project's]")
    ] = None,
    wait: Annotated[
        float, typer.Option(min=0, max=86_400, metavar="S", help="Seconds to wait for another run to end.")
    ] = 0.0,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where summaries, log and metrics go. [default: the project's]")
    ] = None,
    metrics: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Prometheus text file. [default: DIR/its_batch.prom]")
    ] = None,
    log: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Log, JSON lines. [default: DIR/batch.log.jsonl]")
    ] = None,
    as_json: Json = False,
) -> None:
    """New counts to judged and stored plans, for every district whose inputs have changed."""

    def job() -> int:
        try:
            from its.batch.job import BatchRequest, batch_job
        except ModuleNotFoundError as error:
            raise InputError("batch", f"needs {error.name}; pip install 'its-signals[batch]'") from None
        return batch_job(
            BatchRequest(
                project=project,
                districts=tuple(district or ()),
                scheduler=scheduler,
                workers=workers,
                wait_s=wait,
                out=out,
                metrics=metrics,
                log=log,
                as_json=as_json,
            )
        )

    code = guarded(job)
    sys.stdout.flush()
    raise typer.Exit(code)
