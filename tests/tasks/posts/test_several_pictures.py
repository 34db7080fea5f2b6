"""Several pictures and clips from training to what answers: the same everywhere.

`phr`, which weighs the pictures of a post, is the fast twin of `macon` and `posts`, which read
their mean.
"""

import copy
import dataclasses

import numpy as np
import pytest
import tensorflow as tf

import tfhashtag as th
from tests.corpus.clip_files import write_clip
from tests.fixtures.export import IMAGES, PHR, SMALL_POSTS
from tfhashtag.corpus.clips import sample_frames
from tfhashtag.corpus.corpus import Split
from tfhashtag.corpus.store import read_corpus
from tfhashtag.corpus.synthetic_posts import synthetic_posts, write_synthetic_posts
from tfhashtag.encoders import encode_images, load_image_encoder
from tfhashtag.errors import DataError
from tfhashtag.recommenders.phr.explanation import explain_post
from tfhashtag.tasks import PostQueries
from tfhashtag.testing.small_world import write_word_encoder

RUNS = {
    "phr": ("phr_thesis", *PHR, *IMAGES, "network.picture_weights=true", "network.text=encoder",
            "network.sides=[visual, textual]"),
    "macon": ("macon", *SMALL_POSTS, *IMAGES),
    "posts": ("posts", "data.vocabulary_size=50", *IMAGES, "data.taste_width=4",
              "network.members=2", "network.hidden=[8]", "training.futures=[[0.6, 1.0]]",
              "training.epochs=1", "training.refit=false", "data.time=off"),
}  # fmt: skip


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("several")
    words = write_word_encoder(folder / "words")
    made = synthetic_posts(
        120, 12, 0, themes=2, picture_size=24, pictures=3, without_text=0.1, without_picture=0.1
    )
    write_synthetic_posts(made, folder / "corpus")
    corpus = read_corpus(folder / "corpus")
    th.encode(corpus, str(words), progress=False)
    pictures = load_image_encoder("pixels", proposals=4)
    encode_images(folder / "corpus", corpus, pictures, progress=False)
    return corpus, str(words)


@pytest.fixture(scope="module")
def run_of(corpus, tmp_path_factory):
    made = {}

    def run(name):
        if name not in made:
            configuration, *values = RUNS[name]
            values = dict(value.split("=", 1) for value in values)
            made[name] = th.train(
                configuration,
                corpus[0],
                tmp_path_factory.mktemp(name) / "run",
                overrides=[f"{key}={value}" for key, value in values.items()]
                + [f"text_encoder={corpus[1]}"],
            )
        return made[name]

    return run


def request(run, corpus, posts, wide=3):
    """Texts, pictures and users of corpus posts."""
    images = [
        [(corpus.folder / name).read_bytes() for name in corpus.images[post]] for post in posts
    ]
    return (
        tf.constant([corpus.messages[message] for message in corpus.message_of_post[posts]]),
        tf.constant([[*row, *[b""] * (wide - len(row))] for row in images]),
        tf.constant([corpus.users[user] for user in corpus.user_of_post[posts]]),
    )


SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in ("macon", "posts")]


@pytest.mark.parametrize("name", ["phr", *SLOW])
def test_the_graph_answers_as_evaluation(run_of, corpus, name):
    run, corpus = run_of(name), corpus[0]
    posts = np.flatnonzero(corpus.split_of_post == Split.TEST)
    recommender = run.recommender
    expected = recommender.score(PostQueries(corpus, posts, recommender.labels))
    assert np.ptp(expected, axis=0).max() > 1e-3
    model = recommender.servable(5)
    text, images, user = request(run, corpus, posts)
    found = model.logits(text, images, user).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-4)
    turned = tf.concat([images[:, ::-1], images[:, :1]], axis=1)  # a picture twice counts twice
    turned = tf.where(tf.range(4) < 3, turned, "")
    np.testing.assert_allclose(model.logits(text, turned, user), expected, atol=1e-4)
    none = model.logits(text, tf.fill([len(posts), 0], ""), user)
    np.testing.assert_allclose(none, model.logits(text, tf.zeros_like(images), user), atol=1e-5)
    alone = model.logits(text[:1], images[:1], user[:1])
    np.testing.assert_allclose(alone, expected[:1], atol=1e-4)


def test_what_a_run_keeps_answers_as_the_process(run_of, corpus):
    """It is an export of one signature."""
    run = run_of("phr")
    posts = np.flatnonzero(corpus[0].split_of_post == Split.TEST)[:6]
    inputs = request(run, corpus[0], posts)
    expected = run.recommender.servable(5).top_k(*inputs, 5)
    found = run.answers("top_k", **dict(zip(("text", "images", "user"), inputs, strict=True)), k=5)
    assert found["hashtags"].tolist() == expected["hashtags"].numpy().tolist()
    np.testing.assert_allclose(found["scores"], expected["scores"], atol=1e-6)


def test_regions_are_of_the_picture_that_is_shown(run_of, corpus):
    recommender, corpus = run_of("phr").recommender, corpus[0]
    post = next(post for post, names in enumerate(corpus.images) if len(names) > 1)
    found = explain_post(recommender, corpus.post_ids[post], k=1, pictures=corpus.folder)
    (regions,) = [panel for panel in found.panels if panel.key == "regions"]
    assert regions.title == "Regions of picture 1"
    assert all(name.startswith("fall of #") for name, *_ in regions.maps)
    assert regions.picture == (corpus.folder / corpus.images[post][0]).read_bytes()
    first, second = corpus.images[post][:2]
    data = recommender.data
    broken = dataclasses.replace(
        data, proposals=dataclasses.replace(data.proposals, broken=(first,))
    )
    patched = copy.copy(recommender)
    patched.data = broken
    found = explain_post(patched, corpus.post_ids[post], k=1, pictures=corpus.folder)
    regions = next(panel for panel in found.panels if panel.key == "regions")
    assert regions.picture == (corpus.folder / second).read_bytes()


def test_pictures_and_clips_are_asked_about(run_of, corpus, tmp_path):
    run, corpus = run_of("phr"), corpus[0]
    names = next(names for names in corpus.images if names)
    paths = [corpus.folder / name for name in names]
    clip = write_clip(tmp_path / "a.mp4")

    def best(image):
        found = run.recommend(text="rain", image=image)
        return {row["hashtag"]: pytest.approx(row["score"], abs=1e-4) for row in found}

    contents = [path.read_bytes() for path in paths] + sample_frames(clip)
    both = {
        row["hashtag"]: row["score"] for row in run.recommend(text="rain", image=[*paths, clip])
    }
    assert both == best(contents) and both == best(contents[::-1])
    assert both != best(paths[0])
    (tmp_path / "bad.mp4").write_bytes(clip.read_bytes()[:900])
    with pytest.raises(DataError, match=r"the clip cannot be read \(.*\); expected a whole one"):
        run.recommend(image=tmp_path / "bad.mp4")
