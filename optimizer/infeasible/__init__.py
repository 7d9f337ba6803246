"""When no plan is possible: the smallest set of rules that conflict, in the field's words; else the nearest plan."""

from optimizer.infeasible.conflicts import Conflict, ConflictError, conflict_of, mended
from optimizer.infeasible.rules import SignalProgram

__all__ = ["Conflict", "ConflictError", "SignalProgram", "conflict_of", "mended"]
