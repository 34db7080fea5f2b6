"""The recommended model of posts: learns, explains, reports its sources, ranks what is new."""

import dataclasses
import json
import shutil

import numpy as np
import pytest

from tfhashtag.cli.main import main
from tfhashtag.corpus.corpus import Split
from tfhashtag.corpus.rows import Rows
from tfhashtag.encoders.encoded_corpus import EncodedCorpus
from tfhashtag.errors import ArtifactError, ConfigError, DataError
from tfhashtag.evaluation.post_metrics import evaluate_posts
from tfhashtag.explain.explanation import Bars, Items
from tfhashtag.recommenders import post_recommender
from tfhashtag.recommenders.configuration import load_settings
from tfhashtag.recommenders.post_ranker import recommender as recommender_module
from tfhashtag.recommenders.post_ranker.kept_tables import read_classifiers
from tfhashtag.recommenders.post_ranker.posts_at import PostsAt
from tfhashtag.recommenders.post_ranker.recommender import PostRankerRecommender
from tfhashtag.recommenders.rules.post_recommender import PostRuleRecommender
from tfhashtag.recommenders.rules.posts import PopularHashtags
from tfhashtag.runs.run import Run
from tfhashtag.runs.train import train
from tfhashtag.training.options import TrainingOptions

QUIET = TrainingOptions(progress=False)
SMALL = (
    "data.hashtag_names=none",
    "data.minimum_posts=3",
    "data.taste_width=4",
    "network.members=2",
    "network.hidden=[8]",
    "training.futures=[[0.6, 1.0]]",
    "training.batch_posts=8",
    "training.learning_rate=1e-2",
)


@pytest.fixture(scope="module")
def run(encoded_corpus, tmp_path_factory):
    sets = (f"text_encoder={encoded_corpus[1]}", *SMALL)
    out = tmp_path_factory.mktemp("ranker") / "run"
    return train("posts", encoded_corpus[0], out, overrides=sets, options=QUIET)


def test_learns_what_popularity_does_not_know(run):
    lines = [json.loads(line) for line in (run.folder / "training.jsonl").read_text().splitlines()]
    phases = [line["phase"] for line in lines if "phase" in line]
    assert phases == ["futures"] * 3 + ["refit"] * 3
    queries = run.task.queries(run.corpus, run.settings.data, Split.TEST)
    scores = {
        "ours": run.recommender.score(queries),
        "popular": PopularHashtags(run.corpus, queries.labels).score(queries.posts),
    }
    found = {
        name: evaluate_posts(queries.relevant, values, posts=queries.posts)["metrics"]["F1@3"]
        for name, values in scores.items()
    }
    assert found["ours"] > 2 * found["popular"]
    chances = 1 / (1 + np.exp(-scores["ours"].astype(float)))
    assert chances.sum() / len(queries.relevant.values) == pytest.approx(1, abs=0.4)


def test_explains(run, tmp_path, capsys):
    post = run.corpus.post_ids[np.flatnonzero(run.corpus.split_of_post == Split.TEST)[0]]
    found = run.explain(post=post)
    best = found.panel("scores", Items).column("hashtag")[0]
    assert found.title == f"{best} for post {post}"
    signals = found.panel("all_signals", Items)
    parts = sum(signals.column("part of the logit"))
    assert found.about["baseline"] + parts == pytest.approx(found.about["logit"], abs=1e-4)
    assert found.about["sources"] and len(found.panel("signals", Bars).rows) == 20
    assert len(found.panel("own", Items).column("post")) == 10
    other = found.panel("scores", Items).column("hashtag")[2]
    assert run.explain(post=post, hashtag=other).about["hashtag"] == other[1:]
    with pytest.raises(ConfigError, match="`k` must be at least 1"):
        run.explain(post=post, k=0)


def test_a_known_post_is_explained_as_if_it_were_new(run, tmp_path):
    """Nothing that the run knows of it speaks for its hashtags: it ranks as a corpus without it."""
    labelled = run.recommender.labels.answerable(
        np.flatnonzero(run.corpus.split_of_post == Split.TRAIN)
    )
    post = int(labelled[-1])
    with pytest.raises(DataError, match="is a train post"):
        run.recommender.score_posts(np.array([post]))
    found = run.explain(post=run.corpus.post_ids[post])
    assert "was set aside" in found.facts[0]
    splits = run.corpus.split_of_post.copy()
    splits[post] = Split.TEST
    without = dataclasses.replace(run.corpus, split_of_post=splits)
    asked = dataclasses.replace(run.data, corpus=without)
    PostRankerRecommender.carry(run.settings, run.corpus, asked, run.weights, tmp_path / "weights")
    model = PostRankerRecommender.load(tmp_path / "weights", run.settings, asked)
    (scores,) = model.score_posts(np.array([post]))
    best = np.argsort(-scores, kind="stable")[0]
    assert found.about["hashtag"] == run.corpus.hashtags[model.labels.hashtags[best]]
    assert found.about["logit"] == pytest.approx(float(scores[best]), abs=1e-4)
    assert run.corpus.post_ids[post] not in found.panel("own", Items).column("post")


