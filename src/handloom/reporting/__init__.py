"""Reports: one HTML page that shows a training, to hand in, to project, or to mail."""

from handloom.reporting.report import Report as Report, report as report

__all__ = ["Report", "report"]
