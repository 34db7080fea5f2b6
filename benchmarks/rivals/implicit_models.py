"""implicit: alternating least squares, and nearest neighbours by BM25, on user x hashtag."""

import numpy as np
import scipy.sparse
from implicit.als import AlternatingLeastSquares
from implicit.nearest_neighbours import BM25Recommender
from shared import Job

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
    every = scipy.sparse.csr_matrix(uses @ model.similarity)
    scores = np.asarray(every[users, tags]).ravel()
job.write(scores)
