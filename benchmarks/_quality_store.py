"""What the quality benchmark keeps between runs: plans and SUMO's answers, each under a hash of all it depends on."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from benchmarks.cases import ROOT
from network_data.formats.files import write_aside

ENGINE = ("network_data", "sim", "optimizer", "its")
DIGITS = 16


def hash_of(*parts: object) -> str:
    """First digits of a hash over texts, numbers and bytes."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part if isinstance(part, bytes) else repr(part).encode())
        digest.update(b"\0")
    return digest.hexdigest()[:DIGITS]


@cache
def file_hash(path: Path) -> str:
    """Hash of a file's bytes; read once, files of a case do not change while it runs."""
    return hash_of(path.read_bytes())


@cache
def engine_hash() -> str:
    """Hash of the engine's source: a plan made by other code is another plan."""
    files = sorted(path for room in ENGINE for path in (ROOT / room).rglob("*.py"))
    return hash_of(*(part for path in files for part in (str(path.relative_to(ROOT)), path.read_bytes())))


def programs_hash(plan: Path | None) -> str:
    """Hash of what a plan shows on the street, whatever its programs are called; of none for the plan in force."""
    if plan is None:
        return "shipped"
    logics = ElementTree.parse(plan).getroot().iter("tlLogic")
    kept = [
        (
            logic.get("id"),
            logic.get("type"),
            float(logic.get("offset") or 0),
            [sorted(child.attrib.items()) for child in logic],
        )
        for logic in logics
    ]
    return hash_of(sorted(kept, key=lambda entry: str(entry[0])))


@dataclass(frozen=True, slots=True)
class Store:
    """A folder of answers by kind and hash; what is there already is not made again."""

    folder: Path

    def load(self, kind: str, key: str) -> dict[str, Any] | None:
        """What is kept under a hash; None where nothing is, or a run was cut off while writing."""
        path = self.folder / kind / f"{key}.json"
        if not path.is_file():
            return None
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            return None
        return content if isinstance(content, dict) else None

    def save(self, kind: str, key: str, content: dict[str, Any]) -> None:
        """Keep an answer."""
        path = self.folder / kind / f"{key}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_aside(path, json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n")

    def folder_of(self, kind: str, key: str) -> Path:
        """A folder of its own for the files under a hash."""
        path = self.folder / kind / key
        path.mkdir(parents=True, exist_ok=True)
        return path
