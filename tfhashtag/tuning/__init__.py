"""Settings chosen by trials on the valid split: space, trials, storage, report."""

from tfhashtag.tuning.tune import tune
from tfhashtag.tuning.tuning import Tuning

__all__ = ["Tuning", "tune"]
