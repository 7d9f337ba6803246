"""Drops into a folder: signed, a slot that is not in force, a pointer that changes in one step."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import re
import time
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from benchmarks._push_street import plan_of
from its.push import filedrop
from its.push.filedrop import manifest_bytes
from its.push.journal import open_journals
from its.push.rollout import Push, Result, chosen_corridors, new_push_id, recover, roll_out
from its.push.targets import Targets
from its.store.times import utc_now
from network_data.plans import TimingPlan

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


@pytest.fixture
def drop(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two controllers' folders, as their owner set them up, and the key that signs."""
    monkeypatch.setenv("ITS_SECRET_SIGNER_KEY", base64.b64encode(bytes(range(32))).decode())
    for name in ("J1", "J2"):
        (folder / "drop" / name).mkdir(parents=True)
        (folder / "drop" / name / "controller.id").write_text(f"{name}\n", encoding="utf-8")
    return folder / "drop"


def push(drop: Path, variant: int, **profile: object) -> list[Result]:
    """Push a variant to both."""
    plan = TimingPlan(controllers={name: plan_of(name, variant) for name in ("J1", "J2")})
    return roll_out(*planned(drop, plan, **profile))


def planned(drop: Path, plan: TimingPlan, **profile: object) -> tuple[Push, list]:
    """A push and its corridors."""
    targets = Targets.model_validate(
        {
            "profile": {"default": {"driver": "file", "settle_s": 0.0, **profile}},
            "controller": tuple({"id": n, "address": str(drop), "secret": "signer"} for n in ("J1", "J2")),
            "corridor": ({"name": "both", "controllers": ("J1", "J2")},),
        }
    )
    made = Push(push_id=new_push_id("f", utc_now()), plan_id="0" * 64, plan=plan, targets=targets, folder=drop / "j")
    return made, chosen_corridors(targets, plan)


def contents(drop: Path) -> dict[Path, bytes]:
    """All files of both controllers."""
    return {p: p.read_bytes() for name in ("J1", "J2") for p in (drop / name).rglob("*") if p.is_file()}


def text(path: Path) -> str:
    """Content of a file."""
    return path.read_text(encoding="utf-8")


def test_a_drop_is_signed_and_complete(drop: Path) -> None:
    """JSON, CSV and UTDF of the same plan; the signature covers each byte, and the number grows."""
    assert {r.state for r in push(drop, 1)} == {"new"}
    slot = drop / "J1" / text(drop / "J1" / "active")
    manifest = json.loads(text(slot / "signature.json"))
    signature = base64.b64decode(manifest["signature"])
    KEY.public_key().verify(signature, manifest_bytes(manifest))
    with pytest.raises(InvalidSignature):
        KEY.public_key().verify(signature, manifest_bytes({**manifest, "number": 2}))
    assert set(manifest["files"]) == {"plan.json", "plan.csv", "plan.utdf.csv"}
    for name, digest in manifest["files"].items():
        assert hashlib.sha256((slot / name).read_bytes()).hexdigest() == digest
    assert manifest["number"] == 1
    content, plan = json.loads(text(slot / "plan.json")), plan_of("J1", 1)
    assert (content["cycle_s"], content["offset_s"]) == (plan.cycle_s, plan.offset_s)
    rows = list(csv.DictReader(io.StringIO(text(slot / "plan.csv"))))
    assert [float(row["duration_s"]) for row in rows] == [i.duration_s for i in plan.intervals]
    utdf = dict(line.split(",", 2)[::2] for line in text(slot / "plan.utdf.csv").splitlines() if line.count(",") > 1)
    assert utdf["Cycle Length"] == "96.0"
    assert utdf["Offset"] == "11.0"
    assert utdf["MaxGreen"] == "36,17,28,,,,,"
    assert utdf["Yellow"] == "3,3,3,,,,,"
    assert utdf["BRP"] == "111,112,113,,,,,"


def test_slots_take_turns(drop: Path) -> None:
    """The second drop fills the other slot; the first one stays whole beside it."""
    push(drop, 1)
    first = text(drop / "J1" / "active")
    old = text(drop / "J1" / first / "plan.json")
    push(drop, 2)
    second = text(drop / "J1" / "active")
    assert {first, second} == {"a", "b"}
    assert text(drop / "J1" / first / "plan.json") == old
    assert json.loads(text(drop / "J1" / second / "signature.json"))["number"] == 2


