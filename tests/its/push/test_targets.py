"""The targets file: every fault at once, and the order in which corridors change."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from benchmarks._push_street import plan_of
from its.push.rollout import chosen_corridors, too_soon, waves
from its.push.targets import Targets, load_targets
from network_data.errors import InputError, SettingsError
from network_data.plans import TimingPlan

GOOD = """
[approval]
persons = 2

[profile.default]
settle_s = 1.0

[profile.old]
version = "2c"
insecure = true

[[controller]]
id = "J1"
address = "192.0.2.1:161"
user = "its"
secret = "north"
identity = { "1.3.6.1.2.1.1.5.0" = "J1" }
patterns = [11, 12]
splits = [11, 12]
coordinated = [2]
"""


def content(n: int, **more: Any) -> dict[str, Any]:
    """Targets of n controllers."""
    entries = tuple(
        {
            "id": f"J{k}", "address": f"192.0.2.{k}:161", "user": "its", "secret": "north",
            "identity": {"1.3.6.1.2.1.1.5.0": f"J{k}"}, "patterns": (11, 12), "splits": (11, 12), "coordinated": (2,),
        }
        for k in range(1, n + 1)
    )  # fmt: skip
    return {"controller": entries, **more}


def plans(n: int) -> TimingPlan:
    """A plan for n controllers."""
    return TimingPlan(controllers={f"J{k}": plan_of(f"J{k}", 1) for k in range(1, n + 1)})


def test_a_file_is_read(folder: Path) -> None:
    """Safe by default: SNMPv3 with both keys, a transaction, one approval unless the file says otherwise."""
    path = folder / "t.toml"
    path.write_text(GOOD, encoding="utf-8")
    targets = load_targets(path)
    assert targets.approval.persons == 2
    profile = targets.profile_of(targets.controller[0])
    assert (profile.version, profile.transaction, profile.settle_s, profile.insecure) == ("3", True, 1.0, False)
    assert Targets.model_validate(content(1)).approval.persons == 1


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (('version = "2c"\ninsecure = true', 'version = "2c"'), "neither encrypted nor signed; say insecure = true"),
        (('version = "2c"\ninsecure = true', 'version = "1"'), "neither encrypted nor signed"),
        (("settle_s = 1.0", "setle_s = 1.0"), "profile.default.setle_s"),
        (('identity = { "1.3.6.1.2.1.1.5.0" = "J1" }', ""), "needs an identity"),
        (("patterns = [11, 12]", "patterns = [11]"), "two or more patterns"),
        (("splits = [11, 12]", "splits = [11, 11]"), "split '11' occurs 2 times"),
        (("coordinated = [2]", ""), "needs its coordinated phases"),
        (('user = "its"', ""), "its user"),
        (('secret = "north"', 'secret = "My Secret!"'), "secret"),
        (("192.0.2.1:161", "192.0.2.1"), "is no HOST:PORT"),
        (('id = "J1"', 'id = "J1"\nprofile = "new"'), "profile 'new' is not in the file"),
        (("persons = 2", "persons = -1"), "approval.persons"),
        (("[approval]", "[approval"), "is not TOML"),
        (
            ("coordinated = [2]", 'coordinated = [2]\n[[corridor]]\nname = "a"\ncontrollers = ["J1", "J9"]'),
            "'J9', which is",
        ),
    ],
)
def test_faults_are_named(folder: Path, change: tuple[str, str], says: str) -> None:
    """Each with its place."""
    path = folder / "t.toml"
    path.write_text(GOOD.replace(*change), encoding="utf-8")
    with pytest.raises(SettingsError, match=says.replace("[", r"\[")):
        load_targets(path)


def test_canaries_go_alone_then_waves() -> None:
    """Ten corridors, two canaries, waves of three."""
    targets = Targets.model_validate(content(10, order={"canary": 2, "wave": 3}))
    sizes = [len(wave) for wave in waves(chosen_corridors(targets, plans(10)), targets)]
    assert sizes == [1, 1, 3, 3, 2]


def test_a_corridor_goes_whole_or_not_at_all() -> None:
    """A plan that lacks one of its controllers, a controller without a target, and unknown names are refused."""
    targets = Targets.model_validate(content(3, corridor=({"name": "main", "controllers": ("J1", "J2")},)))
    assert [c.name for c in chosen_corridors(targets, plans(3))] == ["main", "J3"]
    assert [c.name for c in chosen_corridors(targets, plans(3), ["J3"])] == ["J3"]
    with pytest.raises(InputError, match="'main': the plan does not name J2"):
        chosen_corridors(targets, TimingPlan(controllers={"J1": plan_of("J1", 1)}))
    with pytest.raises(InputError, match="controller 'J4' of the plan has no target"):
        chosen_corridors(targets, plans(4))
    with pytest.raises(InputError, match="no corridor 'west'"):
        chosen_corridors(targets, plans(3), ["west"])


@pytest.mark.parametrize("night", [datetime(2026, 3, 29, 0, 50, tzinfo=UTC), datetime(2026, 10, 25, 0, 50, tzinfo=UTC)])
def test_a_quarter_of_an_hour_between_changes(night: datetime) -> None:
    """Counted in UTC: the nights on which clocks change make no difference."""
    targets = Targets.model_validate(content(2))
    corridors = chosen_corridors(targets, plans(2))
    last = {"J1": night}
    assert too_soon(corridors, targets, last, night + timedelta(minutes=14, seconds=59)) != []
    assert too_soon(corridors, targets, last, night + timedelta(minutes=15)) == []
    assert "J1" in too_soon(corridors, targets, last, night + timedelta(minutes=1))[0]


def test_offsets_of_profiles() -> None:
    """A profile may be replaced as a whole."""
    targets = Targets.model_validate(content(1, profile={"default": {"offset_at": "first-green"}}))
    assert targets.profile_of(targets.controller[0]).offset_at == "first-green"
    assert replace(plan_of("J1", 1)).controller_id == "J1"
