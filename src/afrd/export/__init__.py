"""A trained run as one file for a station: converted, checked, run, and compared with the run it came from."""

from afrd.export.comparison import TOLERANCES, Comparison, Tolerance, compare
from afrd.export.export import ExportReport, export_run

__all__ = ["TOLERANCES", "Comparison", "ExportReport", "Tolerance", "compare", "export_run"]
