"""The real export of post models: in process, in C and over gRPC the answers of evaluation."""

import json
import shutil

import numpy as np
import pytest
import tensorflow as tf

from tests.c_program import can_compile, run_in_c
from tfhashtag.cli.main import main
from tfhashtag.corpus.corpus import Split
from tfhashtag.encoders import (
    load_text_encoder,
)
from tfhashtag.errors import ArtifactError, DataError
from tfhashtag.export.warmup import WARMUP_FILE
from tfhashtag.runs.run import Run
from tfhashtag.tasks import PostQueries

# Signature by signature the code is the same for all models: the smallest is asked. That each
# model's graph gives its logits is tested for each; `text` and `test_several_pictures` have the
# fast twins of TAGNet, which is PHR of fewer parts, and of PHR with pictures; of the inverted file
# `post_ranker/test_index` and `test_inverted_post_index`.
SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in ("images", "tagnet")]
MODELS = ("text", "macon", *SLOW)


@pytest.fixture(scope="module")
def folder(post_corpus):
    return post_corpus


@pytest.fixture(scope="module")
def runs(post_run):
    return post_run


@pytest.fixture(scope="module")
def models(runs):
    made = {}

    def model(name):
        if name not in made:
            made[name] = runs(name).recommender.servable(5)
        return made[name]

    return model


@pytest.fixture(scope="module")
def version(post_version):
    return post_version


def assert_same(found, expected):
    """Answers of a server and of the process."""
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        if value.dtype == tf.string:
            assert np.asarray(found[name]).tolist() == value.numpy().tolist()
        else:
            assert np.isfinite(found[name]).all()
            np.testing.assert_allclose(found[name], value.numpy(), rtol=2e-5, atol=1e-5)


def requests(run, posts):
    """text, images, user of corpus posts, each of which has one picture at most."""
    corpus = run.corpus
    images = [
        [(run.folder.parent / "corpus" / name).read_bytes() for name in corpus.images[post]]
        for post in posts
    ]
    return (
        np.array([corpus.messages[message].encode() for message in corpus.message_of_post[posts]]),
        np.array([row or [b""] for row in images], object),
        np.array([corpus.users[user].encode() for user in corpus.user_of_post[posts]]),
    )


def unseen(run):
    return np.flatnonzero(run.corpus.split_of_post != Split.TRAIN)


def test_what_is_loaded_is_what_was_saved(runs, tmp_path):
    run = runs("macon")
    run.recommender.save(tmp_path)
    kept, again = (np.load(folder / "model.npz") for folder in (run.weights, tmp_path))
    assert kept.files == again.files and len(kept.files) > 5
    assert all(np.array_equal(kept[name], again[name]) for name in kept.files)


@pytest.mark.parametrize("name", MODELS)
def test_logits_of_the_graph_are_those_of_evaluation(runs, models, name):
    run = runs(name)
    corpus, posts = run.corpus, unseen(run)
    train_users = corpus.user_of_post[corpus.split_of_post == Split.TRAIN]
    assert not np.isin(corpus.user_of_post[posts], train_users).all()
    text, image, user = requests(run, posts)
    assert b"" in text and b"" in image
    recommender = run.recommender
    expected = recommender.score(PostQueries(corpus, posts, recommender.labels))
    assert np.ptp(expected, axis=0).max() > 1e-3
    model = models(name)
    found = model.logits(*map(tf.constant, (text, image, user))).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-4)
    for row in (0, 7, int(np.flatnonzero(text == b"")[0])):
        one = slice(row, row + 1)
        alone = model.logits(*(tf.constant(value[one]) for value in (text, image, user)))
        np.testing.assert_allclose(alone[0], expected[row], atol=1e-4)