def test_classifiers_are_those_of_the_run(run, tmp_path, monkeypatch):
    shutil.copytree(run.folder, tmp_path / "run")
    with monkeypatch.context() as patched:
        patched.delattr("tfhashtag.recommenders.post_ranker.tables.softmax_classifier")
        again = Run.open(tmp_path / "run").recommender.present.moment.kinds["text"]
    trained = moment_of_run(run).kinds["text"]
    for one, other in zip(again.classifiers, trained.classifiers, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)
    file = tmp_path / "run" / "weights" / "classifiers.npz"
    others = dataclasses.replace(run.corpus, user_of_post=run.corpus.user_of_post[::-1])
    count = len(run.recommender.labels)
    assert read_classifiers(file, run.corpus, count).keys() == {"text"}
    assert read_classifiers(file, others, count) is None
    assert read_classifiers(file, run.corpus, count + 1) is None  # an earlier version's
    file.write_bytes(file.read_bytes()[:200])
    with pytest.raises(ArtifactError, match=r"classifiers\.npz: cannot be read .* Train again"):
        PostRankerRecommender.load(file.parent, run.settings, run.data)
    file.unlink()
    with pytest.raises(ArtifactError, match="an earlier version of the model"):
        read_classifiers(file, run.corpus, count)


def moment_of_run(run):
    """The tables as they are made without the kept file."""
    recommender = run.recommender
    return PostsAt(run.corpus, recommender._reads, run.settings.data).moment


def test_reports_its_sources(run, tmp_path, capsys):
    main(["eval", str(run.folder), "--retrieval", "--split", "valid", "--out", str(tmp_path)])
    told = capsys.readouterr().out
    rows = json.loads((tmp_path / "retrieval.json").read_text())["sources"]
    assert {"own", "text_others", "popular", "all"} <= {row["source"] for row in rows}
    whole = rows[-1]
    assert whole["source"] == "all" and f"{whole['recall']:.4f}" in told
    assert max(row["recall"] for row in rows) == whole["recall"] <= 1
    assert sum(row.get("alone", 0) for row in rows) <= whole["recall"]
    rule = PostRuleRecommender(load_settings("post_popularity"))
    with pytest.raises(ConfigError, match="no candidate sources"):
        rule.retrieval_recall(run.task.queries(run.corpus, run.settings.data, Split.TEST))


def test_weights_rank_a_hashtag_that_they_never_saw(run):
    """Known posts may change under the weights: they read signals, never which hashtag it is."""
    corpus, data = run.corpus, run.data
    rows = Rows(corpus.hashtag_offsets, corpus.hashtag_values)
    mine = np.flatnonzero((corpus.user_of_post == 0) & (corpus.split_of_post == Split.TRAIN))
    fresh = len(corpus.hashtags)
    lists = [[*rows[post], *([fresh] if post in mine else [])] for post in range(len(corpus))]
    found = Rows.from_lists(lists)
    other = dataclasses.replace(
        corpus,
        hashtags=[*corpus.hashtags, "fresh"],
        hashtag_offsets=found.offsets,
        hashtag_values=found.values,
    )
    loaded = PostRankerRecommender.load(
        run.weights, run.settings, EncodedCorpus(other, data.texts, None, None, "table", "none")
    )
    queries = run.task.queries(other, run.settings.data, Split.TEST)
    best = loaded.rank(queries, 10).best(10)
    for post in queries.posts[other.user_of_post[queries.posts] == 0]:
        assert "fresh" in dict(best[other.post_ids[post]])


def test_blocks_and_draws_change_nothing_that_is_small_enough(run, monkeypatch):
    recommender, corpus = run.recommender, run.corpus
    queries = run.task.queries(corpus, run.settings.data, Split.VALID)
    posts, valid = np.asarray(queries.posts), recommender._valid_moment()
    whole, part = recommender.rank(queries), recommender.present.lists(posts)
    measured = recommender._measured(valid, part, ())
    for module in (post_recommender, recommender_module):
        monkeypatch.setattr(module, "SCORES", 7 * len(recommender.labels))
    blocks = recommender.rank(queries)
    for name in ("users", "labels"):
        np.testing.assert_array_equal(getattr(blocks.lists, name), getattr(whole.lists, name))
    np.testing.assert_array_equal(blocks.lists.hashtags.values, whole.lists.hashtags.values)
    np.testing.assert_array_equal(blocks.lists.hashtags.offsets, whole.lists.hashtags.offsets)
    assert recommender._measured(valid, part, ()) == measured
    assert recommender_module._drawn(run.settings, posts) is posts
    training = run.settings.training.model_copy(update={"posts": 5})
    few = PostRankerRecommender(run.settings.model_copy(update={"training": training}))
    drawn = recommender_module._drawn(few.settings, posts)
    assert len(drawn) == 5 and set(drawn) < set(posts) and np.all(np.diff(drawn) > 0)
    few.begin(run.data)
    assert few.list_parts() == {"future-1": 5, "valid": 5}
