"""Posts explained: parts that add up, the attention that the model had, errors that help."""

import numpy as np
import pytest

from tfhashtag.corpus.corpus import Split
from tfhashtag.errors import ArtifactError, ConfigError, DataError
from tfhashtag.explain.explanation import Bars, HeatMap, Items, Regions
from tfhashtag.recommenders.phr.explanation import WORDS, explain_post
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
            recommender = run.recommender
            found = explain_post(recommender, corpus.post_ids[post], k=4)
            made[name] = recommender, post, found
        return made[name]

    return case


def labels_by_name(recommender):
    corpus = recommender.corpus
    return {f"#{corpus.hashtags[tag]}": at for at, tag in enumerate(recommender.labels.hashtags)}


def parts_of(found):
    """Each part of the scores by its technical name."""
    scores = found.panel("scores", Items)
    names = {f"{words} ({name})": name for name, words in WORDS.items()}
    return {names[c.name]: c.values for c in scores.columns if c.name in names}


def keys(found):
    return [panel.key for panel in found.panels]


# The others are the fast twins: one has all parts, the other none.
@pytest.mark.parametrize("name", ["full", pytest.param("tagnet", marks=pytest.mark.slow), "plain"])
def test_parts_add_up_to_what_the_recommender_scores(cases, name):
    recommender, post, found = cases(name)
    corpus, label = recommender.corpus, labels_by_name(recommender)
    logits = recommender.score_posts(np.array([post]))[0]
    scores, shown = found.panel("scores", Items), found.about["hashtags"]
    assert scores.column("rank")[:4] == [1, 2, 3, 4]
    expected = [logits[label[hashtag]] for hashtag in shown]
    assert scores.column("logit") == pytest.approx(expected, abs=1e-4)
    assert np.sum(list(parts_of(found).values()), axis=0) == pytest.approx(expected, abs=1e-4)
    drawn = found.panel("parts", Bars)
    assert list(drawn.series.values()) == list(parts_of(found).values())
    assert drawn.marks[1] == scores.column("logit")
    true = {f"#{corpus.hashtags[tag]}" for tag in corpus.hashtags_of_post(post)}
    assert {shown[row] for row in scores.marked} == true & set(label)
    assert set(found.about["true_hashtags"]) == true


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
    network += hidden @ np.array(head.vectors.query_dense.kernel) @ np.array(head.vectors.names).T
    bias = model.residual.classifier.bias.numpy()
    weight, scale = model.residual.weight.numpy(), model.residual.scale.numpy()
    parts = parts_of(found)
    assert np.ptp(parts["own_names"]) > 0 and np.ptp(parts["others_names"]) > 0
    for row, hashtag in enumerate(found.about["hashtags"]):
        at = label[hashtag]
        assert parts["network"][row] == pytest.approx(network[at], abs=1e-4)
        assert parts["bias"][row] == pytest.approx(bias[at], abs=1e-5)
        place = np.flatnonzero(batch["count_labels"][0] == at)
        signals = batch["count_signals"][0, place[0]] if len(place) else np.zeros(5)
        wanted = signals * weight[:-1] / scale[:-1]
        names = ("own", "own_share", "own_similar", "others_similar", "named")
        assert [parts[name][row] for name in names] == pytest.approx(wanted, abs=1e-5)


def test_attention_is_a_distribution(cases):
    found = cases("full")[2]
    for side in ("own", "others"):
        seen, posts = (
            found.panel(f"post_tag_{side}", HeatMap),
            found.panel(f"similar_{side}", Items),
        )
        assert sum(posts.column("attention")) == pytest.approx(1, abs=1e-5)
        assert seen.weights[1] == posts.column("attention")
        assert all(len(row) == len(seen.columns) for row in seen.values)
        assert np.abs(seen.values).max() <= 1
        similarity = posts.column("similarity")
        assert similarity == sorted(similarity, reverse=True)
    pairs = found.panel("co_attention", HeatMap)
    assert np.shape(pairs.values) == (12, 9)
    assert np.sum(pairs.values, axis=1) == pytest.approx(np.ones(12), abs=1e-5)
    assert len(set(pairs.rows)) == 12 and {"π T,V (15)", "π V,T (16)"} <= set(pairs.rows)
    graph = found.panel("graph", Bars)
    assert list(graph.series) == ["visual", "textual"]
    weights = np.max(list(graph.series.values()), axis=0).tolist()
    assert weights == sorted(weights, reverse=True) and weights[0] > 0.1


def test_falls_are_differences_of_logits(cases):
    recommender, post, found = cases("full")
    _, batch = recommender.inputs_of(np.array([post]))
    batch["others_posts_mask"] = np.zeros_like(batch["others_posts_mask"])
    best = found.about["hashtags"][0]
    without = np.asarray(recommender.model(batch))[0, labels_by_name(recommender)[best]]
    falls, logit = found.panel("falls", Items), found.panel("scores", Items).column("logit")[0]
    assert falls.column("others' posts")[0] == pytest.approx(logit - without, abs=1e-4)
    names = {column.name for column in falls.columns[1:]}
    assert names == {"text", "picture", "own posts", "others' posts", "graph"}
    regions = found.panel("regions", Regions)
    fall = next(values for name, values, _ in regions.maps if name == f"fall of {best}")
    assert regions.side == 3 and len(fall) == 9


def test_a_post_without_a_picture(cases):
    recommender = cases("full")[0]
    corpus = recommender.corpus
    bare = next(post for post in range(len(corpus)) if not corpus.images[post])
    found = explain_post(recommender, corpus.post_ids[bare], k=1)
    assert "The post has no picture." in found.facts and "regions" not in keys(found)
    falls = [panel for panel in found.panels if panel.key == "falls"]
    assert falls and all(column.name != "picture" for panel in falls for column in panel.columns)
    assert parts_of(found)["picture"][0] == pytest.approx(0, abs=1e-6)


def test_a_hashtag_that_is_asked_for_is_shown(cases):
    recommender, post, found = cases("full")
    shown = found.about["hashtags"]
    corpus, labels = recommender.corpus, labels_by_name(recommender)
    first = f"#{corpus.hashtags[int(recommender.labels.hashtags[0])]}"
    for other in (next(name for name in labels if name not in shown), first):
        again = explain_post(recommender, corpus.post_ids[post], other, k=4)
        assert set(again.about["hashtags"]) == {*shown, other}
    assert recommender.labels.hashtags[0] == 0  # a place, and not false


def test_a_variant_shows_what_it_has(cases):
    found = cases("plain")[2]
    assert {"co_attention", "graph", "post_tag_own", "post_tag_others"}.isdisjoint(keys(found))
    assert "attention" not in [c.name for c in found.panel("similar_others", Items).columns]
    assert any("nothing of a graph" in fact for fact in found.facts)
    found = cases("tagnet")[2]
    assert "similar_own" not in keys(found)  # it reads used hashtags, not similar posts
    assert list(found.panel("graph", Bars).series) == ["strongest link"]
    assert list(parts_of(found)) == ["network"]


def test_errors_name_what_is_near(cases, tmp_path):
    recommender, row, _ = cases("full")
    post = recommender.corpus.post_ids[row]
    with pytest.raises(DataError, match=f"`post` '{post}x' is not in corpus .*nearest: {post}"):
        explain_post(recommender, f"{post}x")
    with pytest.raises(ConfigError, match="`k` must be at least 1, found 0"):
        explain_post(recommender, post, k=0)
    with pytest.raises(ArtifactError, match="no such picture"):
        explain_post(recommender, post, pictures=tmp_path)
