"""Collaborative filtering on the taggings of the train split."""

import os

import numpy as np
import scipy.sparse

from tfhashtag.corpus.corpus import Corpus, Split
from tfhashtag.errors import ArtifactError, ConfigError, DataError, required
from tfhashtag.files import atomic_writer
from tfhashtag.tasks.users.episode import Episode

_ARRAYS = ("users", "hashtags")


class CollaborativeFilter:
    r"""CF: who tagged what, without a look at any text (EMNLP 2021, Section 4).

    Implicit alternating least squares (Hu, Koren and Volinsky, ICDM 2008), as the package
    `implicit` solves it: with \(p_{uh} = 1\) where user u tagged hashtag h in train, else 0,

    $$
    \min_{x, y} \sum_{u,h} c_{uh} (p_{uh} - x_u^\top y_h)^2
        + \lambda (\sum_u |x_u|^2 + \sum_h |y_h|^2), \quad
    c_{uh} = \alpha \text{ if } p_{uh} = 1 \text{ else } 1
    $$

    The score is \(x_u^\top y_h\). A hashtag that nobody tagged in train has \(y_h = 0\), the exact
    solution for it, and scores 0 for everyone: below what the users' taste speaks for, above what
    it speaks against. So does every hashtag for a user without train posts. Equal scores are then
    ranked by lot, as for every system.

    Args:
        factors: int >= 1, width of \(x_u\) and \(y_h\).
        regularization: float > 0, \(\lambda\).
        confidence: float > 0, \(\alpha\).
        iterations: int >= 1, alternations.
        seed: of the starting factors.

    Raises:
        ConfigError: an argument is out of range.

    Example:

    >>> from tfhashtag.corpus.synthetic import synthetic_corpus
    >>> corpus = synthetic_corpus(posts=200, users=20)
    >>> model = CollaborativeFilter(factors=4)
    >>> model.fit(corpus)
    >>> model.users.shape == (len(corpus.users), 4)
    True
    """

    def __init__(
        self,
        factors: int = 32,
        regularization: float = 1.0,
        confidence: float = 20.0,
        iterations: int = 15,
        seed: int = 0,
    ) -> None:
        for name, value in (("factors", factors), ("iterations", iterations)):
            if not isinstance(value, int) or value < 1:
                raise ConfigError(f"`{name}` must be an integer of at least 1, found {value!r}.")
        for name, number in (("regularization", regularization), ("confidence", confidence)):
            if not number > 0:
                raise ConfigError(f"`{name}` must be positive, found {number!r}.")
        self.factors = factors
        self.regularization = regularization
        self.confidence = confidence
        self.iterations = iterations
        self.seed = seed
        self.users = np.zeros((0, factors), np.float32)
        self.hashtags = np.zeros((0, factors), np.float32)

    def fit(self, corpus: Corpus) -> None:
        """Solves for the factors; one core, so that one seed gives one result.

        Raises:
            ConfigError: the package `implicit` is missing.
            DataError: the corpus has no train posts with hashtags.
        """
        what = "collaborative filtering needs implicit"
        als = required("implicit.als", what, "baselines", ConfigError)
        from threadpoolctl import threadpool_limits

        posts, hashtags = corpus.taggings()
        train = corpus.split_of_post[posts] == Split.TRAIN
        if not train.any():
            raise DataError(f"{corpus.name}: no train post has a hashtag; nothing to learn from.")
        pairs = (corpus.user_of_post[posts[train]], hashtags[train])
        shape = (len(corpus.users), len(corpus.hashtags))
        tagged = scipy.sparse.csr_matrix((np.ones(len(pairs[0]), np.float32), pairs), shape)
        tagged.data[:] = 1  # once or often: the pair is what counts
        with threadpool_limits(1, "blas"):
            model = als.AlternatingLeastSquares(
                factors=self.factors,
                regularization=self.regularization,
                alpha=self.confidence,
                iterations=self.iterations,
                random_state=self.seed,
                num_threads=1,
                use_gpu=False,
            )
            model.fit(tagged, show_progress=False)
        self.users = np.array(model.user_factors, np.float32)
        self.hashtags = np.array(model.item_factors, np.float32)

    def score(self, episode: Episode) -> np.ndarray:
        """float32, aligned with `episode.candidates.hashtags.values`.

        Raises:
            ArtifactError: neither `fit` nor `load` came before, or the episode is of another
                corpus.
        """
        corpus, lists = episode.corpus, episode.candidates
        if (len(self.users), len(self.hashtags)) != (len(corpus.users), len(corpus.hashtags)):
            raise ArtifactError(
                f"the factors are of {len(self.users)} users and {len(self.hashtags)} hashtags, "
                f"the corpus has {len(corpus.users)} and {len(corpus.hashtags)}; call `fit` or "
                "`load` for this corpus first."
            )
        scores = np.zeros(len(lists.labels), np.float32)
        users, hashtags = lists.user_of_value, lists.hashtags.values
        block = 65536
        for start in range(0, len(scores), block):
            part = slice(start, start + block)
            scores[part] = np.einsum(
                "nf,nf->n", self.users[users[part]], self.hashtags[hashtags[part]]
            )
        return scores

    def save(self, path: str | os.PathLike) -> None:
        """Writes the factors to one `.npz`, whole or not at all."""
        with atomic_writer(path, "wb") as file:
            np.savez(file, allow_pickle=False, users=self.users, hashtags=self.hashtags)

    def load(self, path: str | os.PathLike) -> None:
        """Reads what `save` wrote.

        Raises:
            ArtifactError: the file is missing, damaged or of another width.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                found = [np.asarray(file[name], np.float32) for name in _ARRAYS]
        except (OSError, ValueError, KeyError, EOFError) as error:
            raise ArtifactError(f"{path}: not readable: {error}. Train again.") from error
        if any(array.ndim != 2 or array.shape[1] != self.factors for array in found):
            raise ArtifactError(
                f"{path}: found shapes {[array.shape for array in found]}, expected a width of "
                f"{self.factors}; it is of another configuration."
            )
        self.users, self.hashtags = found