def test_the_wrong_folder_is_refused_and_nothing_moves(drop: Path) -> None:
    """A corridor of which one folder is another controller's: no file is written in either."""
    (drop / "J2" / "controller.id").write_text("J7", encoding="utf-8")
    results = push(drop, 1)
    assert {r.state for r in results} == {"old"}
    assert "is that of 'J7'" in results[1].reasons[0]
    assert sorted(p.name for p in (drop / "J1").iterdir()) == ["controller.id"]


def test_what_nobody_takes_goes_back(drop: Path) -> None:
    """With `watch_s` the other side has to say that it took the drop; silence takes all back."""
    push(drop, 1)
    before = contents(drop)
    results = push(drop, 2, watch_s=0.1)
    assert {r.state for r in results} == {"old"}
    assert any("was not taken" in text for r in results for text in r.reasons)
    assert contents(drop) == before


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda p: replace(p, offset_s=200.0), "offset 200 s is not from 0"),
        (lambda p: replace(p, intervals=p.intervals[:-1]), "has 8 letters|clearance|yellow|between the greens"),
        (
            lambda p: replace(p, intervals=(p.intervals[0]._replace(state="GGr"), *p.intervals[1:])),
            "links 0 and 1 would be green together",
        ),
        (
            lambda p: replace(p, intervals=(p.intervals[0], p.intervals[1]._replace(duration_s=2.0), *p.intervals[2:])),
            "has 2 s of yellow, needs 3 s",
        ),
        (
            lambda p: replace(
                p, intervals=(*p.intervals[:2], p.intervals[2]._replace(duration_s=1.0), *p.intervals[3:])
            ),
            "4 s between the greens of links 0 and 1, now it is 5 s",
        ),
    ],
)
def test_the_gate_stands_before_files_too(drop: Path, change: object, says: str) -> None:
    """Against the table in force: offsets, yellows, clearances, greens together."""
    push(drop, 1)
    plan = TimingPlan(controllers={"J1": plan_of("J1", 1), "J2": change(plan_of("J2", 1))})
    results = roll_out(*planned(drop, plan))
    assert {r.state for r in results} == {"old"}
    assert any("last gate" in text for r in results for text in r.reasons)
    assert any(re.search(says, text) for r in results for text in r.reasons), results


def test_a_killed_drop_is_brought_to_an_end(drop: Path) -> None:
    """Killed between the two pointers: the rerun takes the first one back."""
    push(drop, 1)
    plan = TimingPlan(controllers={name: plan_of(name, 2) for name in ("J1", "J2")})
    made, corridors = planned(drop, plan)

    class Killed(BaseException):
        pass

    original = filedrop.FileDropDriver.switch

    async def killed(self: filedrop.FileDropDriver, change: object) -> None:
        if self.controller_id == "J2":
            raise Killed
        await original(self, change)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(filedrop.FileDropDriver, "switch", killed)
        with pytest.raises(Killed):
            roll_out(made, corridors)
    assert len({text(drop / n / "active") for n in ("J1", "J2")}) == 2
    assert len(open_journals(made.folder)) == 1
    assert {r.state for r in recover(made.targets, made.folder, made)} == {"old"}
    assert {text(drop / n / "active") for n in ("J1", "J2")} == {"a"}
    assert open_journals(made.folder) == []


def test_so_many_controllers_a_minute(drop: Path) -> None:
    """Two corridors at 90 controllers a minute: the second waits two thirds of a second."""
    plan = TimingPlan(controllers={name: plan_of(name, 1) for name in ("J1", "J2")})
    made, _ = planned(drop, plan)
    order = {"canary": 1, "controllers_per_min": 90.0}
    alone = Targets.model_validate({**made.targets.model_dump(exclude={"corridor"}), "order": order})
    begin_s = time.monotonic()
    assert {r.state for r in roll_out(replace(made, targets=alone), chosen_corridors(alone, plan))} == {"new"}
    assert time.monotonic() - begin_s > 0.6
