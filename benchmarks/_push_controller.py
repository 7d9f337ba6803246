"""A signal controller for tests of the push, as snmpd's `pass_persist` program: OUR READING of NTCIP 1201 and 1202.

What snmpd alone does not do is done here: a database transaction that buffers, verifies and commits; tables that are
written in a transaction only; a pattern status that follows commands; values that outlive a restart, and commands that
do not. `python _push_controller.py STATE.json`: the file holds the values (`cells`), and how the controller misbehaves.
"""

from __future__ import annotations

import json
import pathlib
import sys
from typing import Any

ASC = ".1.3.6.1.4.1.1206.4.2.1."
CREATE, VERIFY_STATUS, VERIFY_ERROR = (f".1.3.6.1.4.1.1206.4.2.6.2.{n}.0" for n in (1, 6, 7))
SET_ID = ".1.3.6.1.4.1.1206.4.2.6.1.1.0"
SYSTEM, STATUS = ASC + "4.14.0", ASC + "4.10.0"
PATTERNS, SPLITS, ACTIONS = ASC + "4.7.1.", ASC + "4.9.1.", ASC + "5.3.1.2."
NORMAL, TRANSACTION, VERIFY, DONE = 1, 2, 3, 6
NOT_DONE, DONE_ERROR, DONE_CLEAN = 1, 2, 3


class Controller:
    """Live values, the transaction's buffer, and the file behind them."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.state = json.loads(pathlib.Path(path).read_text())
        self.cells: dict[str, Any] = self.state["cells"]
        self.always: dict[str, Any] = self.state.get("faults", {})
        self.mode, self.status, self.error = NORMAL, NOT_DONE, ""
        self.buffer: dict[str, int] = {}
        self.cells[SYSTEM] = 0  # a command does not outlive a restart
        self.save()

    @property
    def faults(self) -> dict[str, Any]:
        """What goes wrong now: from the beginning, or as `faults.json` beside the state says."""
        aside = pathlib.Path(self.path).with_name("faults.json")
        return {**self.always, **json.loads(aside.read_text())} if aside.exists() else self.always

    def save(self) -> None:
        """Values to the file, whole or not at all."""
        aside = pathlib.Path(self.path + ".new")
        aside.write_text(json.dumps(self.state))
        aside.replace(self.path)

    def get(self, oid: str) -> int | str | None:
        """Value of an object, None where there is none."""
        if oid == CREATE:
            if self.mode == VERIFY:
                self.mode = DONE
                return VERIFY
            return self.mode
        if oid == VERIFY_STATUS:
            return self.status
        if oid == VERIFY_ERROR:
            return self.error
        if oid == STATUS and self.faults.get("status", True):
            return int(self.cells[SYSTEM] or self.cells.get(ACTIONS + "1", 1))
        return self.cells.get(oid)

    def set(self, oid: str, kind: str, text: str) -> str:
        """Answer of snmpd's protocol."""
        if oid not in self.cells and oid != CREATE:
            return "not-writable"
        if oid in self.faults.get("read_only", ()):
            return "not-writable"
        if kind != "integer":
            return "wrong-type"
        value = int(text)
        if oid == CREATE:
            return self.command(value)
        if not 0 <= value <= 255:
            return "wrong-value"
        if oid == SYSTEM:
            if value and self.cells.get(f"{PATTERNS}2.{value}", 0) == 0:
                return "inconsistent-value"
            self.cells[oid] = value
        elif oid.startswith((PATTERNS, SPLITS, ACTIONS)):
            if self.mode == TRANSACTION:
                self.buffer[oid] = value
                return "DONE"
            if not self.faults.get("plain_sets", oid.startswith(ACTIONS)):
                return "inconsistent-value"
            self.cells[oid] = value
        else:
            return "not-writable"
        self.save()
        return "DONE"

    def command(self, value: int) -> str:
        """A SET of dbCreateTransaction."""
        if value == TRANSACTION and self.mode == NORMAL:
            self.mode, self.buffer, self.status, self.error = TRANSACTION, {}, NOT_DONE, ""
        elif value == VERIFY and self.mode == TRANSACTION:
            self.error = self.judged()
            self.status = DONE_ERROR if self.error else DONE_CLEAN
            self.mode = VERIFY
        elif value == NORMAL:
            if self.mode == DONE and self.status == DONE_CLEAN:
                lost = set(self.faults.get("loses", ()))
                self.cells.update({oid: v for oid, v in self.buffer.items() if oid not in lost})
                self.cells[SET_ID] = (self.cells.get(SET_ID, 0) + 1) % 65536
                self.save()
            self.mode, self.buffer = NORMAL, {}
        elif value != self.mode:
            return "inconsistent-value"
        return "DONE"

    def judged(self) -> str:
        """First fault of the buffered splits: their sum per ring must be the cycle."""
        if self.faults.get("verify_error"):
            return str(self.faults["verify_error"])
        new = {**self.cells, **self.buffer}
        for oid in self.buffer:
            if oid.startswith(PATTERNS + "2."):
                pattern = oid.rsplit(".", 1)[1]
                split = new.get(f"{PATTERNS}4.{pattern}", 0)
                sums: dict[int, int] = {}
                for phase in range(1, 17):
                    ring = new.get(f"{ASC}1.2.1.22.{phase}", 0)
                    if ring and new.get(f"{ASC}1.2.1.21.{phase}", 0) & 1:
                        sums[ring] = sums.get(ring, 0) + new.get(f"{SPLITS}3.{split}.{phase}", 0)
                if any(total != new[oid] for total in sums.values()):
                    return f"PATTERN {pattern} SPLITS DO NOT ADD UP"
        return ""

    def answer(self, oid: str) -> str:
        """Three lines of an object."""
        value = self.get(oid)
        if value is None:
            return "NONE"
        if isinstance(value, str) and value.startswith("octets:"):
            return f"{oid}\noctet\n{value[7:]}"
        return f"{oid}\n{'string' if isinstance(value, str) else 'integer'}\n{value}"


def main() -> None:
    """Answer snmpd line by line until it goes."""
    controller = Controller(sys.argv[1])
    lines = sys.stdin

    def line() -> str:
        text = lines.readline()
        if not text:
            sys.exit(0)
        return text.rstrip("\n")

    while True:
        command = line()
        if not command:  # snmpd ends a SET with an empty line
            continue
        if command == "PING":
            out = "PONG"
        elif command == "get":
            out = controller.answer(line())
        elif command == "getnext":
            line()
            out = "NONE"
        elif command == "set":
            oid, (kind, _, text) = line(), line().partition(" ")
            out = controller.set(oid, kind, text.strip('"'))
        else:
            out = "NONE"
        print(out, flush=True)


if __name__ == "__main__":
    main()
