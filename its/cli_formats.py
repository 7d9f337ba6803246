"""`its convert` and `its inspect`: any format of the trade."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from its.console import guarded

Network = Annotated[
    Path | None, typer.Option(metavar="N", help="Road network, where the input holds none and it is needed.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def convert(
    source: Annotated[
        Path, typer.Argument(metavar="IN", help="File or folder of any known format.", show_default=False)
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="File, or folder for GMNS.", show_default=False)],
    to: Annotated[
        str,
        typer.Option(metavar="FORMAT", help="See docs/formats.md; a wrong name lists them.", show_default=False),
    ],
    network: Network = None,
    repair: Annotated[
        str, typer.Option(metavar="R[,R…]", help="Repairs of SALT networks: yellow, alley-speed. [default: none]")
    ] = "",
    places: Annotated[
        Path | None,
        typer.Option(
            metavar="P", help="Links of counted approaches: CSV intersection,approach,turn,from_link,to_link."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Convert between formats; what the target cannot hold is listed."""

    def job() -> int:
        from its.convert import convert_job

        wanted = tuple(part.strip() for part in repair.split(",") if part.strip())
        return convert_job(source, out, to, network_path=network, repair=wanted, places=places, as_json=as_json)

    _end(job)


def inspect(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="File or folder.", show_default=False)],
    network: Network = None,
    settings: Annotated[
        Path | None, typer.Option(metavar="T.toml", help="Its [counts] tells what columns of count tables mean.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Say what a file or folder is, what is in it, and what is missing for an optimization."""

    def job() -> int:
        from its.inspect_job import inspect_job

        return inspect_job(path, network_path=network, settings_path=settings, as_json=as_json)

    _end(job)


def _end(job: Callable[[], int]) -> None:
    code = guarded(job)
    sys.stdout.flush()
    raise typer.Exit(code)
