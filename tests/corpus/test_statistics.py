"""Table 1 of both seeds on a corpus counted by hand."""

from tfhashtag.corpus.corpus import Split
from tfhashtag.corpus.statistics import statistics_of


def test_tables_by_hand(make_corpus):
    corpus = make_corpus(
        [
            ("a", "Good book, good read", ["books", "read"], Split.TRAIN),
            ("a", "a match", ["goal"], Split.TRAIN),
            ("a", "a match", ["new", "goal"], Split.TEST),
            ("b", "", ["books"], Split.TRAIN),
        ]
    )
    statistics = statistics_of(corpus)
    assert dict(statistics.rows()) == {
        "Number of Tweets": "4",
        "Number of Users": "2",
        "Number of Hashtags": "4",
        "Average tweet number per user": "2.0",
        "Average hashtag number per user": "2.0",
        "Average tweet number per hashtag": "1.5",
        "New Hashtag Rate (%)": "50.0",
    }
    assert dict(statistics.post_rows()) == {
        "#Posts": "4",
        "#Users": "2",
        "#Hashtags": "4",
        "#Words": "5",
        "#Avg_tag": "1.500",
        "#Avg_word": "2.000",
    }
