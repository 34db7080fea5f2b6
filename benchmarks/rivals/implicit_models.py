"""implicit: alternating least squares, and nearest neighbours by BM25, on user x hashtag."""

import numpy as np
import scipy.sparse
from implicit.als import AlternatingLeastSquares
from implicit.nearest_neighbours import BM25Recommender
from shared import Job

USERS = 256  # at a time

job = Job()
settings = dict(job.settings)
kind = settings.pop("model")
uses = scipy.sparse.csr_matrix(
    (np.ones(len(job.taggings), np.float32), job.taggings.T),
    shape=(len(job.users), len(job.hashtags)),
)
users, tags = job.asked.T
if kind == "als":
    model = AlternatingLeastSquares(random_state=job.seed, **settings)
    model.fit(uses, show_progress=False)
    job.lap("fit")
    scores = np.sum(model.user_factors[users] * model.item_factors[tags], axis=1)
else:
    model = BM25Recommender(**settings)
    model.fit(uses, show_progress=False)
    job.lap("fit")
    scores = np.zeros(len(users))
    for first in range(0, len(job.users), USERS):
        rows = np.flatnonzero((users >= first) & (users < first + USERS))
        some = scipy.sparse.csr_matrix(uses[first : first + USERS] @ model.similarity)
        scores[rows] = np.asarray(some[users[rows] - first, tags[rows]]).ravel()
job.write(scores)
