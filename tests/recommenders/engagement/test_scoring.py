import keras
import numpy as np
import pytest

from tests.fixtures.corpora import POSTS, USERS, random_corpus
from tfhashtag.corpus.vocabulary import MessageWords, Vocabulary
from tfhashtag.recommenders.engagement.compose import compose
from tfhashtag.recommenders.engagement.pipeline import context_rows, history_rows
from tfhashtag.recommenders.engagement.scoring import encode_users, score_candidates
from tfhashtag.recommenders.engagement.settings import EngagementNetwork
from tfhashtag.tasks.users.episode import evaluation_episode

CORPUS = random_corpus(lambda i: f"w{i % 7} v{i % 11}", [60, 40, 100])
WORDS = MessageWords.of_messages(Vocabulary.of_messages(CORPUS.messages, 12), CORPUS.messages)


def model(topics=3):
    keras.utils.set_random_seed(0)
    made = compose(EngagementNetwork(topics=topics, hidden=4), 5, 12, seed=0)
    made.message_vectors = np.random.default_rng(1).normal(size=(POSTS, 5))
    return made


@pytest.mark.parametrize("topics", [None, 3])
def test_equals_one_pair_at_a_time_with_what_its_user_may_see(topics):
    made = model(topics)
    episode = evaluation_episode(CORPUS, 2, minimum_contexts=2)
    candidates = episode.candidates
    scores = score_candidates(made, episode, WORDS, history_length=6, contexts_length=8, seed=3)
    hidden = 0
    assert scores.shape == candidates.hashtags.values.shape
    for place in range(len(scores)):
        user = candidates.user_of_value[place : place + 1]
        hashtag = candidates.hashtags.values[place : place + 1]
        contexts = context_rows(episode, hashtag, 8, 3, users=user)
        hidden += len(episode.visible_contexts(user[0], hashtag[0])) < len(
            episode.contexts[hashtag[0]]
        )
        outputs = made(
            {
                "history": history_rows(episode, user, 6),
                "contexts": contexts[None],
                "bag_of_words": WORDS.bags(contexts)[None],
            }
        )
        np.testing.assert_allclose(scores[place], outputs["logits"][0, 0], atol=1e-5)
    assert 3 < hidden < len(scores)


def test_encoding_users_in_batches_keeps_their_order():
    rows = history_rows(evaluation_episode(CORPUS, 2), np.arange(USERS), 6)
    made = model()
    one = [np.array(made.encode_user(*made.vectors_of(row[None])))[0] for row in rows]
    np.testing.assert_allclose(encode_users(made, rows, batch_users=3), one, atol=1e-6)


def test_ranking_again_traces_nothing_and_reads_a_new_table():
    made, episode = model(), evaluation_episode(CORPUS, 2, minimum_contexts=2)

    def traces():
        return [function.experimental_get_tracing_count() for function in made._traced.values()]

    scores = score_candidates(made, episode, WORDS)
    first = traces()
    np.testing.assert_array_equal(score_candidates(made, episode, WORDS), scores)
    assert traces() == first and sum(first) >= 5
    made.message_vectors = np.random.default_rng(2).normal(size=(POSTS, 5))
    assert not np.allclose(score_candidates(made, episode, WORDS), scores)


def test_no_candidates():
    episode = evaluation_episode(CORPUS, 2, minimum_contexts=10_000)
    assert score_candidates(model(), episode, WORDS).shape == (0,)


def test_a_model_with_topics_needs_words():
    with pytest.raises(ValueError, match="`words`"):
        score_candidates(model(), evaluation_episode(CORPUS, 2, minimum_contexts=2))
