"""Posts explained: parts that add up, the attention that the model had, errors that help."""

import numpy as np
import pytest

from tfhashtag.data.corpus import Split
from tfhashtag.errors import ArtifactError, ConfigError, DataError
from tfhashtag.explain import explain_post
from tfhashtag.training.run import Run


def some_post(run):
    """A test post with text, picture and hashtags, by a user of the train posts."""
    corpus = Run.open(run).corpus
    known = set(corpus.user_of_post[corpus.split_of_post == Split.TRAIN].tolist())
    return next(
        int(post)
        for post in np.flatnonzero(corpus.split_of_post == Split.TEST)[::-1]
        if corpus.messages[corpus.message_of_post[post]]
        and corpus.images[post]
        and len(corpus.hashtags_of_post(post))
        and int(corpus.user_of_post[post]) in known
    )


@pytest.mark.parametrize("name", ["full", "tagnet", "plain"])
def test_parts_add_up_to_what_the_recommender_scores(post_run, name):
    run = post_run(name)
    post = some_post(run)
    opened = Run.open(run)
    found = explain_post(run, opened.corpus.post_ids[post], k=4)
    recommender = opened.load_recommender()
    scores = recommender.score(np.array([post]))[0]
    label = {opened.corpus.hashtags[tag]: at for at, tag in enumerate(recommender.labels.hashtags)}
    assert [row.rank for row in found.hashtags[:4]] == [1, 2, 3, 4]
    for row in found.hashtags:
        assert row.logit == pytest.approx(scores[label[row.hashtag]], abs=1e-4)
        assert sum(row.parts.values()) == pytest.approx(row.logit, abs=1e-4)
    true = {opened.corpus.hashtags[tag] for tag in opened.corpus.hashtags_of_post(post)}
    assert {row.hashtag for row in found.hashtags if row.true} == true & set(label)
    assert {name for name, _ in found.true_hashtags} == true


def test_network_part_is_the_mlp_of_the_graph(post_run):
    """By hand, with none of the residual path's code; without a graph the node is W r."""
    run = post_run("plain")
    opened = Run.open(run)
    post = some_post(run)
    found = explain_post(run, opened.corpus.post_ids[post], k=3)
    recommender = opened.load_recommender()
    model = recommender.model
    _, batch = recommender.inputs_of(np.array([post]))
    row = np.asarray(model.represent(batch)["post"])[0]
    node = 1 / (1 + np.exp(-(row @ model.graph.kernel.numpy())))
    hidden = np.maximum(node @ model.hidden_dense.kernel.numpy() + model.hidden_dense.bias, 0)
    network = hidden @ model.logits_dense.kernel.numpy() + np.asarray(model.logits_dense.bias)
    corpus = opened.corpus
    for parts in found.hashtags:
        label = np.flatnonzero(
            [corpus.hashtags[tag] == parts.hashtag for tag in recommender.labels.hashtags]
        )[0]
        assert parts.parts["network"] == pytest.approx(network[label], abs=1e-4)
        bias = model.residual.classifier.bias.numpy()[label]
        assert parts.parts["bias"] == pytest.approx(bias, abs=1e-5)


def test_attention_is_a_distribution(post_run):
    run = post_run("full")
    corpus = Run.open(run).corpus
    found = explain_post(run, corpus.post_ids[some_post(run)])
    assert [case.side for case in found.post_tag] == ["own", "others"]
    for case in found.post_tag:
        assert sum(post.attention for post in case.posts) == pytest.approx(1, abs=1e-5)
        for post in case.posts:
            assert len(post.correlation) == len(case.hashtags)
            assert np.abs(post.correlation).max() <= 1
            assert set(post.hashtags) & set(case.hashtags)
        similarity = [post.similarity for post in case.posts]
        assert similarity == sorted(similarity, reverse=True)
    assert len(found.co_attention) == 12 and found.grid == 3
    for row in found.co_attention:
        assert sum(row.weights) == pytest.approx(1, abs=1e-5) and len(row.weights) == 9
    names = [row.name for row in found.co_attention]
    assert len(set(names)) == 12 and {"T,V", "V,T"} <= set(names)
    assert found.relations == ["visual", "textual"]
    weights = [max(neighbour.weights.values()) for neighbour in found.neighbours]
    assert weights == sorted(weights, reverse=True) and weights[0] > 0.1


def test_falls_are_differences_of_logits(post_run):
    run = post_run("full")
    opened = Run.open(run)
    post = some_post(run)
    found = explain_post(run, opened.corpus.post_ids[post], k=2)
    recommender = opened.load_recommender()
    _, batch = recommender.inputs_of(np.array([post]))
    best = recommender.score(np.array([post]))[0].argmax()
    batch["others_posts_mask"] = np.zeros_like(batch["others_posts_mask"])
    without = np.asarray(recommender.model(batch))[0, best]
    row = found.hashtags[0]
    assert row.without["others' posts"] == pytest.approx(row.logit - without, abs=1e-4)
    assert set(row.without) == {"text", "picture", "own posts", "others' posts", "graph"}
    assert len(row.regions) == 9


def test_a_post_without_a_picture(post_run):
    run = post_run("full")
    corpus = Run.open(run).corpus
    bare = next(post for post in range(len(corpus)) if not corpus.images[post])
    found = explain_post(run, corpus.post_ids[bare], k=1)
    assert found.picture is None and "no picture" in found.picture_note
    assert found.hashtags[0].regions == [] and "picture" not in found.hashtags[0].without
    assert found.hashtags[0].parts["picture"] == pytest.approx(0, abs=1e-6)


def test_a_variant_shows_what_it_has(post_run):
    corpus = Run.open(post_run("plain")).corpus
    found = explain_post(post_run("plain"), corpus.post_ids[some_post(post_run("plain"))])
    assert found.co_attention == [] and found.neighbours == [] and found.relations == []
    assert all(post.attention is None for case in found.post_tag for post in case.posts)
    found = explain_post(post_run("tagnet"), corpus.post_ids[some_post(post_run("tagnet"))])
    assert [case.side for case in found.post_tag] == []  # reads used hashtags, not similar posts
    assert found.relations == ["strongest link"]
    assert list(found.hashtags[0].parts) == ["network"]


def test_errors_name_what_is_near(post_run, tmp_path):
    run = post_run("full")
    corpus = Run.open(run).corpus
    post = corpus.post_ids[some_post(run)]
    with pytest.raises(DataError, match=f"`post` '{post}x' is not in corpus .*nearest: {post}"):
        explain_post(run, f"{post}x")
    with pytest.raises(ConfigError, match="`k` must be at least 1, found 0"):
        explain_post(run, post, k=0)
    with pytest.raises(ConfigError, match=r"`model` is macon; .* needs a run of model phr"):
        explain_post(post_run("macon"), post)
    with pytest.raises(ArtifactError, match="no such picture"):
        explain_post(run, post, data=tmp_path)
