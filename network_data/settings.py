"""The settings of a job (TOML): limits, rules, allowed change, objective, search."""

from __future__ import annotations

import difflib
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, ValidationError

from network_data.counting.options import CountLayout, QualityLimits
from network_data.errors import SettingsError
from network_data.settings_base import Section
from network_data.settings_day import DaySettings
from network_data.settings_signals import SignalSettings

if TYPE_CHECKING:
    from network_data.network import RoadNetwork

Storage = Annotated[float, Field(gt=0, le=1)]
Group = Annotated[tuple[str, ...], Field(strict=False, min_length=2)]


class Limits(Section):
    """Bounds on the seconds of every signal's plan; a cycle, green or red of the field that lies outside may stay."""

    cycle_min_s: float = Field(40, ge=20, le=300)
    cycle_max_s: float = Field(180, ge=20, le=300)
    cycle_s: float | None = Field(None, ge=20, le=300, description="the one cycle of all signals, whatever the field's")
    common_cycle: Annotated[
        tuple[Group, ...], Field(strict=False, description="groups of signals with one cycle, or twice that")
    ] = ()
    min_green_s: float = Field(5, ge=1, le=60, description="or the stated minimum of the field's phase, if longer")
    max_green_s: float | None = Field(None, ge=5, le=300)
    max_red_s: float = Field(150, ge=30, le=300)
    storage: dict[str, Storage] = Field({}, description="link: share of its room that its queue may take")


class Rules(Section):
    """Which rules of the street hold; see the glossary for left_turns and pedestrians."""

    left_turns: Literal["keep", "warrant", "free"] = "warrant"
    pedestrians: Literal["network", "assume"] = "network"
    clearance: Literal["keep", "ite", "korea"] = "keep"
    v_over_c: Literal["keep", "free"] = Field("keep", description="nobody above 1 who was below, or anybody")

    @property
    def warrants_asked(self) -> bool:
        """Whether the settings say `warrant` in so many words, not only by default."""
        return self.left_turns == "warrant" and "left_turns" in self.model_fields_set


class Change(Section):
    """What may differ from the plan in the field."""

    fixed_signals: tuple[str, ...] = Field((), strict=False, description="keep their plan")
    fixed_offsets: tuple[str, ...] = Field((), strict=False, description="keep their offset")
    freeze: tuple[Literal["cycle", "stages", "splits", "offsets"], ...] = Field((), strict=False)
    max_cycle_change_s: float | None = Field(None, ge=0)
    max_green_change_s: float | None = Field(None, ge=0)
    max_offset_change_s: float | None = Field(None, ge=0)


class Objective(Section):
    """What counts, in seconds of delay: vehicle delay, stops, blocked exits, pedestrians, people, fuel; the tail."""

    delay: float = Field(1.0, ge=0)
    stops: float = Field(0.0, ge=0, description="seconds of delay that one stop is worth")
    queue_overflow: float = Field(0.0, ge=0, description="seconds of delay per vehicle-second of blocked exit")
    pedestrian: float = Field(0.0, ge=0, description="seconds of delay per second of mean wait at a crossing")
    bandwidth: float = Field(0.0, ge=0, description="seconds of delay that green bands as wide as the cycle are worth")
    person: float = Field(0.0, ge=0, description="seconds of delay per second of people's mean delay; see [people]")
    fuel: float = Field(0.0, ge=0, description="seconds of delay per millilitre of fuel and vehicle")
    tail_weight: float = Field(0.0, ge=0, le=1, description="part of the worst days' mean in the objective; 0: mean")
    tail_share: float = Field(0.2, gt=0, le=1, description="so large a share of the days are the worst ones")
    drawn_counts: int = Field(0, ge=0, le=50, description="times each day is drawn anew within the counts' ranges")
    held_out: int = Field(3, ge=0, le=20, description="days kept apart to judge plans on, where the tail counts")

    @property
    def robust(self) -> bool:
        """Whether more counts than the mean over the days as they were counted."""
        return self.tail_weight > 0 or self.drawn_counts > 0


