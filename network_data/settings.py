"""The settings of a job (TOML): limits, rules, allowed change, objective, search."""

from __future__ import annotations

import difflib
import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from network_data.errors import SettingsError


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Limits(_Section):
    """Bounds on the seconds of a plan."""

    cycle_min_s: float = Field(40, ge=20, le=300)
    cycle_max_s: float = Field(180, ge=20, le=300)
    min_green_s: float = Field(5, ge=1, le=60, description="or the stated minimum of the field's phase, if longer")
    max_red_s: float = Field(150, ge=30, le=300)


class Rules(_Section):
    """Which rules of the street hold; see the glossary for left_turns and pedestrians."""

    left_turns: Literal["keep", "warrant", "free"] = "warrant"
    pedestrians: Literal["network", "assume"] = "network"
    clearance: Literal["keep", "ite", "korea"] = "keep"


class Change(_Section):
    """What may differ from the plan in the field."""

    fixed_signals: tuple[str, ...] = Field((), strict=False)
    freeze: tuple[Literal["cycle", "stages", "splits", "offsets"], ...] = Field((), strict=False)
    max_cycle_change_s: float | None = Field(None, ge=0)


class Objective(_Section):
    """What counts, in seconds of delay: vehicle delay itself, stops, blocked exits, waiting pedestrians."""

    delay: float = Field(1.0, ge=0)
    stops: float = Field(0.0, ge=0, description="seconds of delay that one stop is worth")
    queue_overflow: float = Field(0.0, ge=0, description="seconds of delay per vehicle-second of blocked exit")
    pedestrian: float = Field(0.0, ge=0, description="seconds of delay per second of mean wait at a crossing")


class People(_Section):
    """How many people a vehicle stands for, and who walks: for the delay of persons."""

    car_persons: float = Field(1.5, gt=0, le=9, description="US National Household Travel Survey 2001, table A-15")
    bus_persons: float = Field(30.0, gt=0, le=300, description="an assumption; give the operator's own")
    pedestrians_ph: dict[str, Annotated[float, Field(ge=0)]] = Field({}, description="per crossing, by its id")


class Search(_Section):
    """Effort of the search."""

    iterations: int | None = Field(None, ge=0)
    workers: int = Field(2, ge=1, le=64)


class Settings(_Section):
    """All settings of a job; the defaults are what `its optimize` uses without a file."""

    limits: Limits = Limits()
    rules: Rules = Rules()
    change: Change = Change()
    objective: Objective = Objective()
    people: People = People()
    search: Search = Search()


def load_settings(path: Path | str) -> Settings:
    """Read a settings file.

    Raises
    ------
    SettingsError
        Every unknown key (with the nearest right one) and every value out of range.
    """
    try:
        table = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(str(path), f"cannot be opened: {error.strerror}; check the path") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(str(path), f"is not TOML: {error}") from None
    return settings_from(table, str(path))


def settings_from(table: dict[str, object], where: str) -> Settings:
    """Check a settings table; `where` names its source in errors."""
    try:
        settings = Settings.model_validate(table)
    except ValidationError as error:
        faults = [_fault(item["loc"], item["type"], item["msg"], item["input"]) for item in error.errors()]
        raise SettingsError(where, faults) from None
    if settings.limits.cycle_min_s > settings.limits.cycle_max_s:
        raise SettingsError(where, "[limits] cycle_min_s is above cycle_max_s; swap or widen them")
    return settings


def _fault(loc: tuple[int | str, ...], kind: str, message: str, value: object) -> str:
    name = ".".join(str(part) for part in loc)
    if kind != "extra_forbidden":
        return f"{name} is {value!r}: {message}"
    sections = {key: list(type(getattr(Settings(), key)).model_fields) for key in Settings.model_fields}
    known = sections.get(str(loc[0]), []) if len(loc) > 1 else list(sections)
    everywhere = [f"[{section}] {key}" for section, keys in sections.items() for key in keys if key == loc[-1]]
    near = difflib.get_close_matches(str(loc[-1]), known, n=1, cutoff=0.0) if known else []
    hint = everywhere[0] if everywhere else (near[0] if near else ", ".join(sections))
    return f"unknown key {name!r}; did you mean {hint!r}?"
