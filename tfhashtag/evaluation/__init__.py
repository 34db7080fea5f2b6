"""Evaluation: metrics of ranked lists, TREC files, lists from a file, tables, significance."""

from tfhashtag.evaluation.evaluate import AVERAGES, evaluate, per_user, write_metrics
from tfhashtag.evaluation.metrics_table import averages_table, metrics_table
from tfhashtag.evaluation.read_candidates import read_candidates
from tfhashtag.evaluation.significance import Comparison, bootstrap_interval, compare_paired
from tfhashtag.evaluation.trec import write_qrels, write_run

__all__ = [
    "AVERAGES",
    "Comparison",
    "averages_table",
    "bootstrap_interval",
    "compare_paired",
    "evaluate",
    "metrics_table",
    "per_user",
    "read_candidates",
    "write_metrics",
    "write_qrels",
    "write_run",
]