@pytest.mark.skipif(not can_compile(), reason="no C compiler on this machine")
def test_c_program_gives_the_answers_of_the_process(runs, models, version):
    run, model = runs("macon"), models("macon")
    posts = unseen(run)[:12]
    text, image, user = requests(run, posts)
    proposals = run.data.proposals
    rows = proposals.rows_of_post[posts, 0]
    given = np.where(rows[:, None, None] >= 0, proposals.vectors[rows], np.float32(0))
    expected = model.serving_default(*map(tf.constant, (text, image, user)))
    assert_same(model.vectors(*map(tf.constant, (text, given, user))), expected)
    found = run_in_c(version, {"text": text, "images": image, "user": user}, "serving_default")
    assert_same(found, expected)


def test_grpc_predict(runs, models, version, tmp_path):
    from tfhashtag.serving.client import ServingClient
    from tfhashtag.serving.server import ModelServer

    run, model = runs("macon"), models("macon")
    post = dict(zip(("text", "images", "user"), requests(run, unseen(run)[:3]), strict=True))
    tensors = [tf.constant(value) for value in post.values()]
    post = {name: np.array(list(value), object) for name, value in post.items()}
    name = "now"
    cold = shutil.ignore_patterns("tf_serving_warmup_requests")  # the check asks them
    shutil.copytree(version, tmp_path / name / "1", ignore=cold)
    with ModelServer(tmp_path, "127.0.0.1", 0) as server:
        client = ServingClient(server.address, timeout=120)
        assert_same(client.predict(name, post), model.serving_default(*tensors))
        # A request that asks for k of its own, and one for the representation.
        found = client.predict(name, post | {"k": np.int32(2)}, signature="top_k")
        assert_same(found, model.top_k(*tensors, 2))
        found = client.predict(name, post, signature="embed_post")
        assert found["embedding"].shape == (3, 6)
        assert_same(found, model.embed_post(*tensors))


@pytest.mark.slow  # what a run keeps is such a model: `test_recommend` is the fast twin
def test_another_model_answers_from_a_saved_model(runs, models, tmp_path):
    version = runs("text").export(tmp_path, k=5, check=False)
    post = requests(runs("text"), unseen(runs("text"))[:4])
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        meta = tf.compat.v1.saved_model.load(session, ["serve"], str(version))
        signature = meta.signature_def["serving_default"]
        feeds = {
            signature.inputs[alias].name: value
            for alias, value in zip(("text", "images", "user"), post, strict=True)
        }
        found = session.run({key: out.name for key, out in signature.outputs.items()}, feeds)
    assert_same(found, models("text").serving_default(*map(tf.constant, post)))


