"""Plain scorers to beat: chance, popularity, similarity of texts."""

import numpy as np

from tfhashtag.corpus.corpus import Split
from tfhashtag.corpus.rows import Rows
from tfhashtag.errors import ConfigError, DataError
from tfhashtag.metrics.ranking import lots
from tfhashtag.tasks.users.episode import Episode
from tfhashtag.vector_codes import unit_rows


class RandomScorer:
    """Uniform random scores: what chance gives. A pair has the same score in any list.

    Args:
        seed: of the scores.
    """

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def score(self, episode: Episode) -> np.ndarray:
        """float32, aligned with `episode.candidates.hashtags.values`."""
        lists = episode.candidates
        drawn = lots(lists.user_of_value, lists.hashtags.values, self.seed)
        return (drawn / np.float64(2**64)).astype(np.float32)


class PopularityScorer:
    """The same score for every user: how much a hashtag is used.

    Args:
        by: `"contexts"`, the context messages that the user may see, or `"train"`, the train posts
            with the hashtag (the paper's POPULAR).

    Raises:
        ConfigError: another name.
    """

    def __init__(self, by: str = "contexts") -> None:
        if by not in ("contexts", "train"):
            raise ConfigError(f"`by` must be 'contexts' or 'train', found {by!r}.")
        self.by = by

    def score(self, episode: Episode) -> np.ndarray:
        """float32, aligned with `episode.candidates.hashtags.values`."""
        lists = episode.candidates
        if self.by == "contexts":
            counts = episode.visible_context_counts(lists.user_of_value, lists.hashtags.values)
            return counts.astype(np.float32)
        corpus = episode.corpus
        posts, hashtags = corpus.taggings()
        train = corpus.split_of_post[posts] == Split.TRAIN
        counts = np.bincount(hashtags[train], minlength=len(corpus.hashtags))
        return counts[lists.hashtags.values].astype(np.float32)


class BertSimilarity:
    """BERT-SIM: cosine of the mean of the history and the mean of the visible contexts.

    All messages count, not only the newest or a sample. A user without history, or a hashtag
    without visible contexts, gets 0.

    Args:
        vectors: float32 `[messages, width]`, row `i` embeds message `i` of the corpus.
    """

    def __init__(self, vectors: np.ndarray) -> None:
        self.vectors = vectors

    def score(self, episode: Episode) -> np.ndarray:
        """float32 in [-1, 1], aligned with `episode.candidates.hashtags.values`."""
        corpus, lists = episode.corpus, episode.candidates
        vectors = np.asarray(self.vectors, dtype=np.float32)
        if vectors.ndim != 2 or len(vectors) != len(corpus.messages):
            raise DataError(
                f"`vectors` must have a row for each of {len(corpus.messages)} messages, "
                f"found shape {vectors.shape}."
            )
        # The cosine does not see the length, so sums serve as means.
        users = unit_rows(sum_of_rows(episode.history, corpus.message_of_post, vectors))
        offered, column = np.unique(lists.hashtags.values, return_inverse=True)
        contexts = episode.contexts.take(offered)
        sums = sum_of_rows(contexts, corpus.message_of_post, vectors)
        unit = unit_rows(sums)
        scores = np.zeros(len(lists.labels), np.float32)
        row, offsets = lists.hashtags.row_of_value, lists.hashtags.offsets
        block = 256
        for start in range(0, len(lists), block):
            stop = min(start + block, len(lists))
            part = slice(offsets[start], offsets[stop])
            products = users[lists.users[start:stop]] @ unit.T
            scores[part] = products[row[part] - start, column[part]]
        user_of_value = lists.user_of_value
        counts = episode.visible_context_counts(user_of_value, lists.hashtags.values)
        for place in np.flatnonzero(counts < contexts.lengths[column]):
            user = user_of_value[place]
            seen = episode.visible_contexts(user, lists.hashtags.values[place])
            mean = vectors[corpus.message_of_post[seen]].sum(axis=0, keepdims=True)
            scores[place] = users[user] @ unit_rows(mean)[0]
        return scores


def sum_of_rows(rows: Rows, message_of_post: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Sum of the message vectors of each row of posts, float32 `[rows, width]`."""
    sums = np.zeros((len(rows), vectors.shape[1]), np.float32)
    filled = np.flatnonzero(rows.lengths)
    block = 4096
    for start in range(0, len(filled), block):
        part = filled[start : start + block]
        taken = rows.take(part)
        sums[part] = np.add.reduceat(
            vectors[message_of_post[taken.values]], taken.offsets[:-1], axis=0
        )
    return sums
