"""The project file (TOML): districts, where their networks, counts, plans and settings are, schedules, gates, targets.

`python -m its.project` prints its JSON schema; `docs/project.schema.json` is that, for editors.
"""

from __future__ import annotations

import difflib
import itertools
import json
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, TypeAdapter, ValidationError, ValidationInfo, model_validator

from network_data.errors import SettingsError
from network_data.formats.files import read_bytes
from network_data.settings_base import Section

MAX_BYTES = 16 << 20
DAY_S = 86_400.0
SHARED = ("schedule", "gates", "search")
"""Tables that may stand once for all districts; a district's own keys go before them."""
DayType = Literal["weekday", "sat", "sun", "weekend", "all"]
NAME = r"^\w[\w .\-]{0,99}$"
CLOCK = r"^([01]?\d|2[0-3]):[0-5]\d$|^24:00$"


def seconds_of(clock: str) -> float:
    """Seconds after midnight of HH:MM."""
    hours, minutes = clock.split(":")
    return 3600.0 * int(hours) + 60.0 * int(minutes)


def _folder(info: ValidationInfo) -> Path | None:
    return info.context.get("folder") if isinstance(info.context, Mapping) else None


def _there(text: str, info: ValidationInfo) -> str:
    """A path that exists, seen from the project's folder."""
    folder = _folder(info)
    if folder is not None and not (folder / text).exists():
        raise ValueError(f"{text!r} does not exist; paths start from the folder of the project file")
    return text


def _file(text: str, info: ValidationInfo) -> str:
    folder = _folder(info)
    if folder is not None and not (folder / text).is_file():
        raise ValueError(f"{text!r} is no file; paths start from the folder of the project file")
    return text


def _zone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{text!r} is no known time zone; give one such as 'Asia/Seoul'") from None
    return text


def _no_password(text: str) -> str:
    if "@" in text and ":" in text.split("://", 1)[-1].rsplit("@", 1)[0]:
        raise ValueError("carries a password; leave it out and give the secret 'store' (docs/push.md)")
    return text


PathText = Annotated[str, Field(min_length=1), AfterValidator(_there)]
FileText = Annotated[str, Field(min_length=1), AfterValidator(_file)]
Clock = Annotated[str, Field(pattern=CLOCK, description="HH:MM of the local clock")]
Share = Annotated[float, Field(ge=0, le=1)]


class Schedule(Section):
    """Which hours of which days get plans of their own.

    `period`: one plan from `begin` to `end`. `periods`: one plan from each time of `switches` to the next, the last one
    to `end`. `day`: the number of plans and their times are found, as `[day]` of the settings says. Outside, what is in
    force stays.
    """

    type: Literal["period", "periods", "day"] = "period"
    days: Annotated[
        tuple[DayType, ...], Field(strict=False, min_length=1, description="types of days, each planned for itself")
    ] = ("weekday",)
    begin: Clock = Field("07:00", description="local time from which on plans are made")
    end: Clock = Field("09:00", description="and until when; 24:00 is midnight")
    switches: Annotated[tuple[Clock, ...], Field(strict=False, description="for periods: when each plan begins")] = ()

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        times = [*self.switches, self.end] if self.type == "periods" else [self.begin, self.end]
        faults = []
        if self.type == "periods" and not self.switches:
            faults.append("type 'periods' needs switches: the times at which its plans begin")
        if self.type != "periods" and self.switches:
            faults.append(f"switches belong to type 'periods', this is {self.type!r}; take them out")
        if any(seconds_of(b) <= seconds_of(a) for a, b in itertools.pairwise(times)):
            faults.append(f"times {', '.join(times)} are not in order; begin before end, each once")
        if len(set(self.days)) < len(self.days) or ("all" in self.days and len(self.days) > 1):
            faults.append(f"days {', '.join(self.days)} overlap; name each type once, 'all' alone")
        if faults:
            raise ValueError("; ".join(faults))
        return self

    @property
    def periods_s(self) -> tuple[tuple[float, float], ...]:
        """Begin and end of each plan, where these are given. [s after midnight]"""
        begins = self.switches if self.type == "periods" else (self.begin,)
        times = [*map(seconds_of, begins), seconds_of(self.end)]
        return tuple(itertools.pairwise(times))