class Bandwidth(Section):
    """Streets whose green bands count, by objective.bandwidth or because none may be narrower than `least_s`."""

    arterials: Annotated[
        tuple[Group, ...], Field(strict=False, description="controllers in order; found by their traffic if none")
    ] = ()
    least_s: float = Field(0.0, ge=0, le=200, description="both directions of each, seconds in every cycle")


class People(Section):
    """How many people a vehicle stands for, and who walks: for the delay of persons."""

    car_persons: float = Field(1.5, gt=0, le=9, description="US National Household Travel Survey 2001, table A-15")
    bus_persons: float = Field(30.0, gt=0, le=300, description="an assumption; give the operator's own")
    pedestrians_ph: dict[str, Annotated[float, Field(ge=0)]] = Field({}, description="per crossing, by its id")


class LaneCondition(Section):
    """What the network does not show of a link (or one lane of it), for saturation flows; see sim.saturation."""

    link: str
    lane: int | None = Field(None, ge=0, description="0 is the rightmost; all of the link's lanes where it is left out")
    measured_vph: float | None = Field(None, gt=0)
    start_up_s: float | None = Field(
        None, ge=0, le=20, description="from start of green until the first vehicle of a queue passes"
    )
    grade: float = 0.0
    heavy_share: float = Field(0.0, ge=0, le=1)
    parking_per_h: float | None = Field(None, ge=0)
    buses_per_h: float = Field(0.0, ge=0)
    bus_size: Literal["small", "middle", "large"] = "middle"
    bus_bay: bool = False
    bus_stop_m: float = Field(0.0, ge=0)
    entering_vph: float = Field(0.0, ge=0)
    leaving_vph: float = Field(0.0, ge=0)
    city_centre: bool = False
    walkers_per_h: float = Field(0.0, ge=0)
    cyclists_per_h: float = Field(0.0, ge=0)
    u_turn_share: float = Field(0.0, ge=0, le=1)

    @property
    def asks_for_a_manual(self) -> bool:
        """Whether it holds more than what was measured."""
        return bool(self.model_fields_set - {"link", "lane", "measured_vph", "start_up_s"})


class Saturation(Section):
    """Saturation flows of the simulation: as the network's speeds and the vehicles give them, or by a manual."""

    standard: Literal["network", "hcm", "khcm"] = "network"
    base_vph: float | None = Field(None, gt=0, description="the manual's own by default")
    conditions: tuple[LaneCondition, ...] = Field((), strict=False)

    def start_ups_s(self, network: RoadNetwork) -> dict[tuple[str, int], float]:
        """(link, lane) → time from start of green until the first vehicle of a queue passes, where it is stated. [s]

        What is said of one lane goes before what is said of its link. Names that the network does not have stay in it.
        """
        out: dict[tuple[str, int], float] = {}
        for one in sorted(self.conditions, key=lambda one: one.lane is not None):
            if one.start_up_s is not None:
                n = len(network.links[one.link].lanes) if one.link in network.links else 1
                out |= {(one.link, lane): one.start_up_s for lane in (range(n) if one.lane is None else (one.lane,))}
        return out

    def faults(self) -> list[str]:
        """What contradicts itself."""
        out = []
        if self.standard == "network" and self.base_vph is not None:
            out.append("[saturation] base_vph belongs to a manual; set standard to 'hcm' or 'khcm', or take it out")
        seen = set()
        for n, condition in enumerate(self.conditions):
            where = f"[saturation] conditions {n} (link {condition.link!r})"
            if (condition.link, condition.lane) in seen:
                out.append(f"{where}: is the second one of this link and lane; keep one")
            seen.add((condition.link, condition.lane))
            if self.standard == "network" and condition.asks_for_a_manual:
                out.append(
                    f"{where}: only measured_vph and start_up_s count without a manual; set standard to 'hcm' or 'khcm'"
                )
        return out


