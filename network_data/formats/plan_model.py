"""The shape of `plan.json`, version 1: strict models, and the JSON schema made from them."""

from __future__ import annotations

import json
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

FORMAT = "its-plan"
VERSION = 1
SHA256 = r"^[0-9a-f]{64}$"

Seconds = Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]
Name = Annotated[str, Field(min_length=1, max_length=1000)]
WindowKind = Literal["protected", "permitted", "walk", "clearance"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class PhaseModel(_Part):
    """A phase; `permitted` movements yield. [s]"""

    name: Name
    movements: list[Name]
    permitted: list[Name]
    crossings: list[Name]
    green_s: Seconds
    yellow_s: Seconds
    red_clearance_s: Seconds
    min_green_s: Seconds
    max_green_s: Seconds


class GroupModel(_Part):
    """Rings that run side by side between two barriers."""

    rings: list[list[PhaseModel]]


class IntervalModel(_Part):
    """One row of the interval table: letters by link index."""

    duration_s: Positive
    state: Annotated[str, Field(min_length=1, max_length=1000, pattern=r"^[GgyYrRusoO]+$")]


class WindowModel(_Part):
    """A green of a movement or crossing in cycle time; `end_s` may exceed the cycle."""

    movement: Name
    link_indices: list[Annotated[int, Field(ge=0)]]
    start_s: Seconds
    end_s: Seconds
    kind: WindowKind


class ControllerModel(_Part):
    """The timing of one controller; `offset_s` is the second after local midnight at which interval 0 begins."""

    id: Name
    cycle_s: Positive
    offset_s: Seconds
    barrier_groups: list[GroupModel]
    intervals: Annotated[list[IntervalModel], Field(min_length=1)]
    green_windows: list[WindowModel]


class PeriodModel(_Part):
    """Local clock seconds after midnight planned for, and the days. [s]"""

    begin_s: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    end_s: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    days: str = ""


class CheckModel(_Part):
    """One rule: whether it is met, and its warnings in words."""

    rule: Name
    passed: bool
    warnings: list[str] = []


class BoundModel(BaseModel):
    """A bound with the model it belongs to and what was held fixed."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)
    __pydantic_extra__: dict[str, JsonValue]

    model: Name


class WarrantModel(_Part):
    """A turn that lost its protected green, with the numbers that allow it."""

    controller: Name
    link_index: Annotated[int, Field(ge=0)]
    product: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    text: str


class PlanDocument(_Part):
    """A plan with what it was made from and what it passed."""

    format: Literal["its-plan"]
    version: Literal[1]
    network_hash: Annotated[str, Field(pattern=SHA256)]
    inputs: dict[str, Annotated[str, Field(pattern=SHA256)]]
    engine: dict[str, JsonValue]
    seed: int
    period: PeriodModel
    objective: dict[str, JsonValue]
    bounds: list[BoundModel]
    checks: list[CheckModel]
    warrants: list[WarrantModel]
    controllers: list[ControllerModel]


def json_schema() -> str:
    """The JSON schema of the document, as text."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **PlanDocument.model_json_schema()}
    return json.dumps(schema, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
