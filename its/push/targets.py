"""The targets file: which controllers there are, how to reach them, what they must be, who changes when."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from network_data.errors import SettingsError
from network_data.formats.files import read_bytes

Name = Annotated[str, Field(min_length=1, max_length=1000)]
SecretName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
Number = Annotated[int, Field(ge=1, le=253)]
PhaseNumber = Annotated[int, Field(ge=1, le=255)]
Seconds = Annotated[float, Field(ge=0, le=3600, allow_inf_nan=False)]
OidText = Annotated[str, Field(pattern=r"^\d+(\.\d+)+$")]
MAX_BYTES = 16 << 20


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Approval(_Part):
    """How many named persons must have approved a plan; 0 where the project does without."""

    persons: Annotated[int, Field(ge=0, le=10)] = 1


class Order(_Part):
    """Who goes first, how many at once, how fast.

    `canary` corridors go first and alone, then waves of `wave` corridors; `min_change_s` lies between two pattern
    changes of a controller; each of `processes` talks to `concurrency` controllers at once. [s]
    """

    canary: Annotated[int, Field(ge=0, le=100)] = 1
    wave: Annotated[int, Field(ge=1, le=1000)] = 8
    concurrency: Annotated[int, Field(ge=1, le=64)] = 12
    processes: Annotated[int, Field(ge=1, le=64)] = 1
    requests_per_s: Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)] = 20.0
    controllers_per_min: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 600.0
    min_change_s: Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)] = 900.0


class Profile(_Part):
    """How controllers of one make are spoken to.

    `transaction` is False for devices without a database transaction; `verify_status` are their numbers for not done,
    done with error, done without; `command` is what puts a pattern in use: the system's pattern command, or actions of
    the day; `offset_at` is what the device's offset means; `split_mode` 0 keeps what the running split has.
    """

    driver: Literal["ntcip", "file", "sumo", "korea"] = "ntcip"
    version: Literal["3", "2c", "1"] = "3"
    insecure: bool = False
    auth: Literal["SHA-1", "SHA-256", "SHA-384", "SHA-512"] = "SHA-256"
    priv: Literal["AES-128", "AES-192", "AES-256"] = "AES-128"
    transaction: bool = True
    verify_status: tuple[int, int, int] = (1, 2, 3)
    verify_s: Seconds = 30.0
    patience_s: Seconds = 10.0
    command: Literal["system", "action"] = "system"
    offset_at: Literal["first-green", "coordinated-green", "coordinated-yellow"] = "coordinated-green"
    split_mode: Literal[0, 2, 3, 4, 5, 6] = 0
    cycle_s: tuple[int, int] = (30, 255)
    status: bool = True
    watch_s: Seconds | None = None
    clock_s: Annotated[float, Field(ge=0, le=86_400)] | None = 5.0
    pdu_bytes: Annotated[int, Field(ge=200, le=65_000)] = 484
    timeout_s: Annotated[float, Field(ge=0.1, le=60, allow_inf_nan=False)] = 2.0
    attempts: Annotated[int, Field(ge=1, le=50)] = 6
    settle_s: Seconds = 3.0
    formats: tuple[Literal["json", "csv", "utdf"], ...] = ("json", "csv", "utdf")

    @model_validator(mode="after")
    def _safe(self) -> Self:
        if self.driver == "ntcip" and self.version != "3" and not self.insecure:
            raise ValueError(
                f"SNMP version {self.version} is neither encrypted nor signed; say insecure = true, or use 3"
            )
        if not 1 <= self.cycle_s[0] <= self.cycle_s[1] <= 255:
            raise ValueError("cycle_s needs two whole seconds in order, up to 255")
        return self


class Target(_Part):
    """A controller: its id in the plan, where it is, what it must be, and what of it may be written.

    `identity` maps objects to what they must read (text, number, or `0x…` for octets); `patterns` and `splits` are the
    rows set aside for us, used in turn; `phases` maps phase names of the plan to the controller's numbers.
    """

    id: Name
    profile: Name = "default"
    address: Name
    user: str = ""
    secret: SecretName | Literal[""] = ""
    identity: dict[OidText, str | int] = {}
    patterns: tuple[Number, ...] = ()
    splits: tuple[Number, ...] = ()
    sequence: PhaseNumber = 1
    actions: tuple[PhaseNumber, ...] = ()
    phases: dict[str, PhaseNumber] = {}
    coordinated: tuple[PhaseNumber, ...] = ()
    name_there: str = ""

    @property
    def there(self) -> str:
        """What the other side calls it."""
        return self.name_there or self.id


class Corridor(_Part):
    """Controllers that change together or not at all."""

    name: Name
    controllers: Annotated[tuple[Name, ...], Field(min_length=1)]


class Targets(_Part):
    """A whole targets file."""

    approval: Approval = Approval()
    order: Order = Order()
    profile: dict[Name, Profile] = {}
    controller: Annotated[tuple[Target, ...], Field(min_length=1)]
    corridor: tuple[Corridor, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        faults = [*_repeated("controller", [x.id for x in self.controller])]
        faults += _repeated("corridor", [x.name for x in self.corridor])
        faults += _repeated("controller in corridors", [c for x in self.corridor for c in x.controllers])
        known = {x.id for x in self.controller}
        faults += [
            f"corridor {x.name!r} names controller {c!r}, which is not listed"
            for x in self.corridor
            for c in x.controllers
            if c not in known
        ]
        for target in self.controller:
            faults += [f"controller {target.id!r}: {text}" for text in self._target_faults(target)]
        if faults:
            raise ValueError("; ".join(faults))
        return self

    def _target_faults(self, target: Target) -> list[str]:
        if target.profile != "default" and target.profile not in self.profile:
            return [f"profile {target.profile!r} is not in the file"]
        profile = self.profile_of(target)
        if profile.driver != "ntcip":
            return ["needs the secret that signs"] if profile.driver == "file" and not target.secret else []
        faults = (
            []
            if ":" in target.address and target.address.rpartition(":")[2].isdecimal()
            else ["address is no HOST:PORT"]
        )
        if not target.identity:
            faults.append("needs an identity: objects that prove it is the right intersection")
        if len(target.patterns) < 2 or len(target.patterns) != len(target.splits):
            faults.append("needs two or more patterns of its own, and as many splits")
        for what, rows in (("pattern", target.patterns), ("split", target.splits)):
            faults += _repeated(what, list(map(str, rows)))
        if not target.coordinated:
            faults.append("needs its coordinated phases")
        if not target.secret or (profile.version == "3" and not target.user):
            faults.append("needs the names of its secret and, for SNMPv3, its user")
        if profile.command == "action" and not target.actions:
            faults.append("needs the actions of the day that shall run the pattern")
        return faults

    def profile_of(self, target: Target) -> Profile:
        """The profile of a controller; the built-in defaults where `default` is not written out."""
        return self.profile.get(target.profile, Profile())

    def target(self, controller_id: str) -> Target | None:
        """A controller by its id in the plan."""
        return next((x for x in self.controller if x.id == controller_id), None)

    def corridors(self) -> tuple[Corridor, ...]:
        """The corridors in order; a controller that is in none is one by itself."""
        named = {c for x in self.corridor for c in x.controllers}
        alone = (Corridor(name=x.id, controllers=(x.id,)) for x in self.controller if x.id not in named)
        return (*self.corridor, *alone)


def load_targets(path: Path) -> Targets:
    """Read a targets file.

    Raises
    ------
    SettingsError
        With every fault found.
    """
    try:
        content = tomllib.loads(read_bytes(path, MAX_BYTES).decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(str(path), f"is not TOML: {error}; see docs/push.md") from None
    try:
        return Targets.model_validate(_lists_as_tuples(content))
    except ValidationError as error:
        faults = [
            f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg'].removeprefix('Value error, ')}"
            for e in error.errors()
        ]
        raise SettingsError(str(path), faults) from None


def _lists_as_tuples(value: object) -> object:
    if isinstance(value, dict):
        return {key: _lists_as_tuples(item) for key, item in value.items()}
    return tuple(_lists_as_tuples(item) for item in value) if isinstance(value, list) else value


def _repeated(what: str, names: list[str]) -> list[str]:
    return [f"{what} {x!r} occurs {names.count(x)} times" for x in dict.fromkeys(names) if names.count(x) > 1]
