"""The real export of both models: in process, in C and over gRPC the same answers.

The recommended model is the fast twin of the published one, whose code around its scores is the
same; that each graph gives its recommender's scores is tested of both.
"""

import shutil

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from tests.c_program import can_compile, run_in_c
from tests.fixtures.export import two_people_rise
from tfhashtag.corpus.rows import Rows
from tfhashtag.errors import DataError
from tfhashtag.explain.explanation import Items
from tfhashtag.export.saved_model import CALLS, write_signatures
from tfhashtag.tasks.users import servable
from tfhashtag.tasks.users.episode import catalogue_episode
from tfhashtag.tasks.users.signatures import SIGNATURES as USERS
from tfhashtag.tasks.users.task import UserQueries, history_strings

PAPER = pytest.param("engagement_paper", marks=pytest.mark.slow)


@pytest.fixture(scope="module", params=["engagement", PAPER])
def run(request, user_run):
    return user_run(request.param)


@pytest.fixture(scope="module")
def version(run, user_version):
    return user_version(run.folder.name)


@pytest.fixture(scope="module")
def model(run):
    with two_people_rise():  # as the export was made
        return run.recommender.servable(5)


def test_what_signatures_share_is_written_once(version):
    """And not looked into, for shapes that are known, wherever it is called."""
    model = saved_model_pb2.SavedModel.FromString((version / "saved_model.pb").read_bytes())
    graph = model.meta_graphs[0].graph_def
    functions = graph.library.function
    calls = [
        node
        for nodes in (graph.node, *(function.node_def for function in functions))
        for node in nodes
        if node.op in CALLS
    ]
    assert len(calls) > len(USERS)
    assert all(node.attr["_disable_call_shape_inference"].b for node in calls)
    for shared in ("_read_distinct_", "_user_state_", "_rank_"):
        assert sum(shared in function.signature.name for function in functions) == 1, shared


def history_of(run, user, length=50):
    posts = np.flatnonzero(run.corpus.user_of_post == user)[-length:]
    return history_strings(run.corpus, user, posts)


def padded(rows):
    width = max(map(len, rows))
    return np.array([[*row, *[""] * (width - len(row))] for row in rows], object)


@pytest.mark.parametrize("run", ["engagement_paper", "engagement"], indirect=True)
def test_scores_of_the_graph_are_those_of_the_recommender(run, model):
    episode = catalogue_episode(run.corpus)
    hashtags = episode.catalogue
    users = np.arange(8, dtype=np.int32)
    pairs = [
        [h for h in hashtags if len(episode.visible_contexts(user, h)) == len(episode.contexts[h])]
        for user in users
    ]
    assert min(map(len, pairs)) > 3
    from tfhashtag.corpus.candidates import Candidates

    lists = Rows.from_lists(pairs)
    labels = np.zeros(len(lists.values), np.int8)
    scores = run.recommender.score(
        UserQueries(episode.with_candidates(Candidates(users, lists, labels)))
    )
    names = padded([[run.corpus.hashtags[h] for h in row] for row in pairs])
    answer = model.score(
        tf.constant(padded([history_of(run, user) for user in users])), tf.constant(names)
    )
    known = answer["known"].numpy()
    assert known.sum() == len(lists.values)
    expected = 1 / (1 + np.exp(-scores))
    apart = np.abs(answer["scores"].numpy()[known] - expected)
    # What lies on a threshold of a tree may go the other way by rounding.
    assert np.mean(apart > 5e-5) < 0.01 and np.max(apart) < 0.02


ALL = ("top_k", "score", "score_contexts", "embed_user", "trending")


