"""MaCon as a whole: against loops over single posts, masks, training, saving."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tfhashtag.losses import LabelCrossentropy
from tfhashtag.recommenders.macon.model import MaconModel

LABELS, WIDTH, WORDS, CELLS, POSTS = 6, 3, 5, 4, 6
SIZES = {
    "vocabulary_size": 9,
    "proposals": CELLS,
    "features": 4,
    "attention": 5,
    "hashtag_attention": 3,
    "embedding_width": 2,
}


def posts(images=True, seed=0):
    """Whole posts, and such without words, image, history, hashtags, or anything."""
    rng = np.random.default_rng(seed)

    def tokens(*shape):
        length = rng.integers(1, WORDS + 1, shape)[..., None]
        return np.where(np.arange(WORDS) < length, rng.integers(1, 9, (*shape, WORDS)), 0)

    found = {
        "tokens": tokens(POSTS).astype("int32"),
        "history_tokens": tokens(POSTS, 2).astype("int32"),
        "history_hashtags": rng.integers(-1, LABELS, (POSTS, 2, 3)).astype("int32"),
        "history_mask": np.ones((POSTS, 2), bool),
    }
    found["tokens"][[1, 5]] = 0
    found["history_mask"][3] = [False, True]
    found["history_mask"][[4, 5]] = False
    found["history_hashtags"][0, 1] = -1
    found["history_tokens"][2, 1] = 0
    if images:
        found["proposals"] = rng.normal(size=(POSTS, CELLS, WIDTH)).astype("float32")
        found["has_image"] = np.array([True, True, False, True, True, False])
        found["history_proposals"] = rng.normal(size=(POSTS, 2, CELLS, WIDTH)).astype("float32")
        found["history_has_image"] = np.array([[True, False]] * 2 + [[False, False]] * 4)
    return found


INPUTS, TEXTS = posts(), posts(images=False)
TARGETS = np.array([[0, 3], [1, -1], [-1, -1], [5, 2], [4, -1], [2, -1]])
BOTH = pytest.mark.parametrize("inputs", [INPUTS, TEXTS], ids=["images", "text"])


def made(inputs=INPUTS, seed=1, **changes):
    keras.utils.set_random_seed(seed)
    width = WIDTH if "proposals" in inputs else None
    model = MaconModel(LABELS, width, **{**SIZES, **changes})
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        if weight.dtype == "float32":
            weight.assign(rng.normal(size=weight.shape))
    return model


# === One post at a time, in NumPy ===


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x):
    return np.exp(x) / np.exp(x).sum()


def weights_of(model):
    return {
        "/".join(w.path.split("/")[1:]): np.array(w, "float64")
        for w in model.weights
        if w.dtype == "float32"
    }


def states(w, tokens):
    vectors = [w["words/embeddings"][token] for token in tokens if token]
    kernel, recurrent = w["lstm/lstm_cell/kernel"], w["lstm/lstm_cell/recurrent_kernel"]
    units = len(recurrent)
    hidden = cell = np.zeros(units)
    found = []
    for vector in vectors:
        gates = vector @ kernel + hidden @ recurrent + w["lstm/lstm_cell/bias"]
        i, f, g, o = (gates[n * units : (n + 1) * units] for n in range(4))
        cell = sigmoid(f) * cell + sigmoid(i) * np.tanh(g)
        hidden = sigmoid(o) * np.tanh(cell)
        found.append(hidden)
    return np.array(found).reshape(-1, units)


def post_vector(w, tokens, image):
    u = states(w, tokens)
    p = np.zeros((0, u.shape[1])) if image is None else np.tanh(image @ w["image/kernel"])
    if len(u) + len(p) == 0:
        return w["co_attention/nothing/learned"]
    w_q = w["co_attention/query_kernel"]
    h_q, h_v = u @ w_q, None
    if len(p):
        w_v = w["co_attention/image_kernel"]
        c = u @ w["co_attention/affinity_kernel"] @ p.T
        h_q, h_v = u @ w_q + c @ (p @ w_v), p @ w_v + c.T @ (u @ w_q)
    vector = np.zeros(u.shape[1])
    if len(u):
        vector += softmax(np.tanh(h_q) @ w["co_attention/query_score"][:, 0]) @ u
    if len(p):
        vector += softmax(np.tanh(h_v) @ w["co_attention/image_score"][:, 0]) @ p
    return vector


def by_loops(model, inputs):
    w = weights_of(model)
    logits = []
    for b in range(len(inputs["tokens"])):

        def image(name, has, *place):
            if name not in inputs or not inputs[has][place]:
                return None
            return inputs[name][place].astype("float64")

        p = post_vector(w, inputs["tokens"][b], image("proposals", "has_image", b))
        z = []
        for i in np.flatnonzero(inputs["history_mask"][b]):
            other = post_vector(
                w,
                inputs["history_tokens"][b, i],
                image("history_proposals", "history_has_image", b, i),
            )
            e = [
                w["hashtags/embeddings"][tag]
                for tag in inputs["history_hashtags"][b, i]
                if tag >= 0
            ]
            t = w["hashtag_attention/no_hashtags/learned"]
            if e:
                inner = np.tanh(
                    e @ w["hashtag_attention/inner/kernel"] + w["hashtag_attention/inner/bias"]
                )
                t = softmax(inner @ w["hashtag_attention/score/kernel"][:, 0]) @ np.array(e)
            z.append(np.concatenate([other * p, t]))
        r = w["habit/no_history/learned"]
        if z:
            scores = z @ w["habit/score/kernel"][:, 0] + w["habit/score/bias"]
            r = softmax(np.tanh(scores)) @ np.array(z)
            r = r @ w["habit/output/kernel"] + w["habit/output/bias"]
        logits.append(np.concatenate([p, r]) @ w["logits/kernel"] + w["logits/bias"])
    return np.array(logits)


@BOTH
def test_equals_plain_loops(inputs):
    model = made(inputs)
    found = model(inputs)
    assert found.shape == (POSTS, LABELS) and found.dtype == "float32"
    np.testing.assert_allclose(found, by_loops(model, inputs), rtol=1e-4, atol=1e-4)


# === Masks, padding, batches ===


@BOTH
def test_what_is_masked_is_not_read(inputs):
    model = made(inputs)
    dirty = {name: value.copy() for name, value in inputs.items()}
    away = ~inputs["history_mask"]
    dirty["history_tokens"][away] = 7
    dirty["history_hashtags"][away] = 5
    if "proposals" in inputs:
        dirty["proposals"][~inputs["has_image"]] = np.nan
        dirty["history_proposals"][~inputs["history_has_image"]] = np.inf
        dirty["history_has_image"][away] = True
    np.testing.assert_allclose(model(dirty), model(inputs), rtol=1e-5, atol=1e-6)


@BOTH
def test_padding_changes_nothing(inputs):
    model = made(inputs)
    wider = dict(inputs)
    for name, fill in (("tokens", 0), ("history_tokens", 0), ("history_hashtags", -1)):
        value = inputs[name]
        wider[name] = np.concatenate([value, np.full((*value.shape[:-1], 3), fill, "int32")], -1)
    for name in inputs:  # one more history post that is none, before the others
        if name.startswith("history_"):
            wider[name] = np.concatenate([np.zeros_like(wider[name][:, :1]), wider[name]], axis=1)
    np.testing.assert_allclose(model(wider), model(inputs), rtol=1e-5, atol=1e-5)


@BOTH
def test_a_batch_of_one(inputs):
    model = made(inputs)
    whole = model(inputs)
    for row in range(POSTS):
        alone = model({name: value[row : row + 1] for name, value in inputs.items()})
        np.testing.assert_allclose(alone[0], whole[row], rtol=1e-5, atol=1e-5)


MODEL = made(TEXTS, seed=2)


@settings(max_examples=10, deadline=None)
@given(st.permutations(range(POSTS)), st.permutations(range(2)), st.permutations(range(3)))
def test_order_of_history_and_of_hashtags_does_not_matter(rows, places, tags):
    moved = {name: value[rows] for name, value in TEXTS.items()}
    for name in ("history_tokens", "history_hashtags", "history_mask"):
        moved[name] = moved[name][:, places]
    moved["history_hashtags"] = moved["history_hashtags"][:, :, tags]
    found = np.array(MODEL(TEXTS))[rows]
    np.testing.assert_allclose(MODEL(moved), found, rtol=1e-5, atol=1e-5)


def test_a_user_without_history_has_the_learned_habit():
    model = made()
    found = model.represent(INPUTS)
    for row in (4, 5):
        assert np.array_equal(found["habit"][row], model.habit.no_history.learned)
    assert np.array_equal(found["post"][5], model.co_attention.nothing.learned)
    shapes = {name: tuple(value.shape[1:]) for name, value in found.items()}
    assert shapes == {
        "post": (4,),
        "habit": (4,),
        "words_attention": (WORDS,),
        "image_attention": (CELLS,),
        "history_attention": (2,),
        "hashtag_attention": (2, 3),
    }
    for name, mask in (
        ("words_attention", INPUTS["tokens"] != 0),
        ("history_attention", INPUTS["history_mask"]),
        ("hashtag_attention", INPUTS["history_hashtags"] >= 0),
    ):
        assert not np.array(found[name])[~mask].any(), name


# === Training and files ===


@pytest.mark.parametrize("inputs, jit_compile", [(INPUTS, False), (TEXTS, False), (TEXTS, True)])
def test_a_step_moves_every_weight(inputs, jit_compile):
    model = made(inputs, dropout=0.0)
    model.compile(keras.optimizers.SGD(0.5), LabelCrossentropy(), jit_compile=jit_compile)
    before = [np.array(v) for v in model.trainable_variables]
    loss = model.train_on_batch(inputs, TARGETS)
    assert np.isfinite(loss)
    for variable, old in zip(model.trainable_variables, before, strict=True):
        new = np.array(variable)
        assert np.isfinite(new).all() and not np.array_equal(new, old), variable.path


# By the same LSTM with another switch; `layers/test_bilstm` has the fast twin.
@pytest.mark.parametrize("cudnn", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_learns(cudnn):
    model = made(dropout=0.2, cudnn=cudnn)
    model.compile(keras.optimizers.Adam(0.05), LabelCrossentropy(), jit_compile=False)
    losses = model.fit(INPUTS, TARGETS, epochs=8, verbose=0).history["loss"]
    assert losses[-1] < 0.8 * losses[0]
    assert np.isfinite(model.predict(INPUTS, verbose=0)).all()


def test_dropout_in_training_only():
    model = made()
    assert np.array_equal(model(INPUTS), model(INPUTS, training=False))
    assert not np.allclose(model(INPUTS), model(INPUTS, training=True))


@pytest.mark.parametrize("inputs, policy", [(INPUTS, "mixed_float16"), (TEXTS, "mixed_bfloat16")])
def test_half_precision(inputs, policy):
    exact, half = made(inputs), made(inputs, dtype=policy)
    found = half(inputs)
    assert found.dtype == "float32"
    assert all(w.dtype != half.compute_dtype for w in half.weights)
    tolerance = 0.05 if policy == "mixed_float16" else 0.4
    np.testing.assert_allclose(found, exact(inputs), atol=tolerance, rtol=tolerance)
    half.compile("sgd", LabelCrossentropy(), jit_compile=False, run_eagerly=True)
    assert np.isfinite(half.train_on_batch(inputs, TARGETS))


@BOTH
def test_save_and_load(inputs, tmp_path):
    model = made(inputs)
    again = MaconModel.from_config(model.get_config())
    assert again.get_config() == model.get_config()
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded(inputs), model(inputs), atol=1e-6)


@BOTH
def test_saved_model(inputs, tmp_path):
    model = made(inputs)
    archive = keras.export.ExportArchive()
    archive.track(model)
    signature = {
        name: tf.TensorSpec((None, *value.shape[1:]), value.dtype, name=name)
        for name, value in inputs.items()
    }
    archive.add_endpoint("serve", lambda x: model(x, training=False), input_signature=[signature])
    archive.write_out(str(tmp_path), verbose=False)
    loaded = tf.saved_model.load(str(tmp_path))
    served = loaded.serve({name: tf.constant(value) for name, value in inputs.items()})
    np.testing.assert_allclose(served, model(inputs), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "name, value",
    [
        ("labels", 0),
        ("image_width", 0),
        ("vocabulary_size", 1),
        ("proposals", 0),
        ("features", 0),
        ("attention", 0),
        ("hashtag_attention", 0),
        ("embedding_width", 0),
        ("dropout", 1.0),
    ],
)
def test_refuses_bad_arguments(name, value):
    wrong = "`units`" if name.endswith("attention") else f"`{name}`"
    with pytest.raises(ValueError, match=wrong):
        MaconModel(**{"labels": 3, "image_width": 2, **SIZES, name: value})


def test_refuses_images_too_few_and_too_many():
    with pytest.raises(ValueError, match="`proposals` is missing"):
        made()(TEXTS)
    with pytest.raises(ValueError, match="reads no images"):
        made(TEXTS)(INPUTS)
