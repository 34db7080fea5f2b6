"""Vectors of words, by topics or by weights: what the shallow baselines see of a text."""

from typing import Any

import numpy as np
import scipy.sparse

from tfhashtag.errors import ArtifactError, ConfigError, required


class LdaVectors:
    r"""Topic proportions by latent Dirichlet allocation (Blei et al., 2001), of scikit-learn.

    Variational Bayes in small batches; a document becomes \(\theta\), K shares that sum to 1.

    Args:
        topics: int >= 2, K.
        passes: int >= 1, over the documents.
        seed: of the starting topics.

    Example:

    >>> counts = scipy.sparse.csr_matrix(np.array([[4, 3, 0, 0], [0, 0, 5, 2], [3, 5, 0, 0]]))
    >>> lda = LdaVectors(topics=2, passes=20)
    >>> lda.fit(counts)
    >>> theta = lda.transform(counts).toarray()
    >>> theta.argmax(1)[0] == theta.argmax(1)[2] != theta.argmax(1)[1]
    np.True_
    """

    def __init__(self, topics: int = 100, passes: int = 10, seed: int = 0) -> None:
        if topics < 2:
            raise ConfigError(f"`topics` must be at least 2, found {topics}.")
        self.topics = topics
        self.passes = passes
        self.seed = seed
        self._model: Any = None

    def fit(self, counts: scipy.sparse.csr_matrix) -> None:
        """Learns topics from word counts of documents, `[documents, V]`."""
        self._model = self._new()
        self._model.fit(counts)

    def transform(self, counts: scipy.sparse.csr_matrix) -> scipy.sparse.csr_matrix:
        """Topic proportions `[documents, K]`; a document without words gets an empty row.

        Raises:
            ArtifactError: neither `fit` nor `restore` came before.
        """
        if self._model is None:
            raise ArtifactError("the topics are not fitted; call `fit` or `restore` first.")
        some = np.flatnonzero(np.diff(counts.indptr))
        theta = np.zeros((counts.shape[0], self.topics))
        if len(some):
            theta[some] = self._model.transform(counts[some])
        return scipy.sparse.csr_matrix(theta)

    def topic_words(self) -> np.ndarray:
        """Topic-word distributions, float64 `[K, V]`, each row sums to 1.

        Raises:
            ArtifactError: neither `fit` nor `restore` came before.
        """
        if self._model is None:
            raise ArtifactError("the topics are not fitted; call `fit` or `restore` first.")
        weights = self._model.components_
        return weights / weights.sum(axis=1, keepdims=True)

    def arrays(self) -> dict[str, np.ndarray]:
        """What `restore` needs."""
        return {
            "components": self._model.components_,
            "exp_dirichlet": self._model.exp_dirichlet_component_,
        }

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Takes what `arrays` gave.

        Raises:
            ArtifactError: it is of another number of topics.
        """
        components = arrays["components"]
        if components.ndim != 2 or len(components) != self.topics:
            raise ArtifactError(
                f"found topics of shape {components.shape}, expected {self.topics} topics; they "
                "are of another configuration."
            )
        # A fit of the right shape makes every attribute that `transform` reads; all but these two
        # are constants.
        model = self._new()
        model.max_iter = 1
        model.fit(scipy.sparse.csr_matrix(np.eye(1, components.shape[1], dtype=np.int64)))
        model.components_ = components
        model.exp_dirichlet_component_ = arrays["exp_dirichlet"]
        self._model = model

    def _new(self) -> Any:
        decomposition = _scikit_learn("sklearn.decomposition")
        return decomposition.LatentDirichletAllocation(
            n_components=self.topics,
            learning_method="online",
            max_iter=self.passes,
            batch_size=256,
            random_state=self.seed,
        )


class TfidfVectors:
    r"""Words weighed by how often they stand here and how rarely elsewhere, of scikit-learn.

    \((1 + \log \mathrm{tf}) \, (1 + \log \frac{1 + n}{1 + \mathrm{df}})\), scaled to length 1.

    Example:

    >>> counts = scipy.sparse.csr_matrix(np.array([[1, 1, 0], [0, 2, 1]]))
    >>> tfidf = TfidfVectors()
    >>> tfidf.fit(counts)
    >>> tfidf.transform(counts).toarray().round(3).tolist()
    [[0.815, 0.58, 0.0], [0.0, 0.769, 0.639]]
    """

    def __init__(self) -> None:
        self._model: Any = None

    def fit(self, counts: scipy.sparse.csr_matrix) -> None:
        """Learns how rare words are from word counts of documents, `[documents, V]`."""
        self._model = _scikit_learn("sklearn.feature_extraction.text").TfidfTransformer(
            sublinear_tf=True
        )
        self._model.fit(counts)

    def transform(self, counts: scipy.sparse.csr_matrix) -> scipy.sparse.csr_matrix:
        """Weights `[documents, V]`; a document without words gets an empty row.

        Raises:
            ArtifactError: neither `fit` nor `restore` came before.
        """
        if self._model is None:
            raise ArtifactError("the weights are not fitted; call `fit` or `restore` first.")
        return self._model.transform(counts)

    def arrays(self) -> dict[str, np.ndarray]:
        """What `restore` needs."""
        return {"idf": self._model.idf_}

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Takes what `arrays` gave."""
        self.fit(scipy.sparse.csr_matrix((1, len(arrays["idf"]))))
        self._model.idf_ = arrays["idf"]


def _scikit_learn(module: str) -> Any:
    return required(module, "features of words need scikit-learn", "baselines", ConfigError)
