"""A signal taken out of made posts takes away the advantage of the side that reads it."""

import numpy as np
import pytest

from tfhashtag.corpus.corpus import Split
from tfhashtag.corpus.synthetic_posts import SOURCES, synthetic_posts, write_synthetic_posts
from tfhashtag.corpus.vocabulary import split_words
from tfhashtag.encoders import PixelImageEncoder, encode_images
from tfhashtag.encoders.encoded_corpus import EncodedCorpus
from tfhashtag.evaluation.post_metrics import evaluate_posts, rank_labels
from tfhashtag.recommenders.configuration import load_settings
from tfhashtag.recommenders.phr.recommender import PhrRecommender
from tfhashtag.training.options import TrainingOptions

pytestmark = pytest.mark.slow  # test_recommender has the fast twin: pictures and habits are learned

WIDTH = 64
SMALL = (
    "image_encoder=pixels",
    "data.words=8",
    "network.proposals=4",
    "network.features=16",
    "network.projection=16",
    "network.slots=2",
    "network.heads=1",
    "network.text=encoder",
    "network.graph=none",
    "network.pairing=none",
    "network.hidden=48",
    "network.activation=relu",
    "training.optimizer=adam",
    "training.learning_rate=0.01",
    "training.batch_posts=60",
    "training.epochs=15",
    "training.patience=0",
)
SIDES = {
    "all": "[visual, textual, own, others]",
    "no picture": "[textual, own, others]",
    # Similar posts are looked for by text, too, and theirs tells the theme: they go with it.
    "no text": "[visual]",
}


def bag(texts, words):
    rows = [[words.setdefault(word, len(words)) for word in split_words(text)] for text in texts]
    table = np.random.default_rng(0).normal(size=(2000, WIDTH)) / WIDTH**0.5
    return np.stack([table[row].sum(axis=0) for row in rows]).astype(np.float32)


def figures(made, proposals, sides):
    """F1@9 of test posts, and the share of each source's hashtags among the nine best."""
    corpus, words = made.corpus, {}
    settings = load_settings("phr_thesis", [*SMALL, f"network.sides={SIDES[sides]}"])
    recommender = PhrRecommender(settings, TrainingOptions(progress=False))
    data = EncodedCorpus(
        corpus, bag(corpus.messages, words), bag(corpus.hashtags, words), proposals
    )
    recommender.fit(data)  # in memory
    labels = recommender.labels
    posts = labels.answerable(np.flatnonzero(corpus.split_of_post == Split.TEST))
    scores, relevant = recommender.score_posts(posts), labels.rows.take(posts)
    found = {"F1": evaluate_posts(relevant, scores)["metrics"]["F1@9"]}
    ranked = rank_labels(scores, 9)
    first = corpus.hashtag_offsets
    hits = {source: [] for source in SOURCES}
    for row, post in enumerate(posts):
        tags = corpus.hashtag_values[first[post] : first[post + 1]]
        for tag, source in zip(tags, made.sources[first[post] : first[post + 1]], strict=True):
            label = np.flatnonzero(labels.hashtags == tag)
            if len(label):
                hits[SOURCES[source]].append(label[0] in ranked[row])
    return found | {source: np.mean(hit) for source, hit in hits.items() if hit}


@pytest.fixture(scope="module")
def worlds(tmp_path_factory):
    """Two corpora that differ in the hashtags of pictures alone, and what systems find in them."""
    folder = tmp_path_factory.mktemp("signals")
    found = {}
    for world, picture in (("with", 2.0), ("without", 0.0)):
        made = synthetic_posts(
            700, 35, seed=1, themes=5, similar=0, noise=0.2, picture=picture, text=2
        )
        write_synthetic_posts(made, folder / world)
        proposals = encode_images(folder / world, made.corpus, PixelImageEncoder(4), progress=False)
        for sides in SIDES if world == "with" else ("all", "no picture"):
            found[world, sides] = figures(made, proposals, sides)
    return found


def test_each_side_finds_the_hashtags_of_its_signal(worlds):
    everything, blind, mute = (worlds["with", sides] for sides in SIDES)
    assert everything["picture"] > 0.8 and everything["text"] > 0.7
    assert everything["picture"] > blind["picture"] + 0.15
    assert everything["text"] > mute["text"] + 0.25
    assert abs(everything["text"] - blind["text"]) < 0.15
    assert abs(everything["picture"] - mute["picture"]) < 0.15


def test_advantage_goes_with_the_signal(worlds):
    assert worlds["with", "all"]["F1"] > worlds["with", "no picture"]["F1"] + 0.04
    assert worlds["without", "all"]["F1"] < worlds["without", "no picture"]["F1"] + 0.02
