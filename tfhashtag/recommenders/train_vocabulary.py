"""The words that a recommender knows."""

from tfhashtag.corpus.corpus import Corpus, Split
from tfhashtag.corpus.rows import sorted_distinct
from tfhashtag.corpus.vocabulary import Vocabulary


def train_vocabulary(corpus: Corpus, size: int) -> Vocabulary:
    """The most frequent words of the distinct messages of the train split."""
    train = sorted_distinct(corpus.message_of_post[corpus.split_of_post == Split.TRAIN])
    return Vocabulary.of_messages((corpus.messages[message] for message in train), size)
