"""`its push …` on the command line."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from its.cli_plans import DEFAULT_STORE, Json, StoreUrl
from its.console import guarded
from network_data.errors import InputError


def push(
    what: Annotated[
        str, typer.Argument(metavar="PLAN|DISTRICT", help="Plan id or stored plan.json, or a district's approved plan.")
    ],
    to: Annotated[Path, typer.Option(metavar="TARGETS", help="The controllers: TOML.", show_default=False)],
    execute: Annotated[bool, typer.Option("--execute", help="Push. Without it, only show what would be sent.")] = False,
    corridor: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only this corridor; may be repeated.")
    ] = None,
    store: StoreUrl = DEFAULT_STORE,
    journal: Annotated[
        Path, typer.Option(envvar="ITS_JOURNAL", metavar="DIR", help="Where each step is written down.")
    ] = Path("its-journal"),
    as_json: Json = False,
) -> None:
    """Bring an approved plan to its controllers, all of a corridor or none; a dry run without --execute."""

    def job() -> int:
        try:
            from its.push_job import PushRequest, push_job
        except ModuleNotFoundError as error:
            raise InputError("push", f"needs {error.name}; pip install 'its-signals[push,store]'") from None
        return push_job(
            PushRequest(
                what=what,
                targets=to,
                store=store,
                journal=journal,
                corridors=tuple(corridor or ()),
                execute=execute,
                as_json=as_json,
            )
        )

    code = guarded(job)
    sys.stdout.flush()
    raise typer.Exit(code)
