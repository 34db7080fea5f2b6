"""Comparisons: named systems with several seeds, against a reference, as tables and a report."""

from tfhashtag.comparison.outcome import Outcome
from tfhashtag.comparison.run_comparison import run_comparison
from tfhashtag.comparison.summary import Summary, summarize
from tfhashtag.comparison.system import Ranked, System
from tfhashtag.comparison.tables import Table

__all__ = ["Outcome", "Ranked", "Summary", "System", "Table", "run_comparison", "summarize"]
