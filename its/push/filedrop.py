"""The file driver, for systems without an interface: signed files per controller in a folder that the system fetches.

A controller's folder holds `controller.id` (put there by the other side: the proof that it is the right folder), two
slots `a` and `b`, and `active`, which names the slot in force. A slot is filled while it is not in force; `active` is
replaced in one step. `signature.json` in the slot carries the SHA-256 of each file and an Ed25519 signature over them;
its `number` grows with each drop, so that an old drop cannot be passed off as a new one.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from its.push.driver import Change, ChangedElsewhereError, RefusedError, Values
from its.push.gate_table import Table, TableSending, table_faults
from its.push.secrets import Secret, need_secret
from its.push.targets import Profile, Target
from its.push.utdf import utdf_text
from network_data.errors import InputError
from network_data.formats.files import write_aside
from network_data.plans import ControllerPlan

SLOTS = ("a", "b")
POLL_S = 0.5
FORMAT = "its-drop"


class FileDropDriver:
    """One controller's folder."""

    kind = "file"
    insecure = ""

    def __init__(self, target: Target, profile: Profile) -> None:
        self.controller_id = target.id
        self._target, self._profile = target, profile
        self._folder = Path(target.address, target.there)

    async def prepare(self, plan: ControllerPlan) -> Change:
        """See `Driver`."""
        names = self._text("controller.id").strip()
        if names != self._target.there:
            what = f"is that of {names!r}" if names else "has no controller.id, which its owner puts there"
            raise RefusedError(f"controller {self.controller_id!r}: folder {self._folder} {what}")
        active = self._text("active")
        slot = SLOTS[1] if active == SLOTS[0] else SLOTS[0]
        sending = TableSending(
            table=_table(plan), in_force=self._in_force(active), cycle_bounds_s=self._profile.cycle_s
        )
        faults = table_faults(sending)
        if faults:
            raise RefusedError(f"controller {self.controller_id!r}, last gate: {'; '.join(faults)}")
        number = self._number(active) + 1
        contents = drop_contents(plan, self._target, self._profile)
        key = need_secret(self._target.secret, "key")
        contents["signature.json"] = signed(self._target.there, number, contents, key)
        row: Values = {f"{slot}/{name}": text for name, text in contents.items()}
        return Change(
            controller_id=self.controller_id,
            place={"slot": slot},
            row=row,
            switch={"active": slot},
            old_row={name: self._text(name) for name in row},
            old_switch={"active": active},
            notes=() if self._profile.watch_s else ("delivered to a folder; the controller itself is not heard",),
        )

    async def read(self, names: Iterable[str]) -> Values:
        """See `Driver`."""
        return {name: self._text(name) for name in names}

    async def write_row(self, change: Change) -> None:
        """See `Driver`."""
        if self._text("active") == change.place["slot"]:
            raise RefusedError(f"controller {self.controller_id!r}: the slot is in force")
        self._write(change.row)

    async def switch(self, change: Change) -> None:
        """See `Driver`."""
        if await self.read(change.switch) != change.old_switch:
            raise RefusedError(f"controller {self.controller_id!r}: somebody else switched the slot in between")
        if await self.read(change.row) != change.row:
            raise RefusedError(f"controller {self.controller_id!r}: the slot does not read as it was written")
        self._write(change.switch)

    async def watch(self, change: Change) -> list[str]:
        """See `Driver`; where `watch_s` is given, the other side must put the number of the drop into `taken`."""
        if not self._profile.watch_s:
            return []
        number = str(json.loads(str(change.row[f"{change.place['slot']}/signature.json"]))["number"])
        begin_s = time.monotonic()
        while self._text("taken").strip() != number:
            if time.monotonic() - begin_s >= self._profile.watch_s:
                return [f"drop {number} was not taken within {self._profile.watch_s:g} s"]
            await asyncio.sleep(POLL_S)
        return []

    async def switch_back(self, change: Change) -> None:
        """See `Driver`."""
        now = self._text("active")
        if now not in (change.switch["active"], change.old_switch["active"]):
            raise ChangedElsewhereError(f"controller {self.controller_id!r}: somebody else switched the slot")
        if now != change.old_switch["active"]:
            self._write(change.old_switch)

    async def restore_row(self, change: Change) -> None:
        """See `Driver`."""
        if await self.read(change.old_switch) != change.old_switch:
            raise ChangedElsewhereError(f"controller {self.controller_id!r}: somebody else switched the slot")
        self._write(change.old_row)

    async def clear(self, change: Change) -> str:  # noqa: ARG002
        """See `Driver`; folders have no transaction."""
        return ""

    async def close(self) -> None:
        """See `Driver`."""

    def _text(self, name: str) -> str:
        """A file's text; nothing where it is not there."""
        path = self._folder / name
        try:
            return path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return ""
        except (OSError, UnicodeDecodeError) as error:
            raise RefusedError(f"{path}: cannot be read ({error})") from None

    def _write(self, values: Values) -> None:
        """Files whole or not at all; no text means no file."""
        try:
            for name, text in values.items():
                path = self._folder / name
                if text == "":
                    path.unlink(missing_ok=True)
                else:
                    path.parent.mkdir(parents=True, exist_ok=True)
                    write_aside(path, str(text))
        except OSError as error:
            raise RefusedError(f"{self._folder}: cannot be written ({error.strerror})") from None

    def _in_force(self, active: str) -> Table | None:
        content = self._json(f"{active}/plan.json") if active in SLOTS else {}
        if not content:
            return None
        rows = [(row["duration_s"], row["state"]) for row in content["intervals"]]
        return Table(cycle_s=content["cycle_s"], offset_s=content["offset_s"], rows=rows)

    def _number(self, active: str) -> int:
        content = self._json(f"{active}/signature.json") if active in SLOTS else {}
        return int(content.get("number", 0))

    def _json(self, name: str) -> dict[str, Any]:
        text = self._text(name)
        try:
            content: dict[str, Any] = json.loads(text) if text else {}
        except ValueError:
            raise RefusedError(f"{self._folder / name}: is not JSON; somebody changed it") from None
        return content


