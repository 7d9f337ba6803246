"""What the store answers with: frozen copies of its rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanView:
    """A stored plan without its document.

    `state` is `stored`, `approved` or `rejected`; `approved_by` and `rejected_by` name whose latest word it was.
    """

    plan_id: str
    district: str
    zone: str
    days: str
    begin_s: float
    end_s: float
    network_hash: str
    stored_utc: datetime
    approved_by: tuple[str, ...]
    rejected_by: tuple[str, ...]
    gates_failed: tuple[str, ...]

    @property
    def state(self) -> str:
        """Where the plan stands; one rejection outweighs any approvals."""
        if self.rejected_by:
            return "rejected"
        return "approved" if self.approved_by else "stored"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordView:
    """One record of the audit chain with its content."""

    seq: int
    kind: str
    plan_id: str | None
    actor: str
    at_utc: datetime
    content: dict[str, Any]
    hash: str
