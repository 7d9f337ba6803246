"""Plans of a day: how many, which, and when they switch."""

from optimizer.day.plan import DayResult, plan_day

__all__ = ["DayResult", "plan_day"]
