"""The words that a recommender knows."""

import numpy as np

from tfhashtag.corpus.corpus import Corpus, Split
from tfhashtag.corpus.vocabulary import Vocabulary


def train_vocabulary(corpus: Corpus, size: int) -> Vocabulary:
    """The most frequent words of the distinct messages of the train split."""
    train = np.unique(corpus.message_of_post[corpus.split_of_post == Split.TRAIN])
    return Vocabulary.of_messages((corpus.messages[message] for message in train), size)
