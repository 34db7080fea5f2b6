"""The real export of post models: in process, in C and over gRPC the answers of evaluation."""

import importlib.util
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from tfhashtag.cli.main import main
from tfhashtag.data.corpus import Split
from tfhashtag.data.store import read_corpus
from tfhashtag.data.synthetic_posts import synthetic_posts, write_synthetic_posts
from tfhashtag.encoders import (
    encode_corpus,
    encode_images,
    load_image_encoder,
    load_text_encoder,
)
from tfhashtag.errors import ArtifactError, DataError
from tfhashtag.export.posts import export_posts, raw_string_post_model, recommend_for_post
from tfhashtag.testing.c_program import can_compile, run_in_c
from tfhashtag.training.options import TrainingOptions
from tfhashtag.training.train import train

ENCODERS = pathlib.Path(__file__).parent.parent / "encoders" / "conftest.py"
IMAGES = ("image_encoder=pixels", "network.proposals=4")
SMALL = ("network.features=6", "network.embedding_width=5", "training.epochs=1")
PHR = (*SMALL, "network.hidden=8", "network.projection=7", "data.own_posts=3", "data.other_posts=4")
RUNS = {
    "text": (
        "phr_thesis",
        *PHR,
        "image_encoder=none",
        "network.text=both",
        "network.residual=true",
        "network.textual_threshold=0.3",
    ),
    "images": ("phr_thesis", *PHR, *IMAGES, "network.residual=true", "network.heads=2"),
    "tagnet": ("tagnet", *PHR, *IMAGES),
    "macon": ("macon", *SMALL, *IMAGES),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A corpus of posts with pictures, encoded by small encoders."""
    spec = importlib.util.spec_from_file_location("encoder_fixtures", ENCODERS)
    fixtures = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fixtures)
    folder = tmp_path_factory.mktemp("export_posts")
    fixtures.write_hugging_face_bert(folder / "bert")
    made = synthetic_posts(
        posts=300, users=24, seed=0, themes=2, picture_size=24, newcomers=0.2, without_text=0.1
    )
    write_synthetic_posts(made, folder / "corpus")
    corpus = read_corpus(folder / "corpus")
    encoder = load_text_encoder(str(folder / "bert"))
    encode_corpus(folder / "corpus", corpus, encoder, progress=False)
    encode_images(
        folder / "corpus", corpus, load_image_encoder("pixels", proposals=4), progress=False
    )
    return folder


@pytest.fixture(scope="module")
def runs(folder):
    """A function from a name to its trained run."""
    made = {}

    def run(name):
        if name not in made:
            config, *overrides = RUNS[name]
            made[name] = train(
                config,
                folder / "corpus",
                folder / name,
                overrides=(
                    f"text_encoder={folder / 'bert'}",
                    "data.vocabulary_size=50",
                    *overrides,
                ),
                options=TrainingOptions(progress=False),
            )
        return made[name]

    return run


@pytest.fixture(scope="module")
def models(runs):
    made = {}

    def model(name):
        if name not in made:
            made[name] = raw_string_post_model(runs(name), 5)
        return made[name]

    return model


@pytest.fixture(scope="module")
def versions(folder, runs):
    made = {}

    def version(name):
        if name not in made:
            made[name] = export_posts(runs(name).folder, folder / "models" / name, k=5)
        return made[name]

    return version


def requests(run, posts):
    """text, image, user of corpus posts."""
    corpus = run.corpus
    images = [
        (run.folder.parent / "corpus" / corpus.images[post]).read_bytes()
        if corpus.images[post]
        else b""
        for post in posts
    ]
    return (
        np.array([corpus.messages[message].encode() for message in corpus.message_of_post[posts]]),
        np.array(images, object),
        np.array([corpus.users[user].encode() for user in corpus.user_of_post[posts]]),
    )


def unseen(run):
    return np.flatnonzero(run.corpus.split_of_post != Split.TRAIN)


@pytest.mark.parametrize("name", list(RUNS))
def test_logits_of_the_graph_are_those_of_evaluation(runs, models, name):
    run = runs(name)
    corpus, posts = run.corpus, unseen(run)
    train_users = corpus.user_of_post[corpus.split_of_post == Split.TRAIN]
    assert not np.isin(corpus.user_of_post[posts], train_users).all()
    text, image, user = requests(run, posts)
    assert b"" in text and b"" in image
    expected = run.load_recommender().score(posts)
    assert np.ptp(expected, axis=0).max() > 1e-3
    model = models(name)
    found = model.logits(*map(tf.constant, (text, image, user))).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-4)
    for row in (0, 7, int(np.flatnonzero(text == b"")[0])):
        one = slice(row, row + 1)
        alone = model.logits(*(tf.constant(value[one]) for value in (text, image, user)))
        np.testing.assert_allclose(alone[0], expected[row], atol=1e-4)


@pytest.mark.skipif(not can_compile(), reason="no C compiler on this machine")
@pytest.mark.parametrize("name", ["text", "images", "macon"])
def test_c_program_gives_the_answers_of_the_process(runs, models, versions, name):
    run, model = runs(name), models(name)
    text, image, user = requests(run, unseen(run)[:12])
    post = {"text": text, "image": image, "user": user}
    inputs = {"serving_default": post}
    if name == "images":
        proposals = run.load_recommender().proposals
        rows = proposals.row_of_post[unseen(run)[:12]]
        given = np.where(rows[:, None, None] >= 0, proposals.vectors[rows], np.float32(0))
        inputs |= {
            "top_k": post | {"k": np.int32(3)},
            "vectors": {"text": text, "proposals": given, "user": user},
            "embed_post": post,
        }
    for signature, values in inputs.items():
        expected = getattr(model, signature)(*(tf.constant(value) for value in values.values()))
        found = run_in_c(versions(name), values, signature)
        assert found.keys() == expected.keys()
        for output, value in expected.items():
            if value.dtype == tf.string:
                assert found[output].tolist() == value.numpy().tolist()
            else:
                assert np.isfinite(found[output]).all()
                np.testing.assert_allclose(found[output], value.numpy(), atol=1e-5)
    if name == "images":
        same = model.serving_default(*(tf.constant(value) for value in post.values()))
        np.testing.assert_allclose(found["embedding"].shape, [12, 4 * 6])
        by_vectors = run_in_c(versions(name), inputs["vectors"], "vectors")
        np.testing.assert_allclose(by_vectors["scores"], same["scores"], atol=1e-5)


def test_grpc_predict(runs, models, versions):
    from tfhashtag.serving.client import ServingClient
    from tfhashtag.serving.server import ModelServer

    run, version = runs("images"), versions("images")
    text, image, user = requests(run, unseen(run)[:3])
    with ModelServer(version.parent.parent, "127.0.0.1", 0) as server:
        answer = ServingClient(server.address).predict(
            version.parent.name,
            {name: np.array(list(value), object)
             for name, value in (("text", text), ("image", image), ("user", user))},
        )  # fmt: skip
    expected = models("images").serving_default(*map(tf.constant, (text, image, user)))
    assert answer["hashtags"].tolist() == expected["hashtags"].numpy().tolist()
    np.testing.assert_allclose(answer["scores"], expected["scores"], atol=1e-5)


@pytest.mark.parametrize("name", ["text", "images", "macon"])
def test_what_is_not_there_has_a_defined_answer(runs, models, name):
    run, model = runs(name), models(name)
    picture = next(image for image in requests(run, unseen(run))[1] if image)
    known = run.corpus.users[0].encode()

    def scores(text, image, user):
        answer = model.top_k(*(tf.constant([value]) for value in (text, image, user)), 10**6)
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
    post = (tf.constant(["rain"]), tf.constant([""]), tf.constant([""]))
    labels = int(model.names.shape[0])
    assert model.serving_default(*post)["hashtags"].shape == (1, 5)
    assert model.top_k(*post, 10**6)["hashtags"].shape == (1, labels)
    assert model.top_k(*post, -3)["hashtags"].shape == (1, 1)
    # A model without images reads neither pictures nor proposals.
    given = model.vectors(post[0], tf.ones([1, 2, 3]), post[2])
    np.testing.assert_array_equal(given["scores"], model.serving_default(*post)["scores"])


def test_recommend(runs, models):
    run = runs("images")
    text, image, user = (value[0] for value in requests(run, unseen(run)))
    found = recommend_for_post(run.folder, text=text.decode(), image=image, user=user.decode(), k=4)
    expected = models("images").top_k(*(tf.constant([value]) for value in (text, image, user)), 4)
    assert [row["hashtag"].encode() for row in found] == expected["hashtags"][0].numpy().tolist()
    with pytest.raises(DataError, match="no user 'user000' in the corpus. Did you mean 'user00"):
        recommend_for_post(run.folder, text="x", user="user000")
    with pytest.raises(DataError, match="`image` cannot be decoded"):
        recommend_for_post(run.folder, image=b"broken")
    with pytest.raises(DataError, match="reads no pictures"):
        recommend_for_post(runs("text").folder, image=image)


def test_commands(runs, tmp_path, capsys):
    run = runs("images")
    (tmp_path / "picture").write_bytes(requests(run, unseen(run))[1][0])
    arguments = ["recommend", str(run.folder), "--text", "rain", "--json", "--k", "2"]
    assert _exit_code([*arguments, "--image", str(tmp_path / "picture")]) == 0
    assert capsys.readouterr().out.count('"hashtag"') == 2
    for wrong, message in (
        (["--history", "x"], "are for engagement models"),
        (["--text", "x", "--new-only"], "are for engagement models"),
        ([], "--text, its --image or both"),
    ):
        assert _exit_code(["recommend", str(run.folder), *wrong]) == 2
        assert message in capsys.readouterr().err
    out = ["--out", str(tmp_path / "models" / "macon"), "--no-check"]
    assert _exit_code(["export", str(runs("macon").folder), *out]) == 0
    assert (tmp_path / "models" / "macon" / "1" / "saved_model.pb").is_file()


def test_another_encoder_than_the_corpus_was_encoded_with_is_refused(runs, folder, monkeypatch):
    from tfhashtag import encoders

    other = load_text_encoder(str(folder / "bert"))
    other.fingerprint = "0" * 64
    monkeypatch.setattr(encoders, "load_text_encoder", lambda name: other)
    with pytest.raises(ArtifactError, match="other weights or settings"):
        raw_string_post_model(runs("text"))


def _exit_code(arguments):
    try:
        main(arguments)
    except SystemExit as stopped:
        return stopped.code
    return 0
