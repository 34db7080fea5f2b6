"""LightFM: factors of users and hashtags, each with the words of their known texts."""

import lightfm
import numpy as np
import scipy.sparse
from shared import Job
from sklearn.feature_extraction.text import TfidfVectorizer

job = Job()
settings = dict(job.settings)
epochs, words = settings.pop("epochs"), settings.pop("words")
uses = scipy.sparse.coo_matrix(
    (np.ones(len(job.taggings), np.float32), job.taggings.T),
    shape=(len(job.users), len(job.hashtags)),
)
uses.sum_duplicates()


def features(texts, vectorizer):
    """A factor of its own for each, and those of its words."""
    own = scipy.sparse.identity(len(texts), format="csr", dtype=np.float32)
    if not words:
        return own
    return scipy.sparse.hstack([own, words * vectorizer.transform(texts)]).tocsr().astype("float32")


of_user, of_tag = job.texts()
vectorizer = TfidfVectorizer(min_df=5, max_df=0.2, max_features=10_000, sublinear_tf=True)
vectorizer.fit(of_user + of_tag)
user_features, item_features = features(of_user, vectorizer), features(of_tag, vectorizer)
model = lightfm.LightFM(random_state=job.seed, **settings)
model.fit(uses, user_features, item_features, epochs=epochs, num_threads=2)
job.lap("fit")
users, tags = job.asked.T.astype(np.int32)
job.write(
    model.predict(
        np.ascontiguousarray(users),
        np.ascontiguousarray(tags),
        item_features=item_features,
        user_features=user_features,
        num_threads=2,
    )
)
