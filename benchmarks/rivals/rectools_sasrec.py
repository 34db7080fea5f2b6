"""RecTools: SASRec over the hashtags that each user used, in time order.

Hashtags of fewer than `least` uses are left out of what it learns: a softmax over all takes memory.
"""

import warnings

import numpy as np
import pandas as pd
from pytorch_lightning import seed_everything
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import SASRecModel
from shared import Job

USERS = 512  # at a time

warnings.filterwarnings("ignore")
job = Job()
seed_everything(job.seed)
uses = pd.DataFrame(job.taggings, columns=[Columns.User, Columns.Item])
uses[Columns.Weight] = 1.0
uses[Columns.Datetime] = pd.Timestamp(2020, 1, 1) + pd.to_timedelta(np.arange(len(uses)), unit="s")
settings = dict(job.settings)
counts = uses[Columns.Item].map(uses[Columns.Item].value_counts())
uses = uses[counts >= settings.pop("least")]
dataset = Dataset.construct(uses)
model = SASRecModel(deterministic=True, **settings)
model.fit(dataset)
job.lap("fit")
scores = np.full(len(job.asked), -np.inf)
trained = np.isin(job.asked[:, 1], model.data_preparator.get_known_item_ids())
order = np.flatnonzero(trained & np.isin(job.asked[:, 0], uses[Columns.User]))
names = np.unique(job.asked[order, 0])
for start in range(0, len(names), USERS):
    some = names[start : start + USERS]
    rows = order[np.isin(job.asked[order, 0], some)]
    items = np.unique(job.asked[rows, 1])
    found = model.recommend(
        some, dataset, k=len(items), filter_viewed=False, items_to_recommend=items,
        add_rank_col=False, on_unsupported_targets="ignore",
    )  # fmt: skip
    key = found[Columns.User].to_numpy() * len(job.hashtags) + found[Columns.Item].to_numpy()
    place = np.argsort(key)
    wanted = job.asked[rows, 0] * len(job.hashtags) + job.asked[rows, 1]
    at = place[np.searchsorted(key, wanted, sorter=place).clip(max=len(key) - 1)]
    there = key[at] == wanted
    scores[rows[there]] = found[Columns.Score].to_numpy()[at[there]]
# Hashtags and users that it has not seen come last, by lot.
scores[~np.isfinite(scores)] = scores[np.isfinite(scores)].min() - 1
job.write(scores)
