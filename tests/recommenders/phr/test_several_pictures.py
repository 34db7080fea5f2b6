"""Posts with several pictures: one that the first picture does not tell is found by all of them."""

import keras
import numpy as np
import pytest

from tfhashtag.corpus.corpus import Split
from tfhashtag.corpus.store import read_corpus
from tfhashtag.corpus.synthetic_posts import synthetic_posts, write_synthetic_posts
from tfhashtag.encoders import encode_images, load_image_encoder, load_proposals
from tfhashtag.losses import LabelCrossentropy
from tfhashtag.recommenders.phr.compose import compose
from tfhashtag.recommenders.phr.settings import PhrNetwork
from tfhashtag.tasks.posts.inputs import PostTables
from tfhashtag.tasks.posts.labels import PostLabels
from tfhashtag.tasks.posts.settings import PostData

NETWORK = PhrNetwork(
    proposals=4, features=12, projection=16, slots=4, heads=2, hidden=16,
    sides=["visual"], pairing="none", graph="none",
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Hashtags come of pictures alone, and of those never of the first."""
    folder = tmp_path_factory.mktemp("several") / "corpus"
    made = synthetic_posts(
        400, 20, 0, themes=3, picture_size=24, pictures=3, newcomers=0, without_picture=0,
        text=0, habit=0, similar=0, noise=0,
    )  # fmt: skip
    write_synthetic_posts(made, folder)
    encoder = load_image_encoder("pixels", proposals=4)
    encode_images(folder, read_corpus(folder), encoder, progress=False)
    return folder


def posts_of(folder, pictures):
    """Inputs of all posts, their labels, and which are of the test part."""
    corpus = read_corpus(folder)
    found = load_proposals(folder, corpus, "pixels", 4, pictures)
    nothing = np.zeros((1, 2), np.float32)
    tables = PostTables(
        np.zeros((1, 1), np.int32), nothing, nothing, found.vectors, found.rows_of_post
    )
    labels = PostLabels.of_corpus(corpus, 1)
    every = np.arange(len(corpus))
    inputs = tables.pictures_of(every)
    return inputs, labels.rows.padded(every, 1), corpus.split_of_post == Split.TEST, len(labels)


def model_of(inputs, labels):
    keras.utils.set_random_seed(0)
    width = inputs["proposals"].shape[-1]
    return compose(NETWORK, PostData(), labels, 2, width, 2, ())


def share_right(folder, pictures):
    """Of the test posts whose hashtag is among the three best."""
    inputs, targets, test, labels = posts_of(folder, pictures)
    model = model_of(inputs, labels)
    model.compile(keras.optimizers.AdamW(0.01), LabelCrossentropy(), jit_compile=False)
    known = {name: values[~test] for name, values in inputs.items()}
    model.fit(known, targets[~test], batch_size=40, epochs=12, verbose=0)
    logits = np.asarray(model({name: values[test] for name, values in inputs.items()}))
    best = np.argsort(-logits, axis=1)[:, :3]
    return float(np.mean((best == targets[test]).any(axis=1)))


def test_all_pictures_tell_what_the_first_does_not(folder):
    assert share_right(folder, 8) > 0.85  # nine hashtags, three of a theme
    assert share_right(folder, 1) < 0.6


def test_order_padding_and_batch_change_nothing(folder):
    inputs, _, _, labels = posts_of(folder, 8)
    inputs = {name: values[:5] for name, values in inputs.items()}
    inputs["image_mask"] = inputs["image_mask"] & np.array(
        [[1, 1, 1]] * 3 + [[1, 0, 0], [0] * 3], bool
    )
    inputs["has_image"] = inputs["image_mask"].any(axis=1)
    model = model_of(inputs, labels)
    expected = np.asarray(model(inputs))
    assert np.ptp(expected, axis=0).max() > 1e-4

    def check(proposals, mask, rows=slice(None)):
        given = {"proposals": proposals, "image_mask": mask, "has_image": mask.any(axis=1)}
        np.testing.assert_allclose(model(given), expected[rows], atol=1e-5)

    cells, mask = inputs["proposals"].reshape(5, 3, 4, -1), inputs["image_mask"]
    turned = cells[:, [2, 0, 1]].reshape(5, 12, -1)
    check(turned, mask[:, [2, 0, 1]])
    more = np.full((5, 8, cells.shape[-1]), 7, np.float32)
    check(np.concatenate([inputs["proposals"], more], 1), np.pad(mask, [(0, 0), (0, 2)]))
    for row in range(5):
        one = slice(row, row + 1)
        check(inputs["proposals"][one], mask[one], one)


def test_one_picture_is_answered_as_before_to_the_bit(folder):
    inputs, _, _, labels = posts_of(folder, 1)
    assert "image_mask" not in inputs  # the old form
    inputs = {name: values[:40] for name, values in inputs.items()}
    model = model_of(inputs, labels)
    several = inputs | {"image_mask": inputs["has_image"][:, None]}
    np.testing.assert_array_equal(model(several), model(inputs))
