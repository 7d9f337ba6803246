"""The plan store: plans, gates, approvals, pushes, read-backs and measurements, append-only with an audit chain."""

from its.store.store import Store
from its.store.views import PlanView, RecordView

__all__ = ["PlanView", "RecordView", "Store"]
