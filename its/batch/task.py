"""What one district's run depends on, all of it, and the hash of that: unchanged, there is nothing to do."""

from __future__ import annotations

import fnmatch
import hashlib
import itertools
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from its.project import District, Project
from its.recognize import sha256_of
from its.run_record import engine_versions
from its.store import Store
from its.store.chain import canonical
from its.store.runs import in_force, pushed_ids
from its.sumo import sumo_version
from network_data.errors import InputError, OutsideProgramError

ENDINGS = ("*.csv", "*.csv.gz", "*.parquet")
"""Files of a folder that are taken as counts."""


@dataclass(frozen=True, kw_only=True)
class PushedPlan:
    """A stored plan that pushes brought to some controllers, and when in the day it is due there."""

    days: str
    begin_s: float
    end_s: float
    controllers: tuple[str, ...]
    document: Mapping[str, Any]
    plan_id: str


@dataclass(frozen=True, kw_only=True)
class Task:
    """A district to work on. It holds names and hashes of files, not their content: workers read the same files.

    `files` maps the name of each input to its path, `hashes` to the SHA-256 that its content must have. `sumo` is the
    version of SUMO, empty where there is none. `key` is the hash of all of it.
    """

    district: str
    zone: str
    content: District
    network: Path
    files: Mapping[str, Path]
    counts: tuple[str, ...]
    hashes: Mapping[str, str]
    pushed: tuple[PushedPlan, ...]
    engine: Mapping[str, str]
    sumo: str
    key: str = field(default="")

    def path(self, name: str) -> Path | None:
        """Path of `detectors`, `turns`, `field` or `settings`; None where the project names none."""
        return self.files.get(name)

    @property
    def count_paths(self) -> list[Path]:
        """The files of counts."""
        return [self.files[name] for name in self.counts]


def task_of(project: Project, name: str, store: Store) -> Task:
    """Find and hash everything that a district's run depends on.

    Raises
    ------
    InputError
        Files that are missing or cannot be read; all together.
    """
    own = project.district(name)
    counts = count_files(project, own)
    files = {f"counts/{shown}": path for shown, path in counts.items()}
    given = {"network": own.network, "detectors": own.detectors, "turns": own.turns, "field": own.field}
    given |= {"settings": own.settings}
    files |= {what: project.at(text) for what, text in given.items() if text is not None}
    bare = Task(
        district=name,
        zone=project.content.zone,
        content=own,
        network=project.at(own.network),
        files=files,
        counts=tuple(f"counts/{shown}" for shown in counts),
        hashes=_hashes(files),
        pushed=tuple(_pushed(store, name)),
        engine=engine_versions(),
        sumo=_sumo(own),
    )
    return Task(**{**_parts(bare), "key": _key(bare)})


def _parts(task: Task) -> dict[str, Any]:
    return {name: getattr(task, name) for name in Task.__dataclass_fields__ if name != "key"}


def _key(task: Task) -> str:
    """Hash of all that a run depends on; paths are not part of it, contents are."""
    content = {
        "district": task.district,
        "zone": task.zone,
        "project": task.content.model_dump(mode="json", include={"window_days", "schedule", "gates", "search"}),
        "hashes": dict(task.hashes),
        "pushed": [[p.days, p.begin_s, p.end_s, list(p.controllers), p.plan_id] for p in task.pushed],
        "engine": dict(task.engine),
        "sumo": task.sumo,
    }
    return hashlib.sha256(canonical(content).encode()).hexdigest()


def count_files(project: Project, own: District) -> dict[str, Path]:
    """The files that folders and globs of a district's counts stand for, by their names in the project, in order.

    Raises
    ------
    InputError
        A name, folder or glob that stands for no file; all together.
    """
    found: dict[str, Path] = {}
    faults = []
    for text in own.counts:
        some = _matching(project, text)
        if not some:
            faults.append(f"counts {text!r} stand for no file; paths start from {project.folder}")
        found |= {_shown(path, project.folder): path for path in some}
    if faults:
        raise InputError(str(project.path), faults)
    return dict(sorted(found.items()))


def _matching(project: Project, text: str) -> list[Path]:
    path = project.at(text)
    if path.is_file():
        return [path]
    if path.is_dir():
        return sorted(x for x in path.iterdir() if x.is_file() and any(fnmatch.fnmatch(x.name, e) for e in ENDINGS))
    base = Path(path.anchor) if Path(text).is_absolute() else project.folder
    pattern = str(Path(text).relative_to(path.anchor)) if Path(text).is_absolute() else text
    return sorted(x for x in base.glob(pattern) if x.is_file() and not x.name.startswith("."))


def _shown(path: Path, folder: Path) -> str:
    """The path as seen from the project's folder: the same on every host that has both."""
    return Path(os.path.relpath(path.resolve(), folder)).as_posix()


def _hashes(files: Mapping[str, Path]) -> dict[str, str]:
    faults, out = [], {}
    for name, path in sorted(files.items()):
        try:
            out[name] = sha256_of(path)
        except InputError as error:
            faults.append(f"{name}: {error}")
    if faults:
        raise InputError("inputs", faults)
    return out


def changed_files(task: Task) -> list[str]:
    """Inputs whose content is not what was hashed when the run began: another file, or another mount on this host."""
    out = []
    for name, path in task.files.items():
        try:
            same = sha256_of(path) == task.hashes[name]
        except InputError as error:
            out.append(f"{name}: {error}")
            continue
        if not same:
            out.append(f"{name} ({path}): is not what it was when the run began")
    return out


def _sumo(own: District) -> str:
    if own.gates.sumo == "off":
        return ""
    try:
        return sumo_version()
    except OutsideProgramError:
        return ""


def _pushed(store: Store, district: str) -> Sequence[PushedPlan]:
    """Plans of the district that controllers run by what pushes told, for each part of the day the latest."""
    sent = pushed_ids(store, district)
    views = [view for view in store.plans(district) if view.plan_id in sent]
    out = []
    for days in sorted({view.days for view in views}):
        own = [view for view in views if view.days == days]
        times = sorted({t for view in own for t in (view.begin_s, view.end_s)})
        for begin_s, end_s in itertools.pairwise(times):
            running = in_force(store, [v.plan_id for v in own if v.begin_s <= begin_s and end_s <= v.end_s])
            out += [
                PushedPlan(
                    days=days,
                    begin_s=begin_s,
                    end_s=end_s,
                    controllers=tuple(sorted(c for c, x in running.items() if x == plan_id)),
                    document=store.document(plan_id),
                    plan_id=plan_id,
                )
                for plan_id in sorted(set(running.values()))
            ]
    return out