class Actuation(Section):
    """Actuated control of plans with rings, in its simulate --controllers actuated and of the field in its optimize."""

    gap_s: float = Field(3.0, ge=0, le=30)
    detector_gap_s: float = Field(2.0, ge=0, le=30, description="travel time from the loops to the stop line")
    stop_line: bool = True
    force_off: Literal["fixed", "floating"] = "fixed"
    coordinated: dict[str, Annotated[tuple[str, ...], Field(strict=False)]] = Field({})
    recall: dict[str, dict[str, Literal["none", "minimum", "maximum"]]] = Field({})


class Today(Section):
    """From when the model of today is wrong: at a detector, and at a signal, whose promises are then unproven."""

    geh: float = Field(5.0, gt=0, le=20, description="of hourly flows; the usual limit of model calibration")
    occupancy_points: float = Field(15.0, gt=0, le=100, description="percentage points of occupancy")
    share: float = Field(0.85, ge=0, le=1, description="least share of a signal's detectors that are met")
    share_of: dict[str, Annotated[float, Field(ge=0, le=1)]] = Field({}, description="another share, by signal")
    loop_m: float = Field(2.0, ge=0, le=50, description="length of the loops along the lane, for occupancy")


class Search(Section):
    """Effort of the search."""

    iterations: int | None = Field(None, ge=0)
    workers: int = Field(2, ge=1, le=64)


class Settings(Section):
    """All settings of a job; the defaults are what `its optimize` uses without a file."""

    limits: Limits = Limits()
    signals: dict[str, SignalSettings] = Field({})
    rules: Rules = Rules()
    change: Change = Change()
    objective: Objective = Objective()
    bandwidth: Bandwidth = Bandwidth()
    people: People = People()
    saturation: Saturation = Saturation()
    actuation: Actuation = Actuation()
    today: Today = Today()
    day: DaySettings = DaySettings()
    search: Search = Search()
    counts: CountLayout = CountLayout()
    quality: QualityLimits = QualityLimits()


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
    contradictions = [*settings.saturation.faults(), *_limit_faults(settings), *settings.counts.faults()]
    contradictions += settings.day.faults()
    if contradictions:
        raise SettingsError(where, contradictions)
    return settings


def _limit_faults(settings: Settings) -> list[str]:
    """Limits that contradict each other."""
    limits, out = settings.limits, []
    if limits.cycle_min_s > limits.cycle_max_s:
        out.append("[limits] cycle_min_s is above cycle_max_s; swap or widen them")
    if limits.max_green_s is not None and limits.max_green_s < limits.min_green_s:
        out.append("[limits] min_green_s is above max_green_s; swap or widen them")
    members = [signal for group in limits.common_cycle for signal in group]
    twice = sorted({signal for signal in members if members.count(signal) > 1})
    if twice:
        out.append(f"[limits] common_cycle names {', '.join(twice)} twice; a signal belongs to one group")
    for signal, own in settings.signals.items():
        out += own.faults(f"[signals.{signal}]")
    return out


def _fault(loc: tuple[int | str, ...], kind: str, message: str, value: object) -> str:
    name = ".".join(str(part) for part in loc)
    if kind != "extra_forbidden":
        return f"{name} is {value!r}: {message}"
    sections = {
        key: list(type(section).model_fields)
        for key in Settings.model_fields
        if isinstance(section := getattr(Settings(), key), Section)
    }
    sections["saturation.conditions"] = list(LaneCondition.model_fields)
    sections["signals.ID"] = list(SignalSettings.model_fields)
    section = ".".join(str(part) for part in loc[:-1] if not isinstance(part, int))
    section = "signals.ID" if loc[0] == "signals" and len(loc) == 3 else section
    known = sections.get(section, []) if len(loc) > 1 else list(Settings.model_fields)
    everywhere = [f"[{section}] {key}" for section, keys in sections.items() for key in keys if key == loc[-1]]
    near = difflib.get_close_matches(str(loc[-1]), known, n=1, cutoff=0.0) if known else []
    hint = everywhere[0] if everywhere else (near[0] if near else ", ".join(Settings.model_fields))
    return f"unknown key {name!r}; did you mean {hint!r}?"