@pytest.mark.skipif(not can_compile(), reason="no C compiler on this machine")
@pytest.mark.parametrize(
    ("run", "signatures"),
    [
        ("engagement", ("serving_default",)),
        pytest.param("engagement", (*ALL, "explain"), marks=pytest.mark.slow),
        pytest.param("engagement_paper", ("serving_default", *ALL), marks=pytest.mark.slow),
    ],
    indirect=["run"],
)
def test_c_program_gives_the_answers_of_the_process(run, signatures, model, version):
    history = padded([history_of(run, 0), history_of(run, 1, 2), [""]])
    contexts = np.array([[["good thriller", "a novel"], ["goal", ""], ["", ""]]] * 3, object)
    hashtags = np.array([["books", "nobody knows this"]] * 3, object)
    named = np.array(["#Books", "nobody knows this", "match"], object)
    questions = {
        "serving_default": {"history": history},
        "top_k": {"history": history, "k": np.int32(3)},
        "score": {"history": history, "hashtags": hashtags},
        "score_contexts": {"history": history, "contexts": contexts},
        "embed_user": {"history": history},
        "trending": {"k": np.int32(3)},
        "explain": {"history": history, "hashtag": named},
    }
    for signature in signatures:
        inputs = questions[signature]
        expected = getattr(model, signature)(*(tf.constant(value) for value in inputs.values()))
        found = run_in_c(version, inputs, signature)
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            if value.dtype == tf.string:
                assert found[name].tolist() == value.numpy().tolist()
            else:
                assert np.isfinite(found[name]).all()
                # It optimises the graph, which adds up in another order; parts of trees jump.
                most = 5e-4 if signature == "explain" else 1e-5
                np.testing.assert_allclose(found[name], value.numpy(), rtol=2e-5, atol=most)


def test_answers_are_as_documented(run, model):
    history = tf.constant(padded([history_of(run, 0)]))
    best = model.serving_default(history)
    assert best["hashtags"].shape == best["scores"].shape == (1, 5)
    assert np.all(np.diff(best["scores"][0]) <= 0)
    size = int(model.names.shape[0])
    assert model.top_k(history, tf.constant(10**6))["hashtags"].shape == (1, size)
    assert model.top_k(history, tf.constant(-3))["hashtags"].shape == (1, 1)
    unknown = model.score(history, tf.constant([["never seen", ""]]))
    assert unknown["scores"].numpy().tolist() == [[0.0, 0.0]]
    assert not unknown["known"].numpy().any()


def test_padding_and_company_change_nothing(run, model):
    alone = model.serving_default(tf.constant(padded([history_of(run, 3)])))
    longer = padded([history_of(run, 3), ["x"] * 60, [""]])
    together = model.serving_default(tf.constant(longer))
    assert alone["hashtags"][0].numpy().tolist() == together["hashtags"][0].numpy().tolist()
    np.testing.assert_allclose(alone["scores"][0], together["scores"][0], atol=1e-5)
    long = model.embed_user(tf.constant([["", "the match #goal", "", *["x"] * 49, "tea", ""]]))
    newest = model.embed_user(tf.constant([[*["x"] * 49, "tea"]]))
    np.testing.assert_allclose(long["embedding"], newest["embedding"], atol=1e-6)
    moved = model.embed_user(tf.constant([["the match #goal", *["x"] * 48, "tea"]]))
    assert np.abs(moved["embedding"] - newest["embedding"]).max() > 1e-3
    messages = ["good thriller", "a novel"]
    contexts = tf.constant([[[*messages, "", ""], ["", "", "", ""]]])
    narrow = tf.constant([[messages]])
    history = tf.constant(padded([history_of(run, 3)]))
    wide = model.score_contexts(history, contexts)
    np.testing.assert_allclose(
        wide["scores"][0, 0], model.score_contexts(history, narrow)["scores"][0, 0], atol=1e-5
    )
    assert wide["attention"].numpy()[0, 0, 2:].tolist() == [0, 0]


