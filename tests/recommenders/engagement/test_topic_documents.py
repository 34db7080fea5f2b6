"""What topics are learnt from, and judged by."""

import numpy as np
import pytest

from tfhashtag.corpus.vocabulary import MessageWords, Vocabulary
from tfhashtag.errors import DataError
from tfhashtag.recommenders.engagement.topic_documents import topic_documents

POSTS = [
    ("ada", "good book", ["read", "rare"], 0),
    ("bea", "a good read", ["read"], 0),
    ("bea", "good book", ["read"], 0),
    ("ada", "only here", ["rare"], 0),
    ("ada", "book book book", ["read", "rare"], 2),
]


def test_train_posts_of_frequent_hashtags(make_corpus):
    corpus = make_corpus(POSTS)
    vocabulary = Vocabulary(["book", "good", "read", "only"])
    words = MessageWords.of_messages(vocabulary, corpus.messages)
    documents, messages = topic_documents(corpus, words, 3)
    assert documents.toarray().tolist() == [[2, 3, 1, 0]]  # a repeated text counts twice
    assert sorted(messages.toarray().tolist()) == [[0, 1, 1, 0], [1, 1, 0, 0]]  # here once
    documents, messages = topic_documents(corpus, words, 2)
    assert documents.toarray().tolist() == [[2, 3, 1, 0], [1, 1, 0, 1]]
    assert messages.shape == (3, 4) and np.all(messages.toarray().max() == 1)
    with pytest.raises(DataError, match="no hashtag has 4 train posts"):
        topic_documents(corpus, words, 4)
