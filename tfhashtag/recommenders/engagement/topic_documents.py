"""The documents that topics are learnt from, and those that they are judged by."""

import numpy as np
import scipy.sparse

from tfhashtag.corpus.corpus import Corpus
from tfhashtag.corpus.rows import Rows
from tfhashtag.corpus.vocabulary import MessageWords
from tfhashtag.errors import DataError
from tfhashtag.recommenders.lambdamart.word_features import word_counts
from tfhashtag.tasks.users.episode import leave_out_episode


def topic_documents(
    corpus: Corpus, words: MessageWords, minimum_contexts: int = 5
) -> tuple[scipy.sparse.csr_matrix, scipy.sparse.csr_matrix]:
    """Words of hashtags, which topics are learnt from, and of messages, which judge them.

    Args:
        corpus: the posts; the train split alone is read.
        words: of the corpus's messages.
        minimum_contexts: hashtags with fewer train posts are left out, as in training.

    Returns:
        Counts of words in all train posts of each hashtag, int64 `[hashtags, V]`, the documents of
        LDA; the neural topic model is trained on samples of the same posts. And counts in each
        distinct train message with such a hashtag, int64 `[messages, V]`.

    Raises:
        DataError: no hashtag has `minimum_contexts` train posts.
    """
    episode = leave_out_episode(corpus, 1, 0, minimum_contexts)
    hashtags = np.flatnonzero(episode.contexts.lengths >= minimum_contexts)
    if len(hashtags) == 0:
        raise DataError(
            f"corpus {corpus.name}: no hashtag has {minimum_contexts} train posts; lower "
            "`minimum_contexts`."
        )
    contexts = Rows.from_lists([episode.contexts[hashtag] for hashtag in hashtags.tolist()])
    _, first = np.unique(corpus.message_of_post[contexts.values], return_index=True)
    messages = Rows.from_lists(contexts.values[first][:, None])
    return word_counts(episode, contexts, words), word_counts(episode, messages, words)
