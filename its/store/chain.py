"""The audit chain: each record carries the hash of the one before, so nothing can be changed or taken out unseen."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import inspect

from its.store.models import Recorded, RecordRow

GENESIS = "0" * 64
"""What the first record carries as the hash before it."""


def canonical(content: Mapping[str, Any]) -> str:
    """The one JSON text of a content: keys sorted, no spaces, no NaN."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def utc_text(moment: datetime) -> str:
    """A moment as `2026-11-22T21:35:40.123456Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def body_of(row: Recorded) -> str:
    """The columns of a typed row as canonical JSON, its record's number left out."""
    content = {c.key: getattr(row, c.key) for c in inspect(type(row)).column_attrs if c.key != "record"}
    return canonical({k: utc_text(v) if isinstance(v, datetime) else v for k, v in content.items()})


def link_hash(record: RecordRow) -> str:
    """SHA-256 over all of a record but its own hash. [hex]"""
    content = {
        "seq": record.seq,
        "kind": record.kind,
        "plan_id": record.plan_id,
        "actor": record.actor,
        "at_utc": utc_text(record.at_utc),
        "body": record.body,
        "previous_hash": record.previous_hash,
    }
    return hashlib.sha256(canonical(content).encode()).hexdigest()


def chain_faults(records: Iterable[RecordRow], rows: Mapping[int, Recorded]) -> list[str]:
    """What is wrong with a chain.

    Parameters
    ----------
    records : iterable of RecordRow
        All of them by number.
    rows : mapping
        Number of the record → its typed row.

    Returns
    -------
    list of str
        A sentence per record that was changed, whose row was changed, or before which records are missing.
    """
    faults = []
    expected, previous, seen = 1, GENESIS, set()
    for record in records:
        if record.seq != expected:
            faults.append(f"record {record.seq}: records {expected} to {record.seq - 1} are missing")
        if record.previous_hash != previous:
            faults.append(f"record {record.seq}: does not carry the hash of the record before it")
        if link_hash(record) != record.hash:
            faults.append(f"record {record.seq} ({record.kind}): was changed after it was written")
        row = rows.get(record.seq)
        if row is None:
            faults.append(f"record {record.seq} ({record.kind}): its row is missing")
        elif body_of(row) != record.body:
            faults.append(f"record {record.seq} ({record.kind}): its row was changed after it was written")
        expected, previous = record.seq + 1, record.hash
        seen.add(record.seq)
    faults += [f"a row belongs to record {seq}, which is not in the chain" for seq in sorted(set(rows) - seen)]
    return faults
