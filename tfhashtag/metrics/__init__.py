"""Ranking metrics, one a file, on one base that owns cut-offs, empty lists and ties."""

from tfhashtag.metrics.f1 import F1, average
from tfhashtag.metrics.hit_rate import HitRate
from tfhashtag.metrics.mean_average_precision import MeanAveragePrecision
from tfhashtag.metrics.ndcg import NDCG
from tfhashtag.metrics.parse import default_metrics, parse_metric
from tfhashtag.metrics.precision import Precision
from tfhashtag.metrics.ranking import Ranking, rank
from tfhashtag.metrics.ranking_metric import RankingMetric
from tfhashtag.metrics.recall import Recall
from tfhashtag.metrics.reciprocal_rank import ReciprocalRank

__all__ = [
    "F1",
    "NDCG",
    "HitRate",
    "MeanAveragePrecision",
    "Precision",
    "Ranking",
    "RankingMetric",
    "Recall",
    "ReciprocalRank",
    "average",
    "default_metrics",
    "parse_metric",
    "rank",
]