class Gates(Section):
    """What a plan must pass before it may be approved; shares are of 1."""

    days: int = Field(3, ge=1, description="least good days that a plan is made from")
    held_out_days: int = Field(2, ge=0, description="newest good days that it is judged on and not made from; 0: none")
    sound_share: Share = Field(0.7, description="least share of a day's counts that are sound as read: a good day")
    measured_share: Share = Field(0.5, description="least share of detectors that are sound on half the good days")
    gain: float = Field(0.03, ge=0, lt=1, description="least share of the delay saved on the days it is made from")
    held_out_gain: float = Field(0.02, ge=0, lt=1, description="and on those held out")
    held_out_better: Share = Field(0.75, description="least share of draws of held-out days on which it is better")
    sumo: Literal["auto", "require", "off"] = Field("auto", description="auto: where SUMO and its network are there")
    sumo_draws: int = Field(3, ge=2, le=20, description="draws of the traffic in SUMO")
    cycle_change_s: float = Field(60.0, ge=0, description="largest change of a cycle against the plan in force")
    green_change_s: float = Field(40.0, ge=0, description="largest change of a link index's green")
    changed_share: Share = Field(1.0, description="most signals that change at all, offsets too")
    new_stages_share: Share = Field(1.0, description="most signals that get another sequence of stages")
    transition_share: float = Field(1.0, gt=0, le=1, description="loss in transitions below this share of the gain")


class Search(Section):
    """Effort of the search: iterations, never the clock, so that results do not depend on the machine."""

    iterations: int = Field(300, ge=0, le=10_000_000, description="of each plan's search")
    seed: int = Field(0, ge=0, description="of everything random")


class District(Section):
    """A district: what it is made of, and what its plans must be."""

    network: PathText = Field(description="road network of any format, file or folder")
    detectors: FileText = Field(description="where the loops lie")
    counts: Annotated[
        tuple[Annotated[str, Field(min_length=1)], ...],
        Field(strict=False, min_length=1, description="files, folders and globs of counts, read as one"),
    ]
    turns: FileText | None = Field(None, description="turning counts")
    field: PathText | None = Field(None, description="plan in the field; the programs in the network by default")
    settings: FileText | None = Field(None, description="limits, rules, objective: as for its optimize")
    targets: FileText | None = Field(None, description="controllers, for its push")
    window_days: int = Field(28, ge=1, le=3660, description="newest counted days that are looked at")
    schedule: Schedule = Schedule()
    gates: Gates = Gates()
    search: Search = Search()


class Cluster(Section):
    """How districts are spread."""

    workers: int | None = Field(None, ge=1, le=1024, description="processes of a local run; cores less one by default")
    attempts: int = Field(3, ge=1, le=20, description="how often a district is begun whose worker dies")
    lease_s: float = Field(120.0, ge=1, le=86_400, description="after so long without a sign of life others may begin")


class ProjectFile(Section):
    """The whole file."""

    name: Annotated[str, Field(pattern=NAME)]
    zone: Annotated[str, AfterValidator(_zone), Field(description="time zone of all its days, e.g. Asia/Seoul")]
    store: Annotated[
        str,
        AfterValidator(_no_password),
        Field(min_length=1, description="file, sqlite:///FILE or postgresql://USER@HOST/NAME"),
    ] = "its-store.db"
    out: str = Field("its-batch", min_length=1, description="folder of summaries, log and metrics")
    cluster: Cluster = Cluster()
    schedule: Schedule = Field(Schedule(), description="of all districts that say nothing else")
    gates: Gates = Field(Gates(), description="of all districts that say nothing else")
    search: Search = Field(Search(), description="of all districts that say nothing else")
    district: dict[Annotated[str, Field(pattern=NAME)], District] = Field(min_length=1)