def test_blocks_change_nothing(run, model, monkeypatch):
    """A request is answered for few users and few messages at a time, to the same answers."""
    history = padded([history_of(run, user, 5) for user in range(5)] + [[""]])
    contexts = np.resize(np.array(["good thriller", "a novel", "", "goal"], object), (6, 7, 3))
    asked = {
        "serving_default": [history],
        "score": [history, np.resize(np.array(["books", "x"], object), (6, 4))],
        "score_contexts": [history, contexts],
        "embed_user": [history],
    }

    def answers(model):
        return {
            (name, key): value.numpy()
            for name, inputs in asked.items()
            for key, value in getattr(model, name)(*map(tf.constant, inputs)).items()
        }

    whole = answers(model)
    monkeypatch.setattr(servable, "_USERS_AT_A_TIME", 2)
    monkeypatch.setattr(servable, "_MESSAGES_AT_A_TIME", 8)
    monkeypatch.setattr(servable, "_ROW", 1)
    monkeypatch.setattr("tfhashtag.recommenders.audience.servable._PAIRS_AT_A_TIME", 3)
    for key, value in answers(run.recommender.servable(5)).items():
        if value.dtype == object:
            assert value.tolist() == whole[key].tolist()
        else:
            np.testing.assert_allclose(value, whole[key], atol=5e-5)


@pytest.mark.skipif(not can_compile(), reason="no C compiler on this machine")
@pytest.mark.parametrize("run", ["engagement"], indirect=True)
def test_what_is_retrieved_of_a_large_catalogue_in_an_export(run, model, tmp_path):
    data = {"rank_whole": 0, "candidates": 5, "ranked": 3}
    settings = run.settings.model_copy(update={"data": run.settings.data.model_copy(update=data)})
    retrieving = type(run.recommender).load(run.weights, settings, run.data).servable()
    write_signatures(retrieving, tmp_path, only=("top_k",))
    history = padded([history_of(run, 0), history_of(run, 1, 2), [""]])
    found = run_in_c(tmp_path, {"history": history, "k": np.int32(2)}, "top_k")
    alone = model.score(tf.constant(history), tf.constant(found["hashtags"]))
    assert alone["known"].numpy().all() and found["scores"].shape == (3, 2)
    np.testing.assert_allclose(found["scores"], alone["scores"], atol=1e-5)
    assert np.all(np.diff(found["scores"]) <= 0)
    more = retrieving.top_k(tf.constant(history), tf.constant(9))
    assert more["hashtags"].shape == (3, 5)  # of those that were retrieved
    (told,) = (line for line in retrieving.limits if "retrieved" in line)
    users = np.flatnonzero(np.bincount(run.corpus.user_of_post))
    history = tf.constant(padded([history_of(run, user) for user in users]))
    best = retrieving.top_k(history, tf.constant(3))["hashtags"].numpy()
    names = model.names.numpy()
    scores = model.score(history, tf.tile(names[None], [len(users), 1]))["scores"].numpy()
    kept = [
        np.isin(names[np.argsort(-row)[:3]], found) for row, found in zip(scores, best, strict=True)
    ]
    assert f"{np.mean(kept):.3f} of the first 3" in told and f"on {len(users)} users" in told


def test_the_graph_explains_as_the_recommender_does(user_run):
    run = user_run("engagement")
    episode, model = catalogue_episode(run.corpus), run.recommender.servable(5)
    user, hashtag = next(
        (user, tag)
        for user in range(8)
        for tag in episode.catalogue
        if len(episode.visible_contexts(user, tag)) == len(episode.contexts[tag])
    )
    name = run.corpus.hashtags[hashtag]
    told = run.explain(user=run.corpus.users[user], hashtag=name, split="now")
    signals = told.panel("all_signals", Items)
    rows = padded([history_of(run, user), [""]])
    found = {
        key: value.numpy()
        for key, value in model.explain(tf.constant(rows), tf.constant([f"#{name}", "x"])).items()
    }
    assert found["known"].tolist() == [True, False]
    for key, column in (("values", "value"), ("parts", "part of the logit")):
        expected = dict(zip(signals.column("name"), signals.column(column), strict=True))
        given = dict(zip(found["signals"][0].astype(str), found[key][0], strict=True))
        assert given == pytest.approx(expected, abs=5e-4)
    said = dict(zip(signals.column("name"), signals.column("signal"), strict=True))
    assert [said[name.decode()].encode() for name in found["signals"][0]] == [*found["words"][0]]
    assert np.all(np.diff(np.abs(found["parts"][0])) <= 1e-6)
    logit = found["baseline"][0] + found["parts"][0].sum()
    assert logit == pytest.approx(told.about["logit"], abs=1e-3)
    assert logit == pytest.approx(found["logit"][0], abs=1e-4)
    score = model.score(tf.constant(rows[:1]), tf.constant([[name]]))["scores"].numpy().item()
    assert 1 / (1 + np.exp(-found["logit"][0])) == pytest.approx(score, abs=1e-5)
    assert not any(found[key][1].any() for key in ("logit", "baseline", "parts", "values"))


