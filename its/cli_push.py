"""`its push …` on the command line."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from its.cli_plans import Json
from its.console import guarded
from network_data.errors import InputError


def push(
    what: Annotated[
        str, typer.Argument(metavar="PLAN|DISTRICT", help="Plan id or stored plan.json, or a district's approved plan.")
    ],
    to: Annotated[
        Path | None, typer.Option(metavar="TARGETS", help="The controllers: TOML. [default: the project's]")
    ] = None,
    execute: Annotated[bool, typer.Option("--execute", help="Push. Without it, only show what would be sent.")] = False,
    corridor: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only this corridor; may be repeated.")
    ] = None,
    project: Annotated[
        Path | None, typer.Option(metavar="PROJECT", help="Project file: targets, store, and what the rules need.")
    ] = None,
    network: Annotated[
        Path | None, typer.Option(metavar="NETWORK", help="The plan's road network, to check its rules again.")
    ] = None,
    settings: Annotated[Path | None, typer.Option(metavar="T.toml", help="Settings of the rules.")] = None,
    against: Annotated[
        Path | None, typer.Option(metavar="OLD", help="The plan in the field. [default: the programs in the network]")
    ] = None,
    unchecked: Annotated[
        bool, typer.Option("--unchecked", help="Push without network and settings: the rules are not checked again.")
    ] = False,
    store: Annotated[
        str | None,
        typer.Option(envvar="ITS_STORE", metavar="URL", help="File, sqlite:///FILE or postgresql://USER@HOST/NAME."),
    ] = None,
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
                project=project,
                network=network,
                settings=settings,
                against=against,
                unchecked=unchecked,
            )
        )

    code = guarded(job)
    sys.stdout.flush()
    raise typer.Exit(code)