def drop_contents(plan: ControllerPlan, target: Target, profile: Profile) -> dict[str, str]:
    """The files of a controller: name → text, in the profile's formats; JSON always, as later drops build on it."""
    out = {"plan.json": _json_text(plan, target)}
    if "csv" in profile.formats:
        out["plan.csv"] = _csv_text(plan)
    if "utdf" in profile.formats and plan.barrier_groups:
        out["plan.utdf.csv"] = utdf_text(plan, target, profile)
    return out


def signed(controller: str, number: int, contents: dict[str, str], key: Secret) -> str:
    """`signature.json`: what is signed, and the signature.

    Raises
    ------
    InputError
        The secret is no Ed25519 private key (32 octets, base64).
    """
    files = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in sorted(contents.items())}
    manifest = {"format": FORMAT, "controller": controller, "number": number, "files": files}
    signer: Ed25519PrivateKey | None = None
    try:
        signer = Ed25519PrivateKey.from_private_bytes(base64.b64decode(key.reveal(), validate=True))
    except ValueError:
        signer = None  # told below: frames of the error know the key
    if signer is None:
        raise InputError("secret that signs", "is no Ed25519 private key; give its 32 octets in base64")
    signature = signer.sign(manifest_bytes(manifest))
    return json.dumps({**manifest, "signature": base64.b64encode(signature).decode()}, indent=1, sort_keys=True) + "\n"


def manifest_bytes(manifest: dict[str, Any]) -> bytes:
    """What is signed: the manifest without its signature, keys sorted, no spaces."""
    content = {name: value for name, value in manifest.items() if name != "signature"}
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()


def _table(plan: ControllerPlan) -> Table:
    rows = [(interval.duration_s, interval.state) for interval in plan.intervals]
    return Table(cycle_s=plan.cycle_s, offset_s=plan.offset_s, rows=rows)


def _json_text(plan: ControllerPlan, target: Target) -> str:
    content = {
        "format": "its-controller-plan",
        "controller": target.there,
        "program": plan.program_id,
        "cycle_s": plan.cycle_s,
        "offset_s": plan.offset_s,
        "intervals": [{"duration_s": i.duration_s, "state": i.state} for i in plan.intervals],
        "barrier_groups": [
            {
                "rings": [
                    [
                        {
                            "name": p.name,
                            "split_s": p.split_s,
                            "green_s": p.green_s,
                            "yellow_s": p.yellow_s,
                            "red_clearance_s": p.red_clearance_s,
                        }
                        for p in ring
                    ]
                    for ring in group.rings
                ]
            }
            for group in plan.barrier_groups
        ],
    }
    return json.dumps(content, indent=1, sort_keys=True) + "\n"


def _csv_text(plan: ControllerPlan) -> str:
    """One row per interval, times of the cycle in front."""
    lines = ["interval,begin_s,duration_s,state,cycle_s,offset_s"]
    begin_s = 0.0
    for n, interval in enumerate(plan.intervals):
        lines.append(f"{n},{begin_s:g},{interval.duration_s:g},{interval.state},{plan.cycle_s:g},{plan.offset_s:g}")
        begin_s += interval.duration_s
    return "\n".join(lines) + "\n"
