"""The report of a job: `render_report(ReportData(...))` gives one self-contained HTML file."""

from its.report.build import render_report
from its.report.data import ReportData

__all__ = ["ReportData", "render_report"]