@dataclass(frozen=True)
class Project:
    """A project file that was read, and where it stands."""

    path: Path
    content: ProjectFile

    @property
    def folder(self) -> Path:
        """What its paths start from."""
        return self.path.parent

    def at(self, text: str) -> Path:
        """A path of the file."""
        return self.folder / text

    @property
    def store(self) -> str:
        """Address of the plan store; files start from the project's folder."""
        where = self.content.store
        if where.startswith("sqlite:///"):
            where = where.removeprefix("sqlite:///")
        return where if "://" in where else str(self.at(where))

    def district(self, name: str) -> District:
        """One district.

        Raises
        ------
        SettingsError
            There is none of that name.
        """
        found = self.content.district.get(name)
        if found is None:
            raise SettingsError(str(self.path), _unknown("district", name, self.content.district))
        return found

    def chosen(self, names: Sequence[str]) -> list[str]:
        """The districts asked for, or all, in the order of the file."""
        faults = [_unknown("district", x, self.content.district) for x in names if x not in self.content.district]
        if faults:
            raise SettingsError("--district", faults)
        return [x for x in self.content.district if not names or x in names]


def load_project(path: Path) -> Project:
    """Read a project file; files that it names must be there.

    Raises
    ------
    SettingsError
        Every fault of the file, its paths included.
    """
    try:
        table = tomllib.loads(read_bytes(path, MAX_BYTES).decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(str(path), f"is not TOML: {error}; see docs/batch.md") from None
    try:
        content = ProjectFile.model_validate(_with_shared(table), context={"folder": path.resolve().parent})
    except ValidationError as error:
        # a fault of a shared table comes back from every district that takes it over
        own = {(*item["loc"],) for item in error.errors()}
        faults = [
            _fault(item["loc"], item["type"], item["msg"], item["input"])
            for item in error.errors()
            if not (item["loc"][:1] == ("district",) and item["loc"][2:] in own)
        ]
        raise SettingsError(str(path), list(dict.fromkeys(faults))) from None
    return Project(path.resolve(), content)


def _with_shared(table: dict[str, Any]) -> dict[str, Any]:
    """Every district with the keys of the shared tables that it does not give itself."""
    districts = table.get("district")
    if not isinstance(districts, dict):
        return table
    merged = {}
    for name, own in districts.items():
        if isinstance(own, dict):
            parts = {
                part: {**table[part], **own.get(part, {})}
                for part in SHARED
                if isinstance(table.get(part), dict) and isinstance(own.get(part, {}), dict)
            }
            own = {**own, **parts}
        merged[name] = own
    return {**table, "district": merged}


def _unknown(what: str, name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.0)
    return f"there is no {what} {name!r}" + (f"; did you mean {near[0]!r}?" if near else "")


def _fault(loc: tuple[int | str, ...], kind: str, message: str, value: object) -> str:
    name = ".".join(str(part) for part in loc if part != "[key]")
    if kind == "extra_forbidden":
        known = _keys_of(loc[:-1])
        near = difflib.get_close_matches(str(loc[-1]), known, n=1, cutoff=0.0)
        return f"unknown key {name!r}" + (f"; did you mean {near[0]!r}?" if near else "")
    if kind == "missing":
        return f"{name} is missing; give it"
    if kind == "value_error":
        return f"{name}: {message.removeprefix('Value error, ')}"
    if kind == "string_pattern_mismatch" and "24:00" in message:
        return f"{name} is {value!r}; needs a time of day HH:MM"
    if kind == "string_pattern_mismatch":
        return f"{name} is {value!r}; names are letters, digits, spaces, '.', '_' and '-', 100 at most"
    return f"{name} is {value!r}: {message}"


def _keys_of(loc: tuple[int | str, ...]) -> list[str]:
    """Keys that a table may have."""
    sections: dict[str, type[Section]] = {"schedule": Schedule, "gates": Gates, "search": Search, "cluster": Cluster}
    if not loc:
        return list(ProjectFile.model_fields)
    if loc[0] == "district" and len(loc) == 2:
        return list(District.model_fields)
    return list(sections[str(loc[-1])].model_fields) if str(loc[-1]) in sections else []


def project_schema() -> str:
    """The JSON schema of project files, as text."""
    schema = TypeAdapter(ProjectFile).json_schema()
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "its project file", **schema}
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    print(project_schema(), end="")
