"""Evaluation: metrics of ranked lists, TREC files, tables, significance."""

from tfhashtag.evaluation.evaluate import AVERAGES, averages, evaluate, per_user
from tfhashtag.evaluation.metrics_table import averages_table, metrics_table, posts_table
from tfhashtag.evaluation.post_metrics import (
    evaluate_posts,
    per_post,
    post_averages,
    rank_labels,
)
from tfhashtag.evaluation.significance import Comparison, bootstrap_interval, compare_paired
from tfhashtag.evaluation.trec import write_qrels, write_run

__all__ = [
    "AVERAGES",
    "Comparison",
    "averages",
    "averages_table",
    "bootstrap_interval",
    "compare_paired",
    "evaluate",
    "evaluate_posts",
    "metrics_table",
    "per_post",
    "per_user",
    "post_averages",
    "posts_table",
    "rank_labels",
    "write_qrels",
    "write_run",
]
