"""What the settings of the topic model's own phase do to it."""

import numpy as np

from tfhashtag.layers import NeuralTopicModel
from tfhashtag.recommenders.engagement.topic_documents import topic_documents
from tfhashtag.recommenders.engagement.topic_start import start_from_clusters
from tfhashtag.runs.train import train
from tfhashtag.training.options import TrainingOptions

ALONE = ("training.epochs.warmup=0", "training.epochs.joint=0", "network.topic_start=clusters")


def kernel(encoded_corpus, overrides, out):
    run = train(
        "engagement_paper",
        encoded_corpus[0],
        out,
        overrides=overrides,
        options=TrainingOptions(progress=False),
    )
    recommender = run.recommender
    documents, _ = topic_documents(run.corpus, recommender.words, 5)
    return np.array(recommender.model.topic_model.decoder_dense.kernel), documents


def test_start_from_clusters_and_own_learning_rate(encoded_corpus, settings_of, tmp_path):
    still = settings_of(*ALONE, "training.topic_learning_rate=1e-12")
    found, documents = kernel(encoded_corpus, still, tmp_path / "still")
    expected = NeuralTopicModel(vocabulary_size=documents.shape[1], topics=4, hidden=8)
    expected.build((None, documents.shape[1]))
    start_from_clusters(expected, documents, seed=0)
    np.testing.assert_allclose(found, np.array(expected.decoder_dense.kernel), atol=1e-6)
    moved, _ = kernel(encoded_corpus, settings_of(*ALONE), tmp_path / "moved")
    assert np.abs(moved - found).max() > 1e-4