def test_somebody_without_hashtags_has_one_answer(model):
    alone = model.serving_default(tf.constant([["good thriller"]]))
    together = model.serving_default(tf.constant([["good thriller"], ["a #books"]]))
    np.testing.assert_allclose(alone["scores"][0], together["scores"][0], atol=1e-5)


def test_what_is_too_much_is_refused(run, monkeypatch):
    limits = {"MESSAGES": 3, "STRINGS": 6, "DISTINCT": 2, "HASHTAGS": 2}
    for name, most in limits.items():
        monkeypatch.setattr(servable, f"MOST_{name}", most)
    model = run.recommender.servable(5)
    for history, said in (
        ([["a"] * 4], "3 messages of one user"),
        ([["a"] * 3] * 3, "6 strings"),
        ([["a", "b", "c"]], "2 different strings"),
        ([["#a #b", "#c"]], "2 hashtags in messages"),
    ):
        with pytest.raises(tf.errors.InvalidArgumentError, match=f"`history` .* more than {said}"):
            model.serving_default(tf.constant(history))
    model.serving_default(tf.constant([["a"]]))
    with pytest.raises(tf.errors.InvalidArgumentError, match="`contexts` holds more than 3"):
        model.score_contexts(tf.constant([["a"]]), tf.constant([[["a"] * 4]]))


@pytest.mark.parametrize(
    "history",
    [[], [""], ["#books #novel"], ["x" * 10_000], ["😀👩‍👩‍👧 مرحبا 東京"], ["\x00\t"], ["#"]],
    ids=["none", "empty", "only hashtags", "long", "scripts", "control", "lone sign"],
)
def test_odd_histories_have_finite_answers(model, history):
    answer = model.serving_default(tf.constant([history], tf.string))
    assert np.isfinite(answer["scores"].numpy()).all()
    assert len(set(answer["hashtags"][0].numpy())) == 5


def test_bytes_that_are_no_text_have_an_answer(model):
    answer = model.serving_default(tf.constant([[b"\xff\xfe good"]]))
    assert np.isfinite(answer["scores"].numpy()).all()


def test_recommend(run):
    user = run.corpus.users[0]
    ranked = run.recommend(user=user, k=4)
    assert len(ranked) == 4
    scores = [row["score"] for row in ranked]
    assert scores == sorted(scores, reverse=True)
    same = run.recommend(history=history_of(run, 0), k=4)
    assert [row["hashtag"] for row in same] == [row["hashtag"] for row in ranked]
    used = {
        run.corpus.hashtags[h]
        for post in np.flatnonzero(run.corpus.user_of_post == 0)
        for h in run.corpus.hashtags_of_post(post)
    }
    fresh = run.recommend(user=user, k=4, new_only=True)
    assert not used & {row["hashtag"] for row in fresh}
    with pytest.raises(DataError, match="`user` 'nobody' is not in"):
        run.recommend(user="nobody")


def test_grpc_predict(run, model, version, tmp_path):
    from tfhashtag.serving.client import ServingClient
    from tfhashtag.serving.server import ModelServer

    history = padded([history_of(run, 0)])
    cold = shutil.ignore_patterns("tf_serving_warmup_requests")  # the check asks them
    shutil.copytree(version, tmp_path / "now" / "1", ignore=cold)
    with ModelServer(tmp_path, "127.0.0.1", 0) as server:
        answer = ServingClient(server.address).predict("now", {"history": history})
    expected = model.serving_default(tf.constant(history))
    assert answer["hashtags"].tolist() == expected["hashtags"].numpy().tolist()
    np.testing.assert_allclose(answer["scores"], expected["scores"], atol=1e-5)