@pytest.mark.parametrize("name", ["text", "macon", SLOW[0]])
def test_what_is_not_there_has_a_defined_answer(runs, models, name):
    run, model = runs(name), models(name)
    picture = next(image for (image,) in requests(run, unseen(run))[1] if image)
    known = run.corpus.users[0].encode()

    def scores(text, image, user):
        answer = model.top_k(*(tf.constant([value]) for value in (text, [image], user)), 10**6)
        order = np.argsort(answer["hashtags"][0].numpy())
        found = answer["scores"][0].numpy()
        assert np.isfinite(found).all() and abs(found.sum() - 1) < 1e-5
        assert np.all(np.diff(found) <= 0)
        return found[order]

    whole = scores(b"rain in the city", picture, known)
    nothing = scores(b"", b"", b"")
    assert np.abs(whole - nothing).max() > 1e-6
    for blank in (b" \t\n", "\u3000\u00a0".encode()):
        np.testing.assert_allclose(scores(blank, b"", b""), nothing, atol=1e-6)
    np.testing.assert_allclose(scores(b"", b"", b"never seen"), nothing, atol=1e-6)
    for broken in (b"broken", picture[: len(picture) // 2], b"\xff\xd8\xff" + b"0" * 50):
        np.testing.assert_allclose(scores(b"", broken, b""), nothing, atol=1e-6)
    for odd in (b"\xff\xfe rain", "😀👩‍👩‍👧 مرحبا 東京".encode(), b"x" * 10_000, b"\x00", b"#"):
        scores(odd, picture, known)


def test_sizes_of_answers(models):
    model = models("text")
    post = (tf.constant(["rain"]), tf.constant([[""]]), tf.constant([""]))
    labels = int(model.names.shape[0])
    assert model.serving_default(*post)["hashtags"].shape == (1, 5)
    assert model.top_k(*post, 10**6)["hashtags"].shape == (1, labels)
    assert model.top_k(*post, -3)["hashtags"].shape == (1, 1)
    # A model without images reads neither pictures nor proposals.
    given = model.vectors(post[0], tf.ones([1, 2, 3]), post[2])
    np.testing.assert_array_equal(given["scores"], model.serving_default(*post)["scores"])


def test_recommend(runs, models):
    run = runs("macon")
    text, image, user = (value[0] for value in requests(run, unseen(run)))
    asked = {"text": text.decode(), "user": user.decode(), "k": 4}
    for name, seen in (("macon", image), ("text", [b""])):
        found = runs(name).recommend(**asked, image=seen[0] or None)
        expected = models(name).top_k(*(tf.constant([value]) for value in (text, seen, user)), 4)
        assert [row["hashtag"].encode() for row in found] == [*expected["hashtags"][0].numpy()]
        assert [row["score"] for row in found] == pytest.approx([*expected["scores"][0].numpy()])
    with pytest.raises(DataError, match=r"`user` 'user000' is not in .*nearest: user00"):
        run.recommend(text="x", user="user000")
    with pytest.raises(DataError, match="`image` cannot be decoded"):
        run.recommend(image=b"broken")
    with pytest.raises(DataError, match="reads no pictures"):
        runs("text").recommend(image=image[0])


def test_commands(runs, tmp_path, capsys):
    run = runs("macon")
    (tmp_path / "picture").write_bytes(requests(run, unseen(run))[1][0, 0])
    arguments = ["recommend", str(run.folder), "--text", "rain", "--json", "--k", "2"]
    assert _exit_code([*arguments, "--image", str(tmp_path / "picture")]) == 0
    assert capsys.readouterr().out.count('"hashtag"') == 2
    for wrong, message in (
        (["--history", "x"], "are for models of users"),
        (["--text", "x", "--new-only"], "are for models of users"),
        ([], "--text, its --image or both"),
    ):
        assert _exit_code(["recommend", str(run.folder), *wrong]) == 2
        assert message in capsys.readouterr().err
    incomplete = tmp_path / "incomplete"
    shutil.copytree(runs("text").folder, incomplete)
    shutil.rmtree(incomplete / "weights")
    assert _exit_code(["export", str(incomplete), "--out", str(tmp_path / "models")]) == 1
    assert "the training is not complete" in capsys.readouterr().err


def test_next_export_is_the_next_version(runs, tmp_path):
    run = runs("macon")
    (tmp_path / "1").mkdir()
    second = run.export(tmp_path, k=2, check=False, warm_up="batchable")
    assert second.name == "2"
    assert json.loads((run.folder / "run.json").read_text())["data_digest"] == run.corpus.digest
    warmed = (second / WARMUP_FILE).read_bytes()
    assert b"embed_post" in warmed and b"top_k" not in warmed


def test_another_encoder_than_the_corpus_was_encoded_with_is_refused(runs, folder, monkeypatch):
    from tfhashtag import encoders

    reopened = Run.open(runs("text").folder)  # the run at hand has its encoder already
    other = load_text_encoder(str(folder / "bert"))
    other.fingerprint = "0" * 64
    monkeypatch.setattr(encoders, "load_text_encoder", lambda name: other)
    with pytest.raises(ArtifactError, match="other weights or settings"):
        reopened.recommender.servable()


def _exit_code(arguments):
    try:
        main(arguments)
    except SystemExit as stopped:
        return stopped.code
    return 0
