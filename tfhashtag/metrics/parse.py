"""Metrics by their names."""

import difflib
import re

from tfhashtag.errors import ConfigError
from tfhashtag.metrics.f1 import F1
from tfhashtag.metrics.hit_rate import HitRate
from tfhashtag.metrics.mean_average_precision import MeanAveragePrecision
from tfhashtag.metrics.ndcg import NDCG
from tfhashtag.metrics.precision import Precision
from tfhashtag.metrics.ranking_metric import RankingMetric
from tfhashtag.metrics.recall import Recall
from tfhashtag.metrics.reciprocal_rank import ReciprocalRank

METRICS: dict[str, type[RankingMetric]] = {
    metric.title.lower(): metric
    for metric in (MeanAveragePrecision, Precision, NDCG, Recall, F1, ReciprocalRank, HitRate)
}
METRICS["precision"] = Precision  # as tables of posts print it


def parse_metric(name: str) -> RankingMetric:
    """The metric of a name such as `map`, `nDCG@5`, `hitrate@10`; case does not matter.

    Raises:
        ConfigError: an unknown name, with the nearest right one, or a bad cut-off.

    >>> parse_metric("ndcg@5").name
    'nDCG@5'
    """
    title, at, cutoff = name.strip().partition("@")
    if title.lower() not in METRICS:
        near = difflib.get_close_matches(title.lower(), METRICS, n=1)
        hint = f" Did you mean `{METRICS[near[0]].title}`?" if near else ""
        known = ", ".join(dict.fromkeys(metric.title for metric in METRICS.values()))
        raise ConfigError(f"metric {name!r}: unknown; expected one of {known}.{hint}")
    if at and not re.fullmatch(r"[1-9][0-9]*", cutoff):
        raise ConfigError(f"metric {name!r}: the cut-off must be a whole number of at least 1.")
    return METRICS[title.lower()](int(cutoff) if at else None)


def default_metrics(cutoffs: tuple[int, ...] = (5,)) -> list[RankingMetric]:
    """MAP, MRR, and MAP@k, P@k, nDCG@k, Recall@k, HitRate@k for every cut-off.

    >>> [metric.name for metric in default_metrics((5,))]
    ['MAP', 'MAP@5', 'P@5', 'nDCG@5', 'Recall@5', 'HitRate@5', 'MRR']
    """
    metrics: list[RankingMetric] = [MeanAveragePrecision()]
    for k in cutoffs:
        metrics += [kind(k) for kind in (MeanAveragePrecision, Precision, NDCG, Recall, HitRate)]
    return [*metrics, ReciprocalRank()]
