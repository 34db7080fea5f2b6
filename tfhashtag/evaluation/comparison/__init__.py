"""Comparisons: named systems with several seeds, against a reference, as tables and a report."""

from tfhashtag.evaluation.comparison.outcome import Outcome
from tfhashtag.evaluation.comparison.run_comparison import run_comparison
from tfhashtag.evaluation.comparison.summary import Summary, summarize
from tfhashtag.evaluation.comparison.system import Ranked, System
from tfhashtag.evaluation.comparison.tables import Table

__all__ = ["Outcome", "Ranked", "Summary", "System", "Table", "run_comparison", "summarize"]
