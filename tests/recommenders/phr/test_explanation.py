"""Posts explained: parts that add up, the attention that the model had, errors that help."""

import numpy as np
import pytest

from tfhashtag.corpus.corpus import Split
from tfhashtag.errors import ArtifactError, ConfigError, DataError
from tfhashtag.recommenders.phr.explanation import explain_post
from tfhashtag.runs.run import Run


@pytest.fixture(scope="module")
def cases(explained_post_run):
    """A function from a variant to its recommender, a post and the post's explanation.

    The post is of the test split, with text, picture and hashtags, by a user of the train posts.
    """
    made = {}

    def case(name):
        if name not in made:
            run = Run.open(explained_post_run(name))
            corpus = run.corpus
            known = set(corpus.user_of_post[corpus.split_of_post == Split.TRAIN].tolist())
            post = next(
                int(post)
                for post in np.flatnonzero(corpus.split_of_post == Split.TEST)[::-1]
                if corpus.messages[corpus.message_of_post[post]]
                and corpus.images[post]
                and len(corpus.hashtags_of_post(post))
                and int(corpus.user_of_post[post]) in known
            )
            found = explain_post(run.folder, corpus.post_ids[post], k=4)
            made[name] = run.recommender, post, found
        return made[name]

    return case


def labels_by_name(recommender):
    corpus = recommender.corpus
    return {corpus.hashtags[tag]: at for at, tag in enumerate(recommender.labels.hashtags)}


@pytest.mark.parametrize("name", ["full", "tagnet", "plain"])
def test_parts_add_up_to_what_the_recommender_scores(cases, name):
    recommender, post, found = cases(name)
    corpus, label = recommender.corpus, labels_by_name(recommender)
    scores = recommender.score_posts(np.array([post]))[0]
    assert [row.rank for row in found.hashtags[:4]] == [1, 2, 3, 4]
    for row in found.hashtags:
        assert row.logit == pytest.approx(scores[label[row.hashtag]], abs=1e-4)
        assert sum(row.parts.values()) == pytest.approx(row.logit, abs=1e-4)
    true = {corpus.hashtags[tag] for tag in corpus.hashtags_of_post(post)}
    assert {row.hashtag for row in found.hashtags if row.true} == true & set(label)
    assert {name for name, _ in found.true_hashtags} == true


def test_network_part_is_the_mlp_of_the_graph(cases):
    """By hand, with none of the residual path's code; without a graph the node is W r."""
    recommender, post, found = cases("plain")
    model, label = recommender.model, labels_by_name(recommender)
    head = model.head
    _, batch = recommender.inputs_of(np.array([post]))
    row = np.asarray(model.represent(batch)["post"])[0]
    node = 1 / (1 + np.exp(-(row @ model.graph.dense.kernel.numpy())))
    hidden = np.maximum(node @ head.hidden_dense.kernel.numpy() + head.hidden_dense.bias, 0)
    network = hidden @ head.logits_dense.kernel.numpy() + np.asarray(head.logits_dense.bias)
    bias = model.residual.classifier.bias.numpy()
    weight, scale = model.residual.weight.numpy(), model.residual.scale.numpy()
    for parts in found.hashtags:
        at = label[parts.hashtag]
        assert parts.parts["network"] == pytest.approx(network[at], abs=1e-4)
        assert parts.parts["bias"] == pytest.approx(bias[at], abs=1e-5)
        place = np.flatnonzero(batch["count_labels"][0] == at)
        signals = batch["count_signals"][0, place[0]] if len(place) else np.zeros(5)
        wanted = signals * weight[:-1] / scale[:-1]
        names = ("own", "own_share", "own_similar", "others_similar", "named")
        assert [parts.parts[name] for name in names] == pytest.approx(wanted, abs=1e-5)


def test_attention_is_a_distribution(cases):
    found = cases("full")[2]
    assert [case.side for case in found.post_tag] == ["own", "others"]
    for case in found.post_tag:
        assert sum(post.attention for post in case.posts) == pytest.approx(1, abs=1e-5)
        for post in case.posts:
            assert len(post.correlation) == len(case.hashtags)
            assert np.abs(post.correlation).max() <= 1
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


def test_falls_are_differences_of_logits(cases):
    recommender, post, found = cases("full")
    _, batch = recommender.inputs_of(np.array([post]))
    row = found.hashtags[0]
    batch["others_posts_mask"] = np.zeros_like(batch["others_posts_mask"])
    without = np.asarray(recommender.model(batch))[0, labels_by_name(recommender)[row.hashtag]]
    assert row.without["others' posts"] == pytest.approx(row.logit - without, abs=1e-4)
    assert set(row.without) == {"text", "picture", "own posts", "others' posts", "graph"}
    assert len(row.regions) == 9


def test_a_post_without_a_picture(explained_post_run):
    run = explained_post_run("full")
    corpus = Run.open(run).corpus
    bare = next(post for post in range(len(corpus)) if not corpus.images[post])
    found = explain_post(run, corpus.post_ids[bare], k=1)
    assert found.picture is None and "no picture" in found.picture_note
    assert found.hashtags[0].regions == [] and "picture" not in found.hashtags[0].without
    assert found.hashtags[0].parts["picture"] == pytest.approx(0, abs=1e-6)


def test_a_variant_shows_what_it_has(cases):
    found = cases("plain")[2]
    assert found.co_attention == [] and found.neighbours == [] and found.relations == []
    assert all(post.attention is None for case in found.post_tag for post in case.posts)
    found = cases("tagnet")[2]
    assert found.post_tag == []  # it reads used hashtags, not similar posts
    assert found.relations == ["strongest link"]
    assert list(found.hashtags[0].parts) == ["network"]


def test_errors_name_what_is_near(cases, explained_post_run, explained_user_run, tmp_path):
    run, post = explained_post_run("full"), cases("full")[2].post_id
    with pytest.raises(DataError, match=f"`post` '{post}x' is not in corpus .*nearest: {post}"):
        explain_post(run, f"{post}x")
    with pytest.raises(ConfigError, match="`k` must be at least 1, found 0"):
        explain_post(run, post, k=0)
    with pytest.raises(ConfigError, match=r"`model` is scorer; .* needs a run of model phr"):
        explain_post(explained_user_run("scorer"), post)
    with pytest.raises(ArtifactError, match="no such picture"):
        explain_post(run, post, data=tmp_path)
