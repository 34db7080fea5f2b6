"""Comparisons: named systems with several seeds, against a reference, as tables and a report."""

from tfhashtag.comparison.compare import compare
from tfhashtag.comparison.comparison import Comparison
from tfhashtag.comparison.study import Study, TableOf, View
from tfhashtag.comparison.system import System

__all__ = ["Comparison", "Study", "System", "TableOf", "View", "compare"]
