"""Real SNMP agents for tests and benchmarks of the push: Debian's snmpd, plain or with a controller of our reading."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks._push_wire import GET, ask
from its.push import objects as o
from its.push.secrets import environment_name
from network_data.plans import ControllerPlan

SNMPD = shutil.which("snmpd") or ("/usr/sbin/snmpd" if Path("/usr/sbin/snmpd").exists() else None)
SYS_NAME = "1.3.6.1.2.1.1.5.0"
USER, SECRET = "pusher", "field"
AUTH_KEY, PRIV_KEY = "authpass-1234", "privpass-1234"
SECRETS = {
    environment_name(SECRET, "auth"): AUTH_KEY,
    environment_name(SECRET, "priv"): PRIV_KEY,
    environment_name(SECRET, "community"): "test-rw",
    environment_name("viewer", "auth"): "authpass-5678",
    environment_name("viewer", "priv"): "privpass-5678",
    environment_name("wrong", "auth"): "authpass-0000",
    environment_name("wrong", "priv"): "privpass-0000",
    environment_name("half", "auth"): AUTH_KEY,
    environment_name("half", "priv"): "privpass-0000",
}
"""What the environment must hold for the agents to be spoken to."""
N_PATTERNS, N_SPLITS = 4, 4
OLD_PATTERN, NEW_PATTERN = 1, 2
CONTROLLER = Path(__file__).with_name("_push_controller.py")
PUBLIC = (
    "rocommunity test-ro\nrwcommunity test-rw\n"
    f"createUser {USER} SHA-256 {AUTH_KEY} AES {PRIV_KEY}\nrwuser {USER} authPriv .1.3.6.1\n"
    "createUser viewer SHA-256 authpass-5678 AES privpass-5678\nrouser viewer authPriv .1.3.6.1\n"
)


def cells_of(plan: ControllerPlan, *, minimum: bool = True) -> dict[str, int | str]:
    """The objects of a controller that runs a plan of one ring as its pattern 1; octets as `octets:HEX`.

    Parameters
    ----------
    plan : ControllerPlan
        The plan in the field; its phases are numbered from 1.
    minimum : bool
        Take the plan's least greens; else none.
    """
    phases = [phase for group in plan.barrier_groups for ring in group.rings for phase in ring]
    n = max(8, len(phases))
    out: dict[str, int | str] = {
        o.MAX_PHASES: n, o.OPERATIONAL_MODE: 0, o.MAX_PATTERNS: N_PATTERNS, o.PATTERN_TABLE_TYPE: 2,
        o.MAX_SPLITS: N_SPLITS, o.PATTERN_STATUS: OLD_PATTERN, o.FREE_STATUS: 2, o.SYSTEM_PATTERN: 0,
        o.PATTERN_SYNC: 0, o.MAX_ACTIONS: 2, f"{o.ACTION_PATTERN}.1": OLD_PATTERN, f"{o.ACTION_PATTERN}.2": 0,
        o.ACTION_STATUS: 1, o.BACKUP_TIME: 0, o.FLASH_STATUS: 2, o.ALARMS: 128, o.MAX_RINGS: 1, o.SET_ID: 7,
        f"{o.SEQUENCE}.1.1": "octets:" + " ".join(f"{p:02X}" for p in range(1, len(phases) + 1)),
    }  # fmt: skip
    for number in range(1, n + 1):
        phase = phases[number - 1] if number <= len(phases) else None
        row = {
            o.WALK: 0,
            o.PED_CLEAR: 0,
            o.MIN_GREEN: int(phase.min_green_s) if phase is not None and minimum else 0,
            o.YELLOW: round(10 * phase.yellow_s) if phase is not None else 0,
            o.RED_CLEAR: round(10 * phase.red_clearance_s) if phase is not None else 0,
            o.OPTIONS: int(phase is not None),
            o.RING: int(phase is not None),
        }
        out.update({f"{o.PHASE}.{column}.{number}": value for column, value in row.items()})
    for pattern in range(1, N_PATTERNS + 1):
        running = pattern == OLD_PATTERN
        out[f"{o.PATTERN}.2.{pattern}"] = round(plan.cycle_s) if running else 0
        out[f"{o.PATTERN}.3.{pattern}"] = round(plan.offset_s) if running else 0
        out[f"{o.PATTERN}.4.{pattern}"] = pattern
        out[f"{o.PATTERN}.5.{pattern}"] = 1
        for number, phase in enumerate(phases, start=1):
            out[f"{o.SPLIT}.3.{pattern}.{number}"] = round(phase.split_s) if running else 0
            out[f"{o.SPLIT}.4.{pattern}.{number}"] = 2
            out[f"{o.SPLIT}.5.{pattern}.{number}"] = int(number == 1) if running else 0
    return out


@dataclass
class Agent:
    """One snmpd on a port of its own. `scripted`: the controller answers, with a database transaction."""

    name: str
    port: int
    folder: Path
    cells: Mapping[str, int | str]
    scripted: bool = True
    read_only: Sequence[str] = ()
    faults: dict[str, Any] = field(default_factory=dict)
    foreign: bool = False
    _process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"127.0.0.1:{self.port}"

    @property
    def state_file(self) -> Path:
        """Values of a scripted controller."""
        return self.folder / "state.json"

    def start(self) -> None:
        """Start it; values of a scripted controller are those it had."""
        self.folder.mkdir(parents=True, exist_ok=True)
        lines = [f"agentaddress udp:{self.address}", f"sysName {self.name}", PUBLIC]
        if self.scripted:
            if not self.state_file.exists():
                faults = {"read_only": ["." + x for x in self.read_only], **self.faults}
                cells = {"." + oid: value for oid, value in self.cells.items()}
                self.state_file.write_text(json.dumps({"cells": cells, "faults": faults}), encoding="utf-8")
            program = f"{sys.executable} -I -S {CONTROLLER} {self.state_file}"
            lines.append(f"pass_persist .1.3.6.1.4.1.1206.4.2 {program}")
        else:
            lines += [self._override(oid, value) for oid, value in self.cells.items()]
        config = self.folder / "snmpd.conf"
        config.write_text("\n".join(lines) + "\n", encoding="utf-8")
        environment = {**os.environ, "SNMP_PERSISTENT_DIR": str(self.folder / "p"), "SNMPCONFPATH": "/nonexistent"}
        options = [
            "-f",
            "-Lf",
            str(self.folder / "log"),
            "-C",
            "-c",
            str(config),
            "-I",
            "-smux,mteTrigger,mteTriggerConf",
        ]
        self._process = subprocess.Popen(
            [str(SNMPD), *options],
            env={**environment, "MIBS": ""},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def _override(self, oid: str, value: int | str) -> str:
        mode = "" if oid in self.read_only else "-rw "
        if isinstance(value, str):
            octets = value.removeprefix("octets:").replace(" ", "")
            return f"override {mode}.{oid} octet_str 0x{octets}"
        return f"override {mode}.{oid} integer {value}"

    def stop(self) -> None:
        """Kill it, as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    @property
    def running(self) -> bool:
        """Whether its process is there."""
        return self._process is not None

    def misbehave(self, **faults: object) -> None:
        """What a scripted controller does wrong from now on (see its program); nothing without arguments."""
        if self.scripted:
            aside = self.state_file.with_suffix(".faults")
            aside.write_text(json.dumps(faults), encoding="utf-8")
            aside.replace(self.state_file.with_name("faults.json"))

    def freeze(self) -> None:
        """It hangs: requests wait."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on, and answers what waited."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)

    def target(self, profile: str = "default", **more: object) -> dict[str, object]:
        """Its entry for a targets file."""
        return {
            "id": self.name,
            "profile": profile,
            "address": self.address,
            "user": USER,
            "secret": SECRET,
            "identity": {SYS_NAME: self.name},
            "patterns": (1, 2),
            "splits": (1, 2),
            "coordinated": (1,),
            **more,
        }


def wait_until_up(agents: Iterable[Agent], *, limit_s: float = 60.0) -> None:
    """Wait until each answers a GET (SNMPv2c, made by hand: no library of ours or others in between)."""
    end_s = time.monotonic() + limit_s
    for agent in agents:
        while not answers(agent.port):
            if time.monotonic() > end_s:
                raise TimeoutError(f"agent {agent.name} does not answer; see {agent.folder / 'log'}")
            time.sleep(0.02)


def answers(port: int) -> bool:
    """Whether an agent answers."""
    return ask(port, GET, [(SYS_NAME, None)], wait_s=0.25) is not None


def free_ports(n: int) -> list[int]:
    """UDP ports that nobody uses now."""
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(n)]
    try:
        for s in sockets:
            s.bind(("127.0.0.1", 0))
        return [int(s.getsockname()[1]) for s in sockets]
    finally:
        for s in sockets:
            s.close()
